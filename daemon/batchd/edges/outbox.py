"""The private folder of results: a file in it is whole as soon as it has its name, or grows by whole lines.

Names come from outside and are made safe here. Folders and files are opened without following links, so that nothing is
ever written outside the outbox. All of it blocks: callers run it in a worker thread. After an `OSError` of a sync
nothing may be taken for written.
"""

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import BinaryIO

from batchd.edges import direct, disk, trees
from batchd.edges.whole_files import give_names, write_hidden
from batchd.text import safepath

RESULTS = "results.jsonl"
_EVENTS = re.compile(r"events\.jsonl(\.\d+)?", re.IGNORECASE)
_RESERVED = frozenset({"rejected", "paused.json"})
_BUNDLE = "request"
_JOB_FILES = re.compile(
    r"documents|amendments|request(\..*)?|(results|failures|report|rows|rejects|superseded)\.jsonl|(results|rejects)\.[ct]sv"
    r"|(job|held)\.json|instructions\.md|files\.csv",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a piece went in an append-only file."""

    start: int
    """The length that was asked for, unless somebody had shortened the file, or the separator it then needed."""
    end: int
    """The length to commit now."""


def prepare(folder: Path) -> None:
    """Make the outbox, or the state folder, if it is missing: nobody else may look in (0700).

    Raises:
        Unusable: It cannot be made.
    """
    disk.prepare(folder)


def choose_name(
    outbox: Path,
    wanted: PurePosixPath | str,
    taken: Callable[[str], bool],
    own: Callable[[str], bool] = lambda _: False,
) -> str:
    """Find a name for a job that neither a job nor a folder has; `-2`, `-3`, … are tried in turn.

    Args:
        wanted: The source's path below the inbox, without its extension.
        taken: Whether another job has this name, in the store.
        own: Whether a folder that is there is what the very same job has left there before.

    Returns:
        A path below the outbox, of safe components.

    Raises:
        OSError: The outbox cannot be read.
    """
    *queue, last = safepath.components(PurePosixPath(wanted))
    parent = ""
    for part in queue:
        parent = _first(parent, part, lambda whole: _kind(outbox, whole) is _Kind.OTHER, taken)

    def occupied(whole: str) -> bool:
        kind = _kind(outbox, whole)
        return taken(whole) or kind is _Kind.OTHER or (kind is _Kind.FOLDER and not own(whole))

    return _first(parent, last, occupied, taken)


def _first(parent: str, wanted: str, occupied: Callable[[str], bool], taken: Callable[[str], bool]) -> str:
    def below(name: str) -> str:
        return f"{parent}/{name}" if parent else name

    return below(safepath.first_free(wanted, "", lambda name: _reserved(parent, name, taken) or occupied(below(name))))


def _reserved(parent: str, name: str, taken: Callable[[str], bool]) -> bool:
    """Names that a job may not have here: the folder of refusals, and what another job's folder holds."""
    if not parent:
        return name.casefold() in _RESERVED or _EVENTS.fullmatch(name) is not None
    return _JOB_FILES.fullmatch(name) is not None and taken(parent)


class _Kind(Enum):
    """What has a name in the outbox already."""

    FREE = auto()
    """Nothing, or an empty folder."""
    FOLDER = auto()
    OTHER = auto()
    """A link, or a file of somebody's."""


def _kind(outbox: Path, inside: str) -> _Kind:
    try:
        with disk.opened(outbox, PurePosixPath(inside)) as at, os.scandir(at) as entries:
            return _Kind.FREE if next(entries, None) is None else _Kind.FOLDER
    except FileNotFoundError:
        return _Kind.FREE
    except NotADirectoryError:
        return _Kind.OTHER
    except OSError as error:
        if error.errno == errno.ELOOP:
            return _Kind.OTHER
        raise


@dataclass(frozen=True, slots=True)
class JobFolder:
    """The folder of one job in the outbox.

    The file names given to it must be safe already: relative paths that lead nowhere else.
    """

    outbox: Path
    name: str
    """From `choose_name`."""

    @property
    def path(self) -> Path:
        """Where it is, for showing."""
        return self.outbox / self.name

    def create(self, *, sync: bool = True) -> None:
        """Make the folder (0700); idempotent.

        Args:
            sync: Whether its name is durable afterwards; otherwise that is the caller's to do.

        Raises:
            OSError: Something else has the name, or the disk refuses.
        """
        with disk.opened(self.outbox, PurePosixPath(self.name), create=True, sync=sync):
            pass

    def place_request(self, source: Path, extension: str, *, sync: bool = True) -> None:
        """Move the job's file to `request.<extension>`; idempotent.

        Args:
            source: The claimed file, which is gone afterwards.
            extension: Of the file as it was dropped, with or without its dot.
            sync: Whether its new name is durable afterwards, and the end of the old one; otherwise that is the
                caller's to do.

        Raises:
            OSError: The disk refuses; the file is still in one place at least.
        """
        final = safepath.component(f"request.{extension.lstrip('.')}".rstrip("."))
        with disk.opened(self.outbox, PurePosixPath(self.name), create=True, sync=sync) as folder:
            try:
                os.rename(source, final, dst_dir_fd=folder)
            except FileNotFoundError:
                if disk.stat_at(folder, final) is None:
                    raise
                # A repetition: the name may have its file since a sync of it has failed.
                if sync:
                    os.fsync(folder)
                return
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                descriptor = disk.open_regular(source)
                try:
                    disk.copy_whole(descriptor, folder, final)
                finally:
                    os.close(descriptor)
                os.fsync(folder)
                source.unlink()
            else:
                if sync:
                    os.fsync(folder)
            if sync:
                disk.sync_folder(source.parent)

    def place_bundle(self, source: Path, to: str = _BUNDLE) -> None:
        """Move the job's bundle to `request/`, or another that came to it, durably; idempotent.

        Args:
            source: The claimed folder, which is gone afterwards.
            to: Where it goes.

        Raises:
            OSError: The disk refuses; the bundle is still in one place at least.
        """
        with self._parent(to) as (folder, name):
            if disk.stat_at(folder, name) is None:
                self._move_tree(source, folder, name)
                os.fsync(folder)
            trees.remove(folder, disk.hidden(name))
        trees.remove_path(source)
        disk.sync_folder(source.parent)

    @staticmethod
    def _move_tree(source: Path, folder: int, name: str) -> None:
        try:
            os.rename(source, name, dst_dir_fd=folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            half = disk.hidden(name)
            trees.remove(folder, half)
            os.mkdir(half, disk.PRIVATE_FOLDER, dir_fd=folder)
            with disk.opened(source) as original, trees.opened_below(folder, half) as copied:
                disk.share(copied, folder)
                trees.copy(original, copied)
            os.rename(half, name, src_dir_fd=folder, dst_dir_fd=folder)

    def append(self, file: str, committed: int, chunks: Sequence[bytes], *, sync: bool = True) -> Appended:
        """Append whole lines to a file and sync it. What a crash has left beyond the committed length is cut off first.

        Args:
            committed: Its length in bytes, as last returned; 0 at first.
            sync: Whether that is not left to the caller, for the file and its folder.

        Returns:
            Where they went. Nothing counts as written until `end` is committed.

        Raises:
            OSError: The disk refuses, or the name is no regular file; repeat with the same committed length.
        """
        with self._parent(file) as (folder, name):
            new = disk.stat_at(folder, name) is None
            descriptor = _open_growing(folder, name)
            try:
                if new:
                    disk.share(descriptor, folder)
                start = min(os.fstat(descriptor).st_size, committed)
                os.ftruncate(descriptor, start)
                if start < committed:
                    start = _begin_line(descriptor, start)
                end = direct.write_at(descriptor, start, chunks)
                if sync:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if new and sync:
                os.fsync(folder)
        return Appended(start, end)

    def write_whole(self, file: str, chunks: Iterable[bytes]) -> int:
        """Write a file under a temporary name, sync it, and give it its own name, replacing what had it.

        The name itself is durable only after `sync` with it, so that many files can share one.

        Returns:
            Its length in bytes.

        Raises:
            OSError: The disk refuses; nothing has changed under the name.
        """
        with self._parent(file) as (folder, name):
            return disk.write_whole(folder, name, chunks)

    def write_hidden(self, files: Sequence[tuple[str, str]]) -> None:
        """Write whole files that have no names yet; syncing them is the caller's to do.

        Args:
            files: Names and texts.

        Raises:
            OSError: The disk refuses; each name has what it had.
        """
        write_hidden(self.outbox, PurePosixPath(self.name), files)

    def give_names(self, names: Iterable[str]) -> None:
        """Give files that are durable the names for which they were written; syncing the names is the caller's to do.

        Raises:
            OSError: The disk refuses; each name has what it had, or the whole new file.
        """
        give_names(self.outbox, PurePosixPath(self.name), names)

    def inside(self, file: str = "") -> PurePosixPath:
        """The path of a file of its below the outbox, or its own."""
        return PurePosixPath(self.name) / file

    @contextmanager
    def reading(self, file: str) -> Iterator[BinaryIO | None]:
        """Open a file to read it; None where it is missing.

        Raises:
            OSError: It is no regular file, or cannot be read.
        """
        with self._parent(file) as (folder, name):
            try:
                descriptor = disk.open_regular(name, folder=folder)
            except FileNotFoundError:
                yield None
                return
            with os.fdopen(descriptor, "rb") as opened:
                yield opened

    def remove(self, file: str) -> None:
        """Remove a file, if it is there."""
        with self._parent(file) as (folder, name):
            disk.unlink_at(folder, name)

    def sync(self, files: Iterable[str] = ()) -> None:
        """Make names in the folder survive a power cut: those in it itself, and all on the way to some files below it.

        Raises:
            OSError: The disk refuses: nothing written since the last sync may be taken for durable.
        """
        folders = {folder for file in files for folder in PurePosixPath(file).parents} | {disk.HERE}
        # The deepest first: a name is never durable before what it leads to.
        for inside in sorted(folders, key=lambda folder: (-len(folder.parts), folder)):
            with disk.opened(self.outbox, PurePosixPath(self.name) / inside) as folder:
                os.fsync(folder)

    @contextmanager
    def _parent(self, file: str) -> Iterator[tuple[int, str]]:
        path = PurePosixPath(file)
        own = PurePosixPath(self.name)
        with disk.opened(self.outbox, own / path.parent, create=True, shared_below=len(own.parts)) as folder:
            yield folder, path.name


def _open_growing(folder: int, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, disk.PRIVATE_FILE, dir_fd=folder)
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", name)
    return descriptor


def _begin_line(descriptor: int, length: int) -> int:
    """End the last line of a file that somebody has cut, so that the next one does not continue it."""
    if length == 0 or os.pread(descriptor, 1, length - 1) == b"\n":
        return length
    return length + os.pwrite(descriptor, b"\n", length)
