"""Many bytes go to a disk past the page cache: to copy them there, and from there to the disk, is most of the work.

Where a file system does not let them they go through the cache. They are durable after a sync, as any others are.
Everything here blocks: callers run it in a worker thread.
"""

import errno
import fcntl
import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

LARGE: Final = 1 << 18
"""Bytes from which on it is worth it: the disk is waited for."""
_BLOCK: Final = 4096
"""What such a write begins and ends at, in the file and in memory: no block of a disk is larger (open(2), O_DIRECT)."""
_ROOM: Final = 1 << 20
"""Bytes that are written at one time."""
_NOT_HERE: Final = frozenset({errno.EINVAL, errno.ENOTSUP})
"""How a file system says that it does not let them."""

_rooms: list[mmap.mmap] = []
"""Memory that begins at a page, and that nobody writes from now."""


def write_at(descriptor: int, at: int, chunks: Sequence[bytes]) -> int:
    """Write bytes into an open file, one chunk behind the other, not durably.

    Args:
        at: Where the first of them goes.

    Returns:
        Where they end.

    Raises:
        OSError: The disk refuses; some of them may be written.
    """
    if sum(map(len, chunks)) < LARGE:
        return _write(descriptor, at, memoryview(b"".join(chunks)))
    with _room() as room:
        # The first piece ends where a block does, and so all others begin there.
        for piece in _pieces(chunks, room, first=-at % _BLOCK):
            blocks = 0 if at % _BLOCK else len(piece) - len(piece) % _BLOCK
            written = _write_directly(descriptor, at, piece[:blocks]) if blocks else 0
            at = _write(descriptor, at + written, piece[written:])
    return at


def _write(descriptor: int, at: int, rest: memoryview) -> int:
    while rest:
        written = os.pwrite(descriptor, rest, at)
        at, rest = at + written, rest[written:]
    return at


def _write_directly(descriptor: int, at: int, blocks: memoryview) -> int:
    """Write blocks past the cache, and say how many bytes of them are written: 0 where that cannot be done here."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_DIRECT)
        return os.pwrite(descriptor, blocks, at)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return 0
        raise
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)


def _pieces(chunks: Iterable[bytes], room: memoryview, *, first: int) -> Iterator[memoryview]:
    """Gather chunks in some room, as often as it is full.

    Args:
        first: Bytes of the first piece, where it is to be a small one.
    """
    filled, full = 0, first or len(room)
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            part = rest[: full - filled]
            room[filled : filled + len(part)] = part
            filled, rest = filled + len(part), rest[len(part) :]
            if filled == full:
                yield room[:filled]
                filled, full = 0, len(room)
    if filled:
        yield room[:filled]


@contextmanager
def _room() -> Iterator[memoryview]:
    room = _rooms.pop() if _rooms else mmap.mmap(-1, _ROOM)
    try:
        with memoryview(room) as view:
            yield view
    finally:
        _rooms.append(room)
