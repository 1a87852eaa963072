"""Many whole files that become durable together: a sync of each, one after the other, would be most of the work.

All are written under hidden names first, then all are made durable, and only then do they get their names. So a name
stands for the whole file, also after a power cut. A crash in between leaves hidden files, which are written anew when
the same files are.

Everything here blocks: callers run it in a worker thread.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby, islice
from pathlib import Path, PurePosixPath
from typing import Final

from batchd.edges import disk, durable

_OPEN: Final = 32
"""Files that are open at one time, written and still to be synced."""


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
        as_one = len(files) > durable.FEW and durable.syncs_as_one(whole)
        placed = _placed(root, inside, files)
        # In portions, so that no more descriptors are open than that.
        while portion := [_written(*each, stay_open=not as_one) for each in islice(placed, _OPEN)]:
            _sync_and_close([descriptor for descriptor in portion if descriptor is not None])
        if as_one:
            durable.sync_file_system(whole)


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
        durable.all_done([partial(os.fsync, descriptor) for descriptor in descriptors])
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
