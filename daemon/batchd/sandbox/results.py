"""Writes the results of a batch while they are read, so that none of them is kept."""

import os
import random
from collections.abc import Iterator

from batchd.sandbox import answer
from batchd.sandbox.batch import Batch
from batchd.sandbox.store import Book, Filed

_AT_A_TIME = 50
_PIECE = 1 << 16
"""Bytes after which what has been written goes out: lines stay whole, so a piece may be longer by one."""


def order(batch: Batch, seed: int) -> list[int]:
    """In which order the results come, which is not that of the requests."""
    positions = list(range(batch.count))
    random.Random(f"{seed}:{batch.id}").shuffle(positions)  # noqa: S311  nothing here is secret
    return positions


def pieces(book: Book, batch: Batch, seed: int) -> Iterator[bytes]:
    """All result lines, some of them at a time; every piece ends where a line does.

    Args:
        batch: One that has ended.
    """
    piece = bytearray()
    for filed, raw in _bodies(book, batch, order(batch, seed)):
        piece += answer.line(filed.request, batch, raw, seed)
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def behind(written: Iterator[bytes], begin: int) -> Iterator[bytes]:
    """What of some pieces lies at and behind a byte."""
    for piece in written:
        if begin < len(piece):
            yield piece[begin:]
        begin = max(begin - len(piece), 0)


def messages(book: Book, batch: Batch, seed: int) -> Iterator[dict[str, object]]:
    """The messages of all requests that succeeded, in the order of the body.

    Args:
        batch: One that has ended.
    """
    for filed, raw in _bodies(book, batch, list(range(batch.count))):
        if filed.request.outcome == "succeeded":
            yield answer.message(filed.request, batch, raw, seed)


def _bodies(book: Book, batch: Batch, positions: list[int]) -> Iterator[tuple[Filed, bytes]]:
    with book.body(batch.number).open("rb") as file:
        for first in range(0, len(positions), _AT_A_TIME):
            for filed in book.requests(batch, positions[first : first + _AT_A_TIME]):
                wanted = filed.request.outcome == "succeeded"
                raw = os.pread(file.fileno(), filed.ended - filed.began, filed.began) if wanted else b""
                yield filed, raw
