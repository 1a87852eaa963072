"""What the outbox knows of the state folder: `outbox/.batchd.json`, which an older state folder contradicts.

It is written and synced before each create, so a database that has fewer intents than it tells was restored, or lost
its last commits: what was paid since, it does not know.
"""

import os
from pathlib import Path

import msgspec

from batchd.edges import disk
from batchd.text import typed

_STEM, _SUFFIX = ".batchd", ".json"
NAME = f"{_STEM}{_SUFFIX}"
_LONGEST = 4_096


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """What is known of the state that filled an outbox."""

    installation: str
    """Its tag."""
    epoch: int
    """How often it was restored."""
    intents: int
    """How many creates, and messages of the sync lane, it has begun."""


def read(outbox: Path) -> Evidence | None:
    """Read what an outbox tells of its state; None where it tells nothing, or nothing that can be read.

    Raises:
        OSError: The disk refuses.
    """
    names = sorted(path.name for path in outbox.glob(f"{_STEM}.*{_SUFFIX}"))
    found = [said for name in (NAME, *names) if (said := _read(outbox / name)) is not None]
    own = [said for said in found if said.installation == found[0].installation]
    return max(own, key=lambda said: (said.epoch, said.intents), default=None)


def _read(path: Path) -> Evidence | None:
    try:
        descriptor = disk.open_regular(path)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        said = file.read(_LONGEST)
    try:
        return typed.decode(said, Evidence)
    except msgspec.DecodeError:
        return None


def write(outbox: Path, evidence: Evidence, worker: int = 0) -> None:
    """Replace it, durably; of many workers each has a file of its own, so that none takes back what another has told.

    Raises:
        OSError: The disk refuses; what it told before stands.
    """
    with disk.opened(outbox) as folder:
        disk.write_whole(
            folder, f"{_STEM}.{worker}{_SUFFIX}" if worker else NAME, [msgspec.json.encode(evidence) + b"\n"]
        )
    disk.sync_folder(outbox)
