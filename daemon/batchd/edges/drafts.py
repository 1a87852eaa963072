"""The edge to drafts: documents between two rounds, one file a round, which counts from the commit that names it."""

import os
from pathlib import Path

import msgspec

from batchd.edges import disk
from batchd.model import RequestId


class Draft(msgspec.Struct, frozen=True):
    """A document between two rounds."""

    kept: str
    """As it was sent."""
    dropped: str
    """What was cut off behind it, to be written again."""
    ended: bool
    """Whether the model had ended it, and it was short of what was expected."""
    prompt_tokens: int
    """Of the first round."""
    seams: tuple[int, ...] | None = None
    """How long it was in each round that left its prefix in the cache; None while none did."""

    @property
    def text(self) -> str:
        """All that was written so far."""
        return self.kept + self.dropped


NOTHING = Draft("", "", ended=False, prompt_tokens=0)
"""Before the first round."""


class Drafts:
    """The folder of them."""

    def __init__(self, folder: Path) -> None:
        """Open it.

        Args:
            folder: Private, and there.
        """
        self._folder = folder

    def read(self, request: RequestId, round_: int) -> Draft:
        """Read how far a document had come before a round.

        Args:
            request: Whose.
            round_: From 1; 0 is the first, before which there is nothing.
        """
        if not round_:
            return NOTHING
        return msgspec.json.decode((self._folder / f"{request}.{round_}").read_bytes(), type=Draft)

    def write(self, request: RequestId, round_: int, draft: Draft) -> None:
        """Write down how far a document has come, durably; written again, it is the same.

        Args:
            request: Whose.
            round_: The one that follows.
            draft: How far.
        """
        with disk.opened(self._folder, create=True) as folder:
            disk.write_whole(folder, f"{request}.{round_}", [msgspec.json.encode(draft)])
            os.fsync(folder)

    def discard(self, request: RequestId) -> None:
        """Remove all drafts of a document.

        Args:
            request: Whose.
        """
        for draft in self._folder.glob(f"{request}.*"):
            draft.unlink(missing_ok=True)
