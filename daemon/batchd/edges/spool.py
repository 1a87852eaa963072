"""The spool: the checked params of every request, one file for each job, written once and read by offset."""

import fcntl
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self

from anyio import to_thread

from batchd.claude import batch_body
from batchd.edges import disk
from batchd.model import WireRow

_PIECE = 1 << 20
"""Bytes that are handed to the network at one time."""


class SpoolWriter:
    """Writes one job's params, which count once they are finished."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb", opener=_private)  # noqa: SIM115  closed by the caller's with
        self._offset = self._look_at = 0

    def add(self, params: bytes) -> tuple[int, int]:
        """Append the params of one request.

        Args:
            params: One line of JSON, without its end.

        Returns:
            Where they begin, and how long they are, in bytes.
        """
        offset = self._offset
        if offset >= self._look_at:
            disk.stop_if_told()
            self._look_at = offset + _PIECE
        self._file.write(params)
        self._file.write(b"\n")
        self._offset += len(params) + 1
        return offset, len(params)

    def finish(self, *, sync: bool = True) -> None:
        """End the file.

        Args:
            sync: Whether it is durable afterwards; otherwise that is the caller's to do.
        """
        self._file.flush()
        if sync:
            os.fsync(self._file.fileno())
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Body:
    """The body of a create, from the places of its params in the order of its rows; never in memory as a whole."""

    def __init__(self, folder: Path, tag: str, rows: Sequence[WireRow]) -> None:
        self._folder = folder
        self._tag = tag
        self._rows = rows
        self.length = batch_body.body_length(tag, rows)

    async def stream(self) -> AsyncIterator[bytes]:
        """Read it in pieces, each in a worker thread."""
        pieces = _gathered(self._parts())
        while (piece := await to_thread.run_sync(next, pieces, None)) is not None:
            yield piece

    def _parts(self) -> Iterator[bytes]:
        yield batch_body.BODY_HEAD
        file: BinaryIO | None = None
        opened: str | None = None
        try:
            for number, row in enumerate(self._rows):
                place = row.place
                if file is None or opened != place.claim:
                    if file is not None:
                        file.close()
                    file, opened = (self._folder / place.claim).open("rb"), place.claim
                yield batch_body.row_head(self._tag, row.sending, first=not number)
                yield read_at(file, place.offset, place.size)
                yield batch_body.ROW_TAIL
        finally:
            if file is not None:
                file.close()
        yield batch_body.BODY_TAIL


def read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    """Read one request's params.

    Args:
        file: The job's spool file.

    Raises:
        OSError: The file is shorter than that.
    """
    file.seek(offset)
    params = file.read(size)
    if len(params) != size:
        raise OSError(f"{file.name} ends before byte {offset + size}")
    return params


def append_to_spool(path: Path, params: bytes) -> int:
    """Add the params of a further round to a job's spool file, durably.

    Args:
        params: One line of JSON, without its end.

    Returns:
        Where they begin; what a crash left behind them is nobody's.
    """
    ((offset, _),) = append_all(path, [params])
    return offset


def append_all(path: Path, lines: Sequence[bytes]) -> list[tuple[int, int]]:
    """Add params to a job's spool file, durably, as `append_to_spool` does.

    Returns:
        Where those of each begin, and how long they are.
    """
    places: list[tuple[int, int]] = []
    with open(path, "ab", opener=_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two that append at one time would both begin where the file ends now
        offset = file.seek(0, os.SEEK_END)
        for params in lines:
            file.write(params + b"\n")
            places.append((offset, len(params)))
            offset += len(params) + 1
        file.flush()
        os.fsync(file.fileno())
    return places


def append_file_to_spool(path: Path, params: BinaryIO, least: int) -> int:
    """Add the params of many requests to a job's spool file, durably.

    Args:
        params: Lines of JSON.
        least: Byte before which they may not begin: requests may have been promised what lies there.

    Returns:
        Where they begin; what a crash left before them is nobody's.
    """
    with open(path, "ab", opener=_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        begin = max(file.seek(0, os.SEEK_END), least)
        file.truncate(begin)
        while piece := params.read(_PIECE):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    disk.sync_folder(path.parent)
    return begin


def read_from_spool(path: Path, offset: int, size: int) -> bytes:
    """Read one request's params.

    Args:
        path: The job's spool file.

    Raises:
        OSError: The file is shorter than that.
    """
    with path.open("rb") as file:
        return read_at(file, offset, size)


def _gathered(parts: Iterable[bytes]) -> Iterator[bytes]:
    buffer = bytearray()
    for part in parts:
        buffer += part
        if len(buffer) >= _PIECE:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
