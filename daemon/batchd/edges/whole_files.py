"""Many whole files that become durable together: a sync of each, one after the other, would be most of the work.

All are written under hidden names first, then all are made durable, and only then do they get their names. So a name
stands for the whole file, also after a power cut. A crash in between leaves hidden files, which are written anew when
the same files are.

Everything here blocks: callers run it in a worker thread.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path, PurePosixPath

from batchd.edges import direct, disk


def write_hidden(root: Path, inside: PurePosixPath, files: Sequence[tuple[str, str]]) -> None:
    """Write files under hidden names; syncing them, and the folders on their way, is the caller's to do.

    Args:
        root: A trusted folder.
        inside: The folder below it to which the names are relative; what is missing on the way is made (0700).
        files: Names and texts; the last of several texts of one name stays.

    Raises:
        OSError: The disk refuses; no hidden name is left.
    """
    try:
        for folder, name, text in _placed(root, inside, files):
            descriptor = disk.open_new(folder, disk.hidden(name))
            try:
                direct.write_at(descriptor, 0, (text.encode(),))
            finally:
                os.close(descriptor)
    except BaseException:
        with suppress(OSError):
            for folder, name, _ in _placed(root, inside, files):
                disk.unlink_at(folder, disk.hidden(name))
        raise


def give_names(root: Path, inside: PurePosixPath, names: Iterable[str]) -> None:
    """Give durable files the names for which they were written, replacing what had them.

    The names themselves are durable once their folders are synced, which is the caller's to do.

    Raises:
        OSError: The disk refuses. Some of the files may have their names already, each of them whole.
    """
    for folder, name, _ in _placed(root, inside, dict.fromkeys(names, "").items()):
        os.rename(disk.hidden(name), name, src_dir_fd=folder, dst_dir_fd=folder)


def by_folder(names: Iterable[str]) -> dict[str, list[str]]:
    """Sort names by the folders that they lie in: `a/b` is `b` in `a`."""
    found: dict[str, list[str]] = {}
    for name in names:
        folder, _, own = name.rpartition("/")
        found.setdefault(folder, []).append(own)
    return found


def _placed(root: Path, inside: PurePosixPath, files: Iterable[tuple[str, str]]) -> Iterator[tuple[int, str, str]]:
    """Each file's folder, opened once for those of it that follow one another, its name in that, and its text."""
    apart = ((*name.rpartition("/"), text) for name, text in files)
    for folder, those in groupby(apart, lambda each: each[0]):
        opening = disk.opened(root, inside / folder, create=True, sync=False, shared_below=len(inside.parts))
        with opening as at:
            for _, _, name, text in those:
                yield at, name, text
