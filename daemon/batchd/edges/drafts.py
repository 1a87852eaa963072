"""Drafts: the text of documents between two rounds, one file a round. A draft counts from the commit that names it."""

import os
from pathlib import Path

import msgspec

from batchd.decisions.document.draft import NOTHING, Draft
from batchd.edges import disk
from batchd.model import RequestId
from batchd.text import typed


class Drafts:
    """A private folder of drafts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, request: RequestId, round_: int) -> Draft:
        """Read how far a document had come before a round; before round 0, the first, there is nothing."""
        if not round_:
            return NOTHING
        return typed.decode((self._folder / f"{request}.{round_}").read_bytes(), Draft)

    def write(self, request: RequestId, round_: int, draft: Draft) -> None:
        """Write durably how far a document has come before a round; writing twice changes nothing."""
        with disk.opened(self._folder, create=True) as folder:
            disk.write_whole(folder, f"{request}.{round_}", [msgspec.json.encode(draft)])
            os.fsync(folder)

    def discard(self, request: RequestId, rounds: int) -> None:
        """Remove the drafts of a document before each of its first rounds, and the one that a crash may have left."""
        if not disk.may_remove(self._folder.parent):
            return
        for round_ in range(1, rounds + 2):
            (self._folder / f"{request}.{round_}").unlink(missing_ok=True)
