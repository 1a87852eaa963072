"""A claim: what was taken, alone in a folder of its own, with what was said to do with it."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISDIR
from typing import BinaryIO, Final

from batchd.edges import disk
from batchd.errors import Rejected
from batchd.model import Problem
from batchd.text.tickets import parted

INSTRUCTIONS: Final = ".instructions"
"""What a folder said to do with the file, when it was taken; it lies where that folder is in the claim."""

OWNER: Final = ".owner"
"""Of a claim by copy: the user whose the original was."""


@dataclass(frozen=True, slots=True)
class Given:
    """What was said to do with what was taken."""

    text: bytes
    folder: PurePosixPath
    """Whose instructions they are, below the inbox: that of the file, or one above."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A file or a bundle that was taken, alone in a folder of its own, below which it keeps its path."""

    id: str
    """Sorts by the time of taking."""
    folder: Path
    relative: PurePosixPath
    """Its path below the inbox, and now below `folder`."""
    size: int
    mode: int
    uid: int | None = None
    """Of the user who dropped it; None where that is not known any more."""

    @property
    def path(self) -> Path:
        """Where it lies now."""
        return self.folder / self.relative

    @property
    def called(self) -> PurePosixPath:
        """Its path below the inbox, without the ticket that it may have."""
        return parted(self.relative)[0]

    @property
    def ticket(self) -> str | None:
        """The ticket in its name; None where it has none."""
        return parted(self.relative)[1]

    @property
    def is_bundle(self) -> bool:
        """Whether it is a folder, all of which is one job."""
        return S_ISDIR(self.mode)


def owner(claimed: Path, stat: os.stat_result) -> int | None:
    """The user who dropped what lies in a claim.

    Args:
        claimed: The claim's folder.
        stat: Of what lies there, which may be a copy of ours.
    """
    try:
        return int((claimed / OWNER).read_bytes())
    except FileNotFoundError:
        return stat.st_uid
    except (OSError, ValueError):
        return None


def holds(claim: Claim) -> bool:
    """Whether what was taken still lies in its claim: it does not once it was moved on.

    Args:
        claim: From `claim` or `recover_claims`.
    """
    return os.path.lexists(claim.path)


def open_claim(claim: Claim) -> BinaryIO:
    """Open what was taken, for reading.

    Args:
        claim: From `claim` or `recover_claims`.

    Returns:
        A file, the caller's to close.

    Raises:
        Rejected: It is not a regular file, or its rights do not let us read it.
        OSError: The disk's fault.
    """
    try:
        return os.fdopen(disk.open_regular(claim.path), "rb")
    except OSError as error:
        if error.errno in disk.NOT_REGULAR:
            raise Rejected([Problem(0, "", "only regular files are taken")]) from None
        if error.errno == errno.EACCES:
            raise Rejected([Problem(0, "", "the daemon may not read this file: its rights forbid it")]) from None
        raise


def chunks(file: BinaryIO, size: int = 1 << 20) -> Iterator[bytes]:
    """Read a file piece by piece.

    Args:
        size: Bytes of a piece, but for the last.
    """
    while piece := file.read(size):
        yield piece


def instructed(claim: Claim) -> bool:
    """Whether anybody has said what is to be done with what was taken."""
    return any(os.path.lexists(claim.folder / above / INSTRUCTIONS) for above in claim.relative.parents)


def instructions(claim: Claim) -> Given | None:
    """Read what is to be done with what was taken; None where nobody has said.

    Raises:
        OSError: The disk's fault.
    """
    for above in claim.relative.parents:
        with suppress(FileNotFoundError):
            return Given((claim.folder / above / INSTRUCTIONS).read_bytes(), above)
    return None


def discard(claim: Claim) -> None:
    """Remove a claim whose file was moved on, or whose job is refused and lies in `rejected/`; twice does no harm.

    Args:
        claim: From `claim` or `recover_claims`.
    """
    try:
        for folder in claim.relative.parents:
            (claim.folder / folder).rmdir()
    except OSError:  # something else is in it, or nothing is left of it
        with suppress(FileNotFoundError):
            shutil.rmtree(claim.folder)
