"""`outbox/events.jsonl`: each notice a line, the same object that webhooks get, for who follows a file.

It only grows, by whole lines, and is set aside as `events.jsonl.1` when it is large. All of it blocks.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from stat import S_ISREG
from typing import Final

from batchd.edges import disk

NAME: Final = "events.jsonl"
LARGEST: Final = 10_000_000
"""Bytes above which it is set aside."""
KEPT: Final = 4
"""Files that were set aside, and are kept; `.1` is the newest."""
_TAIL: Final = 64 << 10
_OPEN: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def append(outbox: Path, lines: Iterable[bytes], *, largest: int = LARGEST) -> None:
    """Write lines behind those that are there, durably.

    Args:
        outbox: Where.
        lines: Without their ends.
        largest: Bytes above which the file is set aside first.

    Raises:
        OSError: The disk refuses, or something else has that name.
    """
    with disk.opened(outbox) as folder:
        there = disk.stat_at(folder, NAME)
        if there is not None and S_ISREG(there.st_mode) and there.st_size >= largest:
            _set_aside(folder)
        descriptor = os.open(NAME, _OPEN, disk.PRIVATE_FILE, dir_fd=folder)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            whole = _whole(file.fileno(), size)
            if whole < size:
                os.ftruncate(file.fileno(), whole)  # half a line, which nobody was told is there
            written = b"".join(line + b"\n" for line in lines)
            view = memoryview(written)
            while view:
                view = view[os.write(file.fileno(), view) :]
            os.fsync(file.fileno())
        if there is None:
            os.fsync(folder)


def _whole(descriptor: int, size: int) -> int:
    """How many bytes of a file are whole lines."""
    at = size
    while at > 0:
        start = max(at - _TAIL, 0)
        if (end := os.pread(descriptor, at - start, start).rfind(b"\n")) >= 0:
            return start + end + 1
        at = start
    return 0


def _set_aside(folder: int) -> None:
    for number in range(KEPT - 1, 0, -1):
        if disk.stat_at(folder, f"{NAME}.{number}") is not None:
            os.rename(f"{NAME}.{number}", f"{NAME}.{number + 1}", src_dir_fd=folder, dst_dir_fd=folder)
    os.rename(NAME, f"{NAME}.1", src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)
