"""Transcripts: what the API streams, written down as it comes, so that a kill loses nothing that was received."""

import os
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import msgspec
from anyio import to_thread

from batchd.claude.batch_body import wire_id
from batchd.claude.stream import Streamed, assemble
from batchd.model import Batch


class Transcript:
    """A stream that is being written down."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def add(self, piece: bytes) -> None:
        """Write a piece of the body; from then on it survives the end of this process."""
        await to_thread.run_sync(_write, self._descriptor, piece)


class Transcripts:
    """The folder of transcripts: one file for each attempt of a batch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def begin(self, batch: Batch) -> AsyncIterator[Transcript]:
        """Begin a transcript; it is durable at the end of the block, however that ends.

        Args:
            batch: With the attempt that is about to be made.
        """
        descriptor = await to_thread.run_sync(_create, self._path(batch))
        try:
            yield Transcript(descriptor)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(_close, descriptor)

    def read(self, batch: Batch) -> Streamed:
        """Put together what has come in answer to the last attempt; without a file, nothing has."""
        with self._lines(batch) as lines:
            return assemble(lines)

    @asynccontextmanager
    async def results(self, batch: Batch) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the stream as if it were the results of a batch: one line.

        Args:
            batch: One that has ended.
        """

        async def pieces() -> AsyncIterator[bytes]:
            yield await to_thread.run_sync(self._line, batch)

        yield pieces()

    def discard(self, batch: Batch) -> None:
        """Remove the transcripts of a settled batch."""
        for file in self._folder.glob(f"{batch.nonce}_*"):
            file.unlink(missing_ok=True)

    def sweep(self, nonces: Collection[str]) -> None:
        """Remove what a crash has left of settled batches.

        Args:
            nonces: Of those that are under way.
        """
        for file in self._folder.iterdir():
            if file.name.split("_", maxsplit=1)[0] not in nonces:
                file.unlink(missing_ok=True)

    def _path(self, batch: Batch) -> Path:
        return self._folder / f"{batch.nonce}_{batch.attempt}"

    @contextmanager
    def _lines(self, batch: Batch) -> Iterator[Iterator[bytes]]:
        try:
            file = self._path(batch).open("rb")
        except FileNotFoundError:
            yield iter(())
            return
        with file:
            yield iter(file)

    def _line(self, batch: Batch) -> bytes:
        message = self.read(batch).message
        result = {"type": "succeeded", "message": message}
        return msgspec.json.encode({"custom_id": wire_id(batch.nonce, batch.attempt, 0), "result": result}) + b"\n"


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _write(descriptor: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]


def _close(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
