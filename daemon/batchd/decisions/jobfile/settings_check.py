"""What may be said of a job or a request beside the parameters of the API, and what was said."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice
from types import MappingProxyType
from typing import Final, NamedTuple

from batchd.claude.params_check import PARAMETERS, Check, check, mapping, yes_or_no
from batchd.decisions.document import expectation
from batchd.decisions.jobfile import lanes
from batchd.decisions.jobfile.attachment import ATTACH
from batchd.text.strictjson import MOST_FLAWS, Flaw, Json, member

_BETA: Final = re.compile(r"[A-Za-z0-9._-]+\Z")
BESIDE: Final = frozenset({"custom_id", "failure"})
"""What may stand beside a request's settings; `failure` is the outbox's remark in a request dropped again."""


def _betas(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, list):
        yield Flaw(path, 'must be a list of names, such as ["output-300k-2026-03-24"]')
        return
    for index, each in enumerate(value):
        if not isinstance(each, str) or not _BETA.match(each):
            yield Flaw(f"{path}[{index}]", "must be the name of a beta: letters, digits, dots and hyphens")


def _rounds(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_ROUNDS:
        yield Flaw(path, f"must be a whole number from 0 to {_MOST_ROUNDS}: how often a cut document is continued")


_MOST_ROUNDS: Final = 20


def _dollars(value: Json, path: str) -> Iterator[Flaw]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= _MOST_DOLLARS:
        yield Flaw(path, f"must be an amount of USD above 0, up to {_MOST_DOLLARS:,}")


_MOST_DOLLARS: Final = 1_000_000


def _cache(value: Json, path: str) -> Iterator[Flaw]:
    if value not in _CACHE:
        yield Flaw(path, f"must be {' or '.join(_CACHE)}: whether what requests share is to be cached where that pays")


_CACHE: Final = ("auto", "off")

SETTINGS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "model": PARAMETERS["model"],
        "max_tokens": PARAMETERS["max_tokens"],
        "system": PARAMETERS["system"],
        "params": mapping,
        "betas": _betas,
        "documents": yes_or_no,
        "files": yes_or_no,
        "budget": _dollars,
        "continue": _rounds,
        "expect": expectation.check,
        "cache": _cache,
        "lane": lanes.check_lane,
        "needed_by": lanes.check_needed_by,
    }
)
"""The settings of a job or a request, each with its check. A new one is a line here, and a use of it in `Requests`."""

_SHORTCUTS: Final = ("model", "max_tokens", "system")
"""Settings that are parameters of the API by the same name."""

_HINTS: Final = {
    ATTACH: "only the front matter of a .md or .txt file may attach files; here the contents go into messages",
    "job": "the job's settings are the first line of a file, alone",
    "body": "another vendor's format; here it is params, with the Messages API's parameters",
    "method": "another vendor's format; leave it out",
    "url": "another vendor's format; leave it out",
}


class Settings(NamedTuple):
    """The settings of one place: of the job, or of one request."""

    path: str
    params: dict[str, Json]
    shortcuts: dict[str, Json]
    betas: tuple[str, ...]
    documents: bool | None
    budget: Decimal | None
    rounds: int | None
    expect: Json
    cache: str | None
    lane: str | None
    needed_by: str | None
    flaws: list[Flaw]
    unsound: frozenset[str] = frozenset()
    """The parameters of the API among the flawed ones."""
    files: bool | None = None


NOTHING: Final = Settings("job", {}, {}, (), None, None, None, None, None, None, None, [])
"""Said nowhere."""


def read_settings(
    found: dict[str, Json], path: str, params_path: str = "params", beside: frozenset[str] = frozenset()
) -> Settings:
    """Check the settings of one place and take them in.

    Args:
        found: The object they stand in.
        path: What precedes their names in messages.
        params_path: The same for the names in `params`.
        beside: Keys of the object that are no settings.
    """
    flaws: list[Flaw] = []
    unsound: set[str] = set()
    for key, value in islice(found.items(), MOST_FLAWS):
        if key in SETTINGS:
            wrong = list(islice(SETTINGS[key](value, member(path, key)), MOST_FLAWS))
            if wrong:
                unsound.add(key)
                flaws += wrong
        elif key not in beside:
            flaws.append(Flaw(member(path, key), _stray(key)))
    params: dict[str, Json] = found["params"] if isinstance(found.get("params"), dict) else {}
    if path:
        params_path = f"{path}.{params_path}"
    for key, value in islice(params.items(), MOST_FLAWS):
        wrong = list(islice(check(key, value, params_path), MOST_FLAWS))
        if wrong:
            unsound.add(key)
            flaws += wrong
    betas = () if "betas" in unsound else tuple(found.get("betas", ()))
    shortcuts: dict[str, Json] = {key: found[key] for key in _SHORTCUTS if key in found}
    budget = None if "budget" in unsound or "budget" not in found else Decimal(str(found["budget"]))
    return Settings(
        path=params_path,
        params=params,
        shortcuts=shortcuts,
        betas=betas,
        documents=found.get("documents"),
        budget=budget,
        rounds=None if "continue" in unsound else found.get("continue"),
        expect=None if "expect" in unsound else found.get("expect"),
        cache=None if "cache" in unsound else found.get("cache"),
        lane=None if "lane" in unsound else found.get("lane"),
        needed_by=None if "needed_by" in unsound else found.get("needed_by"),
        flaws=flaws,
        unsound=frozenset(unsound),
        files=found.get("files"),
    )


def _stray(key: str) -> str:
    if key in PARAMETERS:
        return "not a setting; parameters of the Messages API go into params"
    return _HINTS.get(key, f"unknown setting; known are {', '.join(SETTINGS)}")
