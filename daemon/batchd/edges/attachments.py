"""Files that go along with a prompt, read below the folders that the settings allow, and nowhere else.

The patterns come with a request and are not trusted: no link is followed, each folder is opened from the one that holds
it, and only a file that is regular once it is open is read. All bounds are counts, so that the same tree is taken or
refused every time. It blocks: callers run it in a worker thread.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO, Final

from batchd.decisions.jobfile.attachment import ATTACH, Attached, Gathered
from batchd.edges import disk
from batchd.text.globs import Globs, Step
from batchd.text.strictjson import Flaw

MOST_FILES: Final = 10_000
"""Files of one request."""
MOST_NAMES: Final = 200_000
"""Names that are looked at for one request: of a large tree, this takes some seconds."""
DEEPEST: Final = 32
"""Folders below the allowed one."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_FLAWS: Final = 100
_BOM: Final = "\ufeff"


class _Enough(Exception):
    """A bound is reached: nothing more is looked at."""


def gather(folders: Iterable[Path], patterns: Sequence[str], most_bytes: int) -> Gathered:
    """Read the files that match some patterns.

    Args:
        folders: Allowed by the settings; the patterns are relative to each of them.

    Returns:
        The files, in no order; or what is wrong, by pattern: a pattern without a match, a file that cannot be read or
        is not text, too much of anything.
    """
    walk = _Walk(Globs(patterns), most_bytes)
    try:
        for folder in folders:
            walk.below(folder)
    except _Enough:
        return Gathered(flaws=tuple(walk.flaws))
    nothing = [
        Flaw(f"{ATTACH}[{number}]", "matches no file below the folders of attach.folders; links are not followed")
        for number in range(len(patterns))
        if number not in walk.matched
    ]
    # A pattern may match something in a folder that cannot be read.
    flaws = walk.flaws or nothing
    return Gathered(() if flaws else tuple(Attached(path, text) for path, text in walk.found.items()), tuple(flaws))


@dataclass(slots=True)
class _Walk:
    """One look at the allowed folders."""

    globs: Globs
    room: int
    """Bytes that may still be read."""
    found: dict[str, str] = field(default_factory=dict)
    matched: set[int] = field(default_factory=set)
    flaws: list[Flaw] = field(default_factory=list)
    names: int = 0

    def below(self, folder: Path) -> None:
        """Look into an allowed folder, which may itself be reached through links."""
        steps = self.globs.begin()
        try:
            with disk.opened(folder) as at:
                self._look(at, "", steps)
        except OSError as error:
            self._object(ATTACH, f"the folder {folder} of attach.folders cannot be read: {error.strerror}")

    def _look(self, folder: int, inside: str, steps: frozenset[Step], depth: int = 0) -> None:
        for name, mode in self._entries(folder):
            path = f"{inside}{name}"
            if S_ISDIR(mode) and (further := self.globs.enter(steps, name)):
                if depth == DEEPEST:
                    self._stop(further, f"goes more than {DEEPEST} folders deep, at {_shown(path)}; name a folder")
                self._enter(folder, name, path, further, depth + 1)
            elif S_ISREG(mode) and (patterns := self.globs.meant(steps, name)):
                self.matched |= patterns
                self._take(folder, name, path, f"{ATTACH}[{min(patterns)}]")

    def _entries(self, folder: int) -> Iterator[tuple[str, int]]:
        """Yield sorted names and their modes; all names are read first, so that few folders are open at one time."""
        with os.scandir(folder) as entries:
            found: list[str] = []
            for entry in entries:
                self.names += 1
                if self.names > MOST_NAMES:
                    said = f"more than {MOST_NAMES:,} names to look at; begin the patterns with narrower folders"
                    self._object(ATTACH, said)
                    raise _Enough
                found.append(entry.name)
        for name in sorted(found):
            if (stat := disk.stat_at(folder, name)) is not None:
                yield name, stat.st_mode

    def _enter(self, folder: int, name: str, path: str, steps: frozenset[Step], depth: int) -> None:
        try:
            below = os.open(name, _FOLDER, dir_fd=folder)
        except OSError as error:
            self._object(_field(steps), f"the folder {_shown(path)} cannot be read: {error.strerror}")
            return
        try:
            self._look(below, f"{path}/", steps, depth)
        except OSError as error:
            self._object(_field(steps), f"the folder {_shown(path)} cannot be read: {error.strerror}")
        finally:
            os.close(below)

    def _take(self, folder: int, name: str, path: str, place: str) -> None:
        if path in self.found:
            self._object(place, f"{_shown(path)} is in more than one of the folders of attach.folders; name only one")
            return
        if len(self.found) == MOST_FILES:
            self._object(place, f"more than {MOST_FILES:,} files; name fewer")
            raise _Enough
        try:
            with os.fdopen(disk.open_regular(name, folder=folder), "rb") as file:
                data = self._read(file)
        except OSError as error:
            self._object(place, f"{_shown(path)} cannot be read: {error.strerror}")
            return
        if self.room < 0:
            self._object(place, "together more bytes than one request may have; name fewer files, or smaller ones")
            raise _Enough
        try:
            self.found[path] = data.decode().removeprefix(_BOM)
        except UnicodeDecodeError:
            self._object(place, f"{_shown(path)} is not UTF-8; save it as UTF-8, or leave it out of the patterns")

    def _read(self, file: BinaryIO) -> bytes:
        """Read a file, or little more than there is room for: its size may be wrong, and it may grow."""
        pieces: list[bytes] = []
        while self.room >= 0 and (piece := file.read(disk.COPY_BYTES)):
            self.room -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _stop(self, steps: frozenset[Step], message: str) -> None:
        self._object(_field(steps), message)
        raise _Enough

    def _object(self, place: str, message: str) -> None:
        self.flaws.append(Flaw(place, message))
        if len(self.flaws) == _MOST_FLAWS:
            raise _Enough


def _field(steps: frozenset[Step]) -> str:
    return f"{ATTACH}[{min(step.pattern for step in steps)}]"


def _shown(path: str) -> str:
    return path if path.isprintable() else ascii(path)
