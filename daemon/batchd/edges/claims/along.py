"""Files that are kept beside a claim for its job's folder: written while it is read, moved when it is accepted."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, Final, Self

from batchd.edges import disk
from batchd.edges.claims.claim import Claim

_ALONG: Final = ".along"


def going_along(claim: Claim) -> Iterator[str]:
    """Name what was kept beside a claim for its job's folder."""
    with suppress(FileNotFoundError), os.scandir(claim.folder / _ALONG) as entries:
        yield from sorted(entry.name for entry in entries if not entry.name.startswith("."))


def open_along(claim: Claim, name: str) -> BinaryIO:
    """Open what was kept beside a claim, for reading."""
    return (claim.folder / _ALONG / name).open("rb")


class Along:
    """Files that are kept beside a claim for its job's folder, written piece by piece; durable behind `finish`."""

    def __init__(self, claim: Claim) -> None:
        self._folder = claim.folder / _ALONG
        self._files: dict[str, BinaryIO] = {}
        with suppress(FileNotFoundError):  # what an earlier reading has written
            shutil.rmtree(self._folder)

    def write(self, name: str, piece: bytes) -> None:
        """Add a piece to a file."""
        if name not in self._files:
            self._folder.mkdir(mode=disk.PRIVATE_FOLDER, exist_ok=True)
            self._files[name] = (self._folder / name).open("xb")
        self._files[name].write(piece)

    def has(self, name: str) -> bool:
        """Whether anything was written to a file."""
        return name in self._files

    def finish(self) -> None:
        """Make all of them durable."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        if self._files:
            disk.sync_folder(self._folder)
            disk.sync_folder(self._folder.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()
