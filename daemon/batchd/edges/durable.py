"""What was changed becomes durable, much of it at one time: a sync of each file would be most of the work.

Where a `syncfs` is as good as an `fsync` of everything on a file system, one is made. It waits for whatever others have
written there and the disk has not, which may be gigabytes: where there is much of that, and wherever it cannot be
known, files are synced one by one, several at a time.

Everything here blocks: callers run it in a worker thread.
"""

import ctypes
import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import Final, Self

from batchd.edges import disk

FEW: Final = 2
"""Things up to which each is synced by itself: then what others write to the file system need not be waited for."""
CALM: Final = 128_000_000
"""Bytes that all of the machine may have written and not brought to a disk yet, where a `syncfs` is to be quick: a slow
disk takes two seconds or so for them."""
_SYNCS: Final = 8
"""Syncs at one time: a journal commits what waits for it in one go."""
_SYNCED_AS_ONE: Final = frozenset({0xEF53, 0x58465342, 0x9123683E, 0xF2F52010, 0x01021994})
"""Magic numbers (statfs(2)) of ext2 to ext4, XFS, Btrfs, F2FS and tmpfs: their `syncfs` leaves durable what `fsync` of
every file would. What lies behind a network or FUSE need not, and is synced file by file."""
_TELLS_ERRORS: Final = (5, 8)
"""The Linux from which on `syncfs` returns an error of writing back, as `fsync` does (syncfs(2))."""
_NODES: Final = Path("/sys/devices/system/node")
"""Where the kernel says what is not on a disk yet, also to a service that sees of `/proc` its processes alone."""
_UNWRITTEN: Final = re.compile(r"\b(?:Dirty|Writeback):\s+(\d+) kB")
_SYNC_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_syncs = ThreadPoolExecutor(_SYNCS, "syncs")


class Together:
    """Notes what is changed below some folders, and makes it durable by as few syncs as will do."""

    def __init__(self, *roots: Path) -> None:
        """Begin, before anything is changed: an error of writing back is told to those that were there before it.

        Args:
            roots: Trusted folders, in the order in which what was noted of them is synced, unless it is synced as one.

        Raises:
            OSError: One cannot be opened.
        """
        self._noted: dict[Path, dict[PurePosixPath, None]] = {root: {} for root in roots}
        self._made: dict[Path, dict[PurePosixPath, list[str]]] = {root: {} for root in roots}
        self._opened: dict[Path, int] = {}
        with ExitStack() as opening:
            for root in roots:
                with suppress(FileNotFoundError, NotADirectoryError):  # nothing below it can be lost
                    self._opened[root] = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                    opening.callback(os.close, self._opened[root])
            self._closing = opening.pop_all()

    def note(self, root: Path, inside: PurePosixPath = disk.HERE) -> None:
        """Take up a file or a folder that is to be durable; one that is gone when it comes to that is none.

        Args:
            root: One of the roots.
            inside: Its path below it.
        """
        self._noted[root].setdefault(inside)

    def note_made(self, root: Path, folder: PurePosixPath, names: Iterable[str]) -> None:
        """Take up files that were just made in a folder: each lies where that does.

        Args:
            root: One of the roots.
            folder: Its path below it.
            names: Of the files in it.
        """
        self._made[root].setdefault(folder, []).extend(names)

    def sync(self) -> None:
        """Make all that was noted since the last sync durable.

        Raises:
            OSError: The disk refuses: nothing of it may be taken for durable.
        """
        devices: dict[int, list[Path]] = {}
        for root, descriptor in self._opened.items():
            devices.setdefault(os.fstat(descriptor).st_dev, []).append(root)
        as_one: dict[Path, int] = {}
        for roots in devices.values():
            descriptor = self._opened[roots[0]]
            if sum(map(self._count, roots)) > FEW and syncs_as_one(descriptor):
                sync_file_system(descriptor)
                as_one |= dict.fromkeys(roots, os.fstat(descriptor).st_dev)
        for root in self._noted:
            all_done([partial(_sync_below, root, inside) for inside in self._apart(root, as_one.get(root))])
            self._noted[root].clear()
            self._made[root].clear()

    def _count(self, root: Path) -> int:
        return len(self._noted[root]) + sum(map(len, self._made[root].values()))

    def _apart(self, root: Path, synced: int | None) -> Iterator[PurePosixPath]:
        """What below a root is to be synced by itself.

        Args:
            root: It.
            synced: Its device, where that was synced as a whole.
        """
        for inside in self._noted[root]:
            if synced is None or self._elsewhere(root, inside, synced):
                yield inside
        for folder, names in self._made[root].items():
            if synced is None or self._elsewhere(root, folder, synced):
                yield from (folder / name for name in names)

    def _elsewhere(self, root: Path, inside: PurePosixPath, device: int) -> bool:
        """Whether another file system is mounted on the way to something."""
        try:
            return os.stat(inside, dir_fd=self._opened[root], follow_symlinks=False).st_dev != device
        except OSError:  # it is gone, or hidden from us: told by its own sync
            return True

    def close(self) -> None:
        """Let go of the roots."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sync_below(root: Path, inside: PurePosixPath) -> None:
    try:
        with disk.opened(root, inside.parent) as folder:
            descriptor = os.open(inside.name or ".", _SYNC_FLAGS, dir_fd=folder)
    except OSError as error:
        # Where it is gone, or another thing now, no name leads to it that could be lost.
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EACCES}:
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def all_done(syncs: Sequence[Callable[[], None]]) -> None:
    """Make syncs, several at one time, each of them whatever becomes of the others.

    Raises:
        OSError: Of the first that failed.
    """
    troubles = [trouble for trouble in _syncs.map(_trouble, syncs) if trouble is not None]
    if troubles:
        raise troubles[0]


def _trouble(sync: Callable[[], None]) -> OSError | None:
    try:
        sync()
    except OSError as trouble:
        return trouble
    return None


def syncs_as_one(folder: int) -> bool:
    """Whether the file system of a folder can be made durable as one now: soon, and with every error told."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if release is None or tuple(map(int, release.groups())) < _TELLS_ERRORS:
        return False
    # The first member of struct statfs is its type, a long on Linux; the whole has 120 bytes at the most.
    told = (ctypes.c_long * 32)()
    return _libc().fstatfs(folder, told) == 0 and told[0] in _SYNCED_AS_ONE and calm()


def calm() -> bool:
    """Whether little waits to be written to the disks of this machine, whoever wrote it; False where nobody tells."""
    said = list(_said_of_memory())
    return bool(said) and sum(said) * 1024 <= CALM


def _said_of_memory() -> Iterator[int]:
    with suppress(OSError):
        files: Iterable[Path] = [node / "meminfo" for node in _NODES.glob("node*")] or [Path("/proc/meminfo")]
        for file in files:
            yield from map(int, _UNWRITTEN.findall(file.read_text("ascii")))


def sync_file_system(folder: int) -> None:
    """Make everything durable that was written to the file system of a folder.

    Args:
        folder: A descriptor that was opened before the writing, so that errors since then are told.

    Raises:
        OSError: Something could not be written, of whoever's.
    """
    if _libc().syncfs(folder) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
