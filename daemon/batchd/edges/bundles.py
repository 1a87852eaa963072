"""Folders that are one job each: how far they have come while they are dropped, and what they hold once taken.

All of it blocks: callers run it in a worker thread.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISLNK, S_ISREG, S_ISSOCK
from typing import BinaryIO, Final

from batchd.decisions.bundle.contents import LONGEST_PATH, MOST_BYTES, MOST_FILES, is_bundle, prompt_of
from batchd.edges import disk, trees
from batchd.model import Problem
from batchd.text.litter import ignored

_MOST_NAMES: Final = 2 * MOST_FILES
"""Names that are looked at: of more than enough, none is worth another look."""
_MOST_PROBLEMS: Final = 1_000
_LONGEST_PROMPT: Final = 1_000_000
_TICK: Final = 20_000_000
"""Nanoseconds by which times of one moment may differ: a kernel counts in ticks."""
_KINDS: Final = (
    (S_ISLNK, "a symbolic link"),
    (S_ISFIFO, "a named pipe"),
    (S_ISSOCK, "a socket"),
    (S_ISBLK, "a device"),
    (S_ISCHR, "a device"),
)


@dataclass(frozen=True, slots=True)
class Tree:
    """How a bundle stands in the inbox; two are equal where nothing has changed between them."""

    state: bytes
    """Of all names, sizes, times and inodes."""
    prompt: str | None
    """At its top; None while there is none."""
    renamed: bool = field(default=False, compare=False)
    """Whether it came under its name as a whole, by a rename, behind which nothing was written."""


def look_at(parent: int, name: str) -> Tree:
    """Look at a bundle that is perhaps still being written.

    Args:
        parent: A descriptor of the folder that holds it.

    Raises:
        OSError: It has vanished, or may not be looked into.
    """
    state, tops, newest = blake2b(digest_size=16), [], 0
    with trees.opened_below(parent, name) as folder:
        for number, each in enumerate(trees.walk(folder)):
            if number == _MOST_NAMES:
                break
            if isinstance(each, trees.Closed):
                continue
            stat = each.stat
            told = f"{each.path}\0{stat.st_ino}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_mode}\n"
            state.update(os.fsencode(told))
            newest = max(newest, stat.st_ctime_ns)
            if "/" not in each.path and S_ISREG(stat.st_mode) and not ignored(each.path):
                tops.append(each.path)
        top, above = os.fstat(folder), os.fstat(parent)
    # A rename changes the folder's own times, but for that of its last entry, at the moment that it changes the parent.
    renamed = max(newest, top.st_mtime_ns + 1) <= top.st_ctime_ns <= above.st_mtime_ns + _TICK
    return Tree(state.digest(), prompt_of(tops), renamed)


def has_writer(inbox: Path, relative: PurePosixPath) -> bool:
    """Whether a local process has a file of a bundle open for writing.

    Args:
        relative: Its path below the inbox.
    """
    with disk.opened(inbox, relative) as folder:
        return _has_writer(folder, 0)


def _has_writer(folder: int, depth: int) -> bool:
    for name in trees.names_in(folder):
        stat = disk.stat_at(folder, name)
        if stat is not None and S_ISREG(stat.st_mode) and disk.has_writer(name, folder=folder):
            return True
        if stat is not None and S_ISDIR(stat.st_mode) and depth < trees.DEEPEST:
            with suppress(OSError), trees.opened_below(folder, name) as below:
                if _has_writer(below, depth + 1):
                    return True
    return False


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bundle that was taken holds."""

    files: dict[str, int]
    """The size in bytes of each file that counts, by its path."""
    problems: list[Problem]
    """Why it cannot be taken, each with its path; the first of them."""


class Bundle:
    """A bundle that was taken, open: what it holds is read below its own folder, and nowhere else."""

    def __init__(self, folder: int) -> None:
        self._folder = folder

    def contents(self) -> Contents:
        """Look through it."""
        found = Contents({}, [])
        total = 0
        for each in trees.walk(self._folder):
            if any(ignored(part) for part in each.path.split("/")):
                continue
            if isinstance(each, trees.Closed):
                _object(found, each.path, f"the folder cannot be read: {each.error.strerror}")
                continue
            if said := _wrong_path(each.path) or _wrong_kind(each):
                _object(found, each.path, said)
                continue
            if each.is_folder:
                continue
            total += each.stat.st_size
            found.files[each.path] = each.stat.st_size
            if len(found.files) > MOST_FILES:
                _object(found, each.path, f"more than {MOST_FILES:,} files in one bundle; make several of it")
                break
            if total > MOST_BYTES:
                _object(found, each.path, f"more than {MOST_BYTES:,} bytes in one bundle; make several of it")
                break
            if len(found.problems) >= _MOST_PROBLEMS:
                break
        return found

    def prompt(self) -> bytes | None:
        """Read its prompt; None where it has none any more."""
        path = prompt_of(name for name in trees.names_in(self._folder) if not ignored(name))
        return None if path is None else self.read(path, _LONGEST_PROMPT)

    @contextmanager
    def opened(self, path: str) -> Iterator[BinaryIO]:
        """Open a file of it for reading.

        Raises:
            OSError: There is no regular file of that path, or it is reached by a link.
        """
        with os.fdopen(trees.open_below(self._folder, path), "rb") as file:
            yield file

    def pieces(self, path: str) -> Iterator[bytes]:
        """Read a file of it, piece by piece."""
        with self.opened(path) as file:
            while piece := file.read(disk.COPY_BYTES):
                disk.stop_if_told()
                yield piece

    def read(self, path: str, most: int) -> bytes:
        """Read a file of it whole; of a longer one, a byte more than the most."""
        with self.opened(path) as file:
            return file.read(most + 1)


@contextmanager
def opened(path: Path) -> Iterator[Bundle]:
    """Open a bundle that was taken.

    Args:
        path: Where it lies, below folders of our own.

    Raises:
        OSError: It is no folder, or may not be looked into.
    """
    with disk.opened(path.parent) as parent, trees.opened_below(parent, path.name) as folder:
        yield Bundle(folder)


def _wrong_path(path: str) -> str:
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "the name is not UTF-8; rename it"
    return f"a path of {size:,} bytes; at most {LONGEST_PATH:,} are taken" if size > LONGEST_PATH else ""


def _wrong_kind(each: trees.Leaf) -> str:
    if each.is_folder:
        if is_bundle(each.path):
            return "a bundle within a bundle; drop each by itself"
        return f"folders are nested deeper than {trees.DEEPEST}" if each.path.count("/") >= trees.DEEPEST else ""
    if S_ISREG(each.stat.st_mode):
        return ""
    kind = next((name for test, name in _KINDS if test(each.stat.st_mode)), "something else")
    return f"only regular files are taken; this is {kind}"


def _object(found: Contents, path: str, message: str) -> None:
    shown = path if path.isprintable() else ascii(path)
    found.problems.append(Problem(0, shown, message))
