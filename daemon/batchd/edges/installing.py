"""Files of ours in folders of the system: written whole, and never over what somebody has changed.

The first line of each holds the digest of all others, so that a change is seen without a record elsewhere.
"""

import hashlib
import os
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

from batchd.errors import Unusable

_MARK: Final = "# Written by `batchd service install`. SHA-256 of what follows: "


class Standing(StrEnum):
    """What lies where a file of ours belongs."""

    ABSENT = "absent"
    CURRENT = "current"
    """As it would be written now."""
    OUTDATED = "outdated"
    """As it was written once, by another release or for another command."""
    CHANGED = "changed"
    """Somebody else's: changed, put there by hand, or a link."""


def marked(text: str) -> str:
    """Return the text as it is written: with its digest before it."""
    return f"{_MARK}{_digest(text)}\n{text}"


def standing(path: Path, text: str) -> Standing:
    """Look what lies there.

    Args:
        path: Where the file belongs.
        text: What it would say, without its digest.

    Raises:
        OSError: It cannot be read.
    """
    try:
        found = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return Standing.ABSENT
    except OSError:
        if path.is_symlink():  # as of `systemctl mask`
            return Standing.CHANGED
        raise
    with os.fdopen(found, "rb") as file:
        lies_there = file.read().decode(errors="replace")
    if lies_there == marked(text):
        return Standing.CURRENT
    first, _, rest = lies_there.partition("\n")
    return Standing.OUTDATED if first == f"{_MARK}{_digest(rest)}" else Standing.CHANGED


def write(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Put a file there that is seen whole or not at all, with the folders above it.

    Args:
        path: Where the file belongs.
        text: What it says, without its digest.
        mode: Who may read it, whatever the umask.

    Raises:
        OSError: It cannot be written.
    """
    _make_folders(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, mode)
            file.write(marked(text))
            file.flush()
            os.fsync(descriptor)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Take a file away.

    Raises:
        OSError: It cannot be removed.
    """
    with suppress(FileNotFoundError):
        path.unlink()


def beside(path: Path) -> Path:
    """Name the file that holds what would have been written over a changed one."""
    return path.with_name(f"{path.name}.new")


def _make_folders(folder: Path) -> None:
    """Make what is missing, for all to look into, whatever the umask."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        try:
            each.mkdir()
        except FileExistsError:
            raise Unusable(f"{each}: something else lies where a folder has to be") from None
        each.chmod(0o755)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
