"""Many whole files that become durable together: a sync of each, one after the other, would be most of the work.

All are written under hidden names first, then all are made durable, and only then do they get their names. So a name
stands for the whole file, also after a power cut. A crash in between leaves hidden files, which are written anew when
the same files are.

Everything here blocks: callers run it in a worker thread.
"""

import ctypes
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from itertools import groupby, islice
from pathlib import Path, PurePosixPath
from typing import Final

from batchd.edges import disk

FEW: Final = 2
"""Files up to which each is synced by itself: then what others write to the file system need not be waited for."""
_OPEN: Final = 32
"""Files that are open at one time, written and still to be synced."""
_SYNCS: Final = 4
"""Syncs at one time: a journal commits what waits for it in one go."""
_SYNCED_AS_ONE: Final = frozenset({0xEF53, 0x58465342, 0x9123683E, 0xF2F52010, 0x01021994})
"""Magic numbers (statfs(2)) of ext2 to ext4, XFS, Btrfs, F2FS and tmpfs: their `syncfs` leaves durable what `fsync` of
every file would. What lies behind a network or FUSE need not, and is synced file by file."""
_TELLS_ERRORS: Final = (5, 8)
"""The Linux from which on `syncfs` returns an error of writing back, as `fsync` does (syncfs(2))."""

_syncs = ThreadPoolExecutor(_SYNCS, "syncs")


def write_together(root: Path, inside: PurePosixPath, files: Sequence[tuple[str, str]]) -> None:
    """Write files, make their bytes durable, and give them their names, replacing what had them.

    The names themselves are durable once their folders are synced, which is the caller's to do.

    Args:
        root: A trusted folder.
        inside: The folder below it to which the names are relative; what is missing on the way is made (0700).
        files: Names and texts; the last of several texts of one name stays.

    Raises:
        OSError: The disk refuses. Some of the files may have their names already, each of them whole.
    """
    try:
        _write_hidden(root, inside, files)
    except BaseException:
        with suppress(OSError):
            for folder, name, _ in _placed(root, inside, files):
                disk.unlink_at(folder, disk.hidden(name))
        raise
    for folder, name, _ in _placed(root, inside, {name: "" for name, _ in files}.items()):
        os.rename(disk.hidden(name), name, src_dir_fd=folder, dst_dir_fd=folder)


def _write_hidden(root: Path, inside: PurePosixPath, files: Sequence[tuple[str, str]]) -> None:
    with disk.opened(root) as whole:
        as_one = len(files) > FEW and syncs_as_one(whole)
        placed = _placed(root, inside, files)
        # In portions, so that no more descriptors are open than that.
        while portion := [_written(*each, stay_open=not as_one) for each in islice(placed, _OPEN)]:
            _sync_and_close([descriptor for descriptor in portion if descriptor is not None])
        if as_one:
            sync_file_system(whole)


def _placed(root: Path, inside: PurePosixPath, files: Iterable[tuple[str, str]]) -> Iterator[tuple[int, str, str]]:
    """Each file's folder, opened once for those of it that follow one another, its name in that, and its text."""
    for folder, those in groupby(files, lambda each: PurePosixPath(each[0]).parent):
        with disk.opened(root, inside / folder, create=True) as at:
            for name, text in those:
                yield at, PurePosixPath(name).name, text


def _written(folder: int, name: str, text: str, *, stay_open: bool) -> int | None:
    """Write a file under its hidden name; returns its descriptor where that is to stay open."""
    descriptor = disk.open_new(folder, disk.hidden(name))
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as whole:
            whole.write(text.encode())
    except BaseException:
        os.close(descriptor)
        raise
    if stay_open:
        return descriptor
    os.close(descriptor)
    return None


def _sync_and_close(descriptors: Sequence[int]) -> None:
    """Sync files, several at one time, and close them all, whatever becomes of the others."""
    try:
        troubles = [trouble for trouble in _syncs.map(_sync, descriptors) if trouble is not None]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    if troubles:
        raise troubles[0]


def _sync(descriptor: int) -> OSError | None:
    try:
        os.fsync(descriptor)
    except OSError as trouble:
        return trouble
    return None


def syncs_as_one(folder: int) -> bool:
    """Whether the file system of a folder can be made durable as one, with every error told."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if release is None or tuple(map(int, release.groups())) < _TELLS_ERRORS:
        return False
    # The first member of struct statfs is its type, a long on Linux; the whole has 120 bytes at the most.
    told = (ctypes.c_long * 32)()
    return _libc().fstatfs(folder, told) == 0 and told[0] in _SYNCED_AS_ONE


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
