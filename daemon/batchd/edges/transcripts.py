"""The edge to transcripts: what the API streams, written down as it comes, so that no end of this process loses it.

A transcript is the body as it came, between two comments of ours (lines that begin with a colon, as server-sent events
have them): in front the `max_tokens` of its request, behind it why it was cut off, if it was. One that is not there
shows that nothing was sent: it is made, durably, just before the first byte leaves.
"""

import os
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import msgspec
from anyio import to_thread

from batchd.claude.batch_body import row_id
from batchd.claude.result_shape import Stream
from batchd.claude.stream import assemble
from batchd.claude.streamed import Streamed
from batchd.edges import disk
from batchd.model import Batch

KEPT = ".kept"
"""Ends the name of a transcript that could not be read in full."""
_OURS = b": batchd "
_MAX_TOKENS = b"max_tokens "
_ENDED = "batchd was ended, or its machine, while it came"
"""What is said of a transcript that does not say itself why it ends."""


class Transcript:
    """One stream that is being written down."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = 0
        """Bytes that have come."""

    async def add(self, piece: bytes) -> None:
        """Write down what has come; from here on it survives the end of this process."""
        self.size += len(piece)
        await to_thread.run_sync(_write, self._descriptor, piece)

    async def close(self, why: str) -> None:
        """Make it durable, whoever is being cancelled.

        Args:
            why: What cut it off, in one line; empty where it came to its end.
        """
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(_close, self._descriptor, why)


class Transcripts:
    """The folder of them: one file an attempt of a batch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def begin(self, batch: Batch, max_tokens: int) -> Transcript:
        """Begin one, durably.

        Args:
            batch: With the attempt that is about to be made.
            max_tokens: Of its request: what an answer that is cut may cost is bounded by it.
        """
        return Transcript(await to_thread.run_sync(_create, self._folder, self._path(batch).name, max_tokens))

    def take_back(self, batch: Batch) -> None:
        """Remove that of an attempt of which surely nothing was done."""
        self._path(batch).unlink(missing_ok=True)

    def read(self, batch: Batch) -> Streamed | None:
        """Put together what has come in answer to the last attempt; None where nothing was sent."""
        try:
            file = self._path(batch).open("rb")
        except FileNotFoundError:
            return None
        with file:
            lines = _Lines(file)
            found = assemble(lines, lines.max_tokens)
        found.broken = "" if found.ended else lines.why or _ENDED
        return found

    @asynccontextmanager
    async def results(self, batch: Batch) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open what was streamed as if it were the results of a batch: one line.

        Args:
            batch: One that has ended.
        """

        async def pieces() -> AsyncIterator[bytes]:
            yield await to_thread.run_sync(self.line, batch)

        yield pieces()

    def line(self, batch: Batch) -> bytes:
        """Write what was streamed as a line of results."""
        result = _result(self.read(batch) or Streamed())
        return msgspec.json.encode({"custom_id": row_id(batch.nonce, batch.attempt, 0), "result": result}) + b"\n"

    def discard(self, batch: Batch) -> Path | None:
        """Remove those of a batch that is settled; one that could not be read in full is kept.

        Returns:
            Where that one is.
        """
        found, kept = self.read(batch), None
        if found is not None and found.unreadable:
            kept = self._path(batch).with_name(self._path(batch).name + KEPT)
            self._path(batch).replace(kept)
        if not disk.may_remove(self._folder.parent):
            return kept
        for file in self._folder.glob(f"{batch.nonce}_*"):
            if file.suffix != KEPT:
                file.unlink(missing_ok=True)
        return kept

    def sweep(self, nonces: Collection[str]) -> None:
        """Remove what a crash has left of batches that are settled.

        Args:
            nonces: Of those that are under way.
        """
        for file in self._folder.iterdir():
            if file.name.split("_", maxsplit=1)[0] not in nonces and file.suffix != KEPT:
                with suppress(OSError):  # a folder, say, which is none of ours
                    file.unlink()

    def _path(self, batch: Batch) -> Path:
        return self._folder / f"{batch.nonce}_{batch.attempt}"


class _Lines:
    """The lines of a transcript, our own taken out."""

    def __init__(self, file: Iterator[bytes]) -> None:
        self._file = file
        self.max_tokens: int | None = None
        self.why = ""
        first = next(file, b"")
        said = first.removeprefix(_OURS + _MAX_TOKENS).strip()
        if said != first.strip() and said.isdigit():
            self.max_tokens = int(said)
            first = b""
        self._first = first

    def __iter__(self) -> Iterator[bytes]:
        if self._first:
            yield self._first
        for line in self._file:
            if line.startswith(_OURS):
                self.why = line.removeprefix(_OURS).decode("utf-8", "replace").strip()
            yield line


def _result(found: Streamed) -> dict[str, object]:
    stream = Stream(found.broken, found.unreadable, found.bounded)
    told: dict[str, object] = {} if stream == Stream() else {"stream": stream}
    if found.message is not None:
        told["message"] = found.message
    if found.trouble is not None and not (found.ended or found.text):
        said = {"type": found.trouble, "message": "the API broke its answer off"}
        return {"type": "errored", "error": {"type": "error", "error": said}, **told}
    return {"type": "canceled" if found.message is None else "succeeded", **told}


def _create(folder: Path, name: str, max_tokens: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with disk.opened(folder) as place:
        descriptor = os.open(name, flags, 0o600, dir_fd=place)
        try:
            _write(descriptor, _OURS + _MAX_TOKENS + b"%d\n" % max_tokens)
            os.fsync(descriptor)
            os.fsync(place)
        except BaseException:
            os.close(descriptor)
            raise
    return descriptor


def _write(descriptor: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]


def _close(descriptor: int, why: str) -> None:
    try:
        if why:  # without an end of its own, so that half a line before it stays half of one
            _write(descriptor, b"\n" + _OURS + " ".join(why.split()).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
