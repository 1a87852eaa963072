"""Whole folders, as the edges take and move them: walked, copied, synced and removed without following any link.

Whoever dropped a folder may still hold it open, and change it at any time: each folder is opened from the one that
holds it, and nothing is taken for what it was a moment ago. All of it blocks: callers run it in a worker thread.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_IFMT, S_ISDIR, S_ISLNK, S_ISREG
from typing import Final

from batchd.edges import disk

DEEPEST: Final = 32
"""Folders below the first."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Leaf:
    """Whatever lies in a tree; folders come before what is in them."""

    path: str
    """Relative; bytes that are not UTF-8 are surrogate-escaped."""
    stat: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, and no link to one."""
        return S_ISDIR(self.stat.st_mode)


@dataclass(frozen=True, slots=True)
class Closed:
    """A folder that could not be looked into."""

    path: str
    error: OSError


def walk(folder: int, inside: str = "", depth: int = 0) -> Iterator[Leaf | Closed]:
    """Look at everything in a folder and below, by name; folders nested deeper than `DEEPEST` are not looked into.

    Args:
        folder: A descriptor, the caller's to close.
        inside: Its path, for those of what is in it.
        depth: How many folders it lies below the first.

    Yields:
        What is there at that moment; what vanishes meanwhile is passed over.
    """
    for name in names_in(folder):
        stat = disk.stat_at(folder, name)
        if stat is None:
            continue
        path = f"{inside}{name}"
        yield Leaf(path, stat)
        if not S_ISDIR(stat.st_mode) or depth >= DEEPEST:
            continue
        try:
            below = os.open(name, _FOLDER, dir_fd=folder)
        except OSError as error:
            if error.errno != errno.ENOENT:
                yield Closed(path, error)
            continue
        try:
            yield from walk(below, f"{path}/", depth + 1)
        except OSError as error:
            yield Closed(path, error)
        finally:
            os.close(below)


def open_below(folder: int, path: str) -> int:
    """Open a regular file of a tree for reading, from folder to folder, following no link.

    Args:
        folder: A descriptor.
        path: Relative to it.

    Returns:
        A descriptor, the caller's to close.

    Raises:
        OSError: A component is missing or a link, or it is no regular file.
    """
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise OSError(errno.EINVAL, "not below its folder", path)
    at = os.dup(folder)
    try:
        for part in parts[:-1]:
            below = os.open(part, _FOLDER, dir_fd=at)
            os.close(at)
            at = below
        return disk.open_regular(parts[-1], folder=at)
    finally:
        os.close(at)


def names_in(folder: int) -> list[str]:
    """List a folder, sorted."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def sync(folder: int, depth: int = 0) -> None:
    """Make all that lies in a folder survive a power cut, itself included; what cannot be opened is passed over.

    Args:
        folder: A descriptor, the caller's to close.
        depth: How many folders it lies below the first.
    """
    for name in names_in(folder):
        disk.stop_if_told()
        with suppress(PermissionError, FileNotFoundError):
            stat = disk.stat_at(folder, name)
            if stat is not None and S_ISDIR(stat.st_mode) and depth < DEEPEST:
                with opened_below(folder, name) as below:
                    sync(below, depth + 1)
            elif stat is not None and S_ISREG(stat.st_mode):
                _sync_file(folder, name)
    os.fsync(folder)


def _sync_file(folder: int, name: str) -> None:
    descriptor = disk.open_regular(name, folder=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy(source: int, target: int, depth: int = 0) -> None:
    """Copy all that lies in a folder into another, durably; links and what is no file are made again as they are.

    Args:
        source: A descriptor.
        target: A descriptor of a folder in which nothing is.
        depth: How many folders they lie below the first.

    Raises:
        OSError: It cannot be read or written, or folders are nested deeper than `DEEPEST`: nothing was taken.
    """
    if depth > DEEPEST:
        raise OSError(errno.ELOOP, f"folders are nested deeper than {DEEPEST}")
    for name in names_in(source):
        disk.stop_if_told()
        stat = os.stat(name, dir_fd=source, follow_symlinks=False)
        if S_ISDIR(stat.st_mode):
            os.mkdir(name, disk.PRIVATE_FOLDER, dir_fd=target)
            with opened_below(source, name) as original, opened_below(target, name) as below:
                disk.share(below, target)
                copy(original, below, depth + 1)
        elif S_ISREG(stat.st_mode):
            _copy_file(source, target, name)
        else:
            make_again(source, target, name, stat)
    os.fsync(target)


def _copy_file(source: int, target: int, name: str) -> None:
    original = disk.open_regular(name, folder=source)
    try:
        copied = os.open(name, disk.WRITE_NEW, disk.PRIVATE_FILE, dir_fd=target)
        try:
            disk.share(copied, target)
            while piece := os.read(original, disk.COPY_BYTES):
                disk.stop_if_told()
                view = memoryview(piece)
                while view:
                    view = view[os.write(copied, view) :]
            os.fsync(copied)
        finally:
            os.close(copied)
    finally:
        os.close(original)


def make_again(source: int, target: int, name: str, stat: os.stat_result) -> None:
    """Make what is neither a file nor a folder: a link as it is; a pipe or a socket holds nothing."""
    if S_ISLNK(stat.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    else:
        os.mknod(name, S_IFMT(stat.st_mode) | disk.PRIVATE_FILE, stat.st_rdev, dir_fd=target)


def remove(folder: int, name: str) -> None:
    """Remove a name and all below it, if it is there.

    Args:
        folder: A descriptor.
    """
    stat = disk.stat_at(folder, name)
    if stat is None:
        return
    if S_ISDIR(stat.st_mode):
        with suppress(FileNotFoundError):
            shutil.rmtree(name, dir_fd=folder)
    else:
        disk.unlink_at(folder, name)


def remove_path(path: Path) -> None:
    """Remove a folder of ours and all below it, if it is there.

    Args:
        path: Below a trusted folder that is there.
    """
    with disk.opened(path.parent) as folder:
        remove(folder, path.name)


@contextmanager
def opened_below(folder: int, name: str) -> Iterator[int]:
    """Open a folder in another, which is no link.

    Args:
        folder: A descriptor.
        name: One component.
    """
    descriptor = os.open(name, _FOLDER, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
