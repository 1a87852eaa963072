"""What daemons on one database must have the same: else they spend by other rules, or look in another place."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final

from batchd.settings.tables import Settings

_API: Final = ("base_url", "requests_per_minute", "max_queued_requests", "timeout", "doubt")
_FOLDER: Final = ("per_day", "per_month", "key", "priority", "hours")
_BY_NAME: Final = ("folder.", "keys.")
"""Settings that one side may lack, since they are there for each name; of others a version knows more than another."""
_MOST: Final = 3
"""Differences that one sentence names."""


def to_agree_on(settings: Settings, key: str | None, *, sandbox: bool) -> dict[str, str]:
    """Each such setting by its name, with a value that may be shown: of a key a few digits of its digest.

    Args:
        settings: All of them.
        key: The first API key; another one may be of another workspace, whose list shows no batch of the first.
        sandbox: Whether the API is a stand-in of this process, which has an address of its own and takes any key.
    """
    found = {f"api.{name}": _shown(getattr(settings.api, name)) for name in _API}
    found["api key"] = "none" if key is None else sha256(f"batchd {key}".encode()).hexdigest()[:8]
    if sandbox:
        found["api.base_url"] = found["api key"] = "sandbox"
    found |= {f"budget.{name}": _shown(getattr(settings.budget, name)) for name in settings.budget.__struct_fields__}
    found |= {f"fleet.{name}": _shown(getattr(settings.fleet, name)) for name in ("workers", "stalled")}
    found["retry.max_attempts"] = _shown(settings.retry.max_attempts)
    for folder, said in settings.folder.items():
        found |= {f"folder.{folder}.{name}": _shown(getattr(said, name)) for name in _FOLDER}
    return found | {f"keys.{name}.base_url": _shown(said.base_url) for name, said in settings.keys.items()}


def drift(agreed: Mapping[str, str], own: Mapping[str, str]) -> str | None:
    """Say in what the settings of a daemon differ from those of its installation; None where in nothing.

    Args:
        agreed: Those of the installation; empty where there are none yet.
        own: Those of the daemon.
    """
    different = list(_different(agreed, own)) if agreed else []
    if not different:
        return None
    more = f", and {len(different) - _MOST} more" if len(different) > _MOST else ""
    return f"{'; '.join(different[:_MOST])}{more}"


def _different(agreed: Mapping[str, str], own: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(agreed.keys() | own.keys()):
        both = name in agreed and name in own
        if (both or name.startswith(_BY_NAME)) and agreed.get(name) != own.get(name):
            yield f"{name} is {own.get(name, 'not set')} here, and {agreed.get(name, 'not set')} there"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value) or '""'
