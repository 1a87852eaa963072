"""The results of a batch as a stream of bytes, that goes on behind a cut where the server can begin in the middle."""

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self, TypeAlias

import anyio
import httpx2

from batchd.edges.api.troubles import reading
from batchd.edges.clock import Clock
from batchd.errors import Disconnected, Garbled

Open: TypeAlias = Callable[[int], Awaitable[httpx2.Response]]
"""Opens the results at a byte: a server that cannot do that begins at the first, and says so by its status."""
Told: TypeAlias = Callable[[int, int], Awaitable[None]]
"""Is told after each cut how many there were, and how many bytes had come."""

OVERLAP = 256
"""Bytes that are read once more behind a cut: only where they are the same is the rest the rest of the same file."""
_PARTIAL = 206
_LONGEST_PAUSE = 30.0
"""Seconds between two tries, however often a download is cut."""


class Download:
    """A result file on its way; each piece is there once, whatever happens to connections."""

    def __init__(self, opens: Open, clock: Clock, told: Told | None = None) -> None:
        self._opens = opens
        self._clock = clock
        self._told = told
        self._cuts = 0
        self._read = 0
        self._opened_at = 0
        self._tail = b""
        self._again = b""
        """What has been read already, and comes once more."""

    async def __aenter__(self) -> Self:
        """Open it.

        Raises:
            Gone: There are no results (yet, or any more).
            Unavailable: Not now.
        """
        await self._open(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Read on.

        Raises:
            Disconnected: It was cut, and the server cannot go on behind it.
            Garbled: What comes behind a cut is not the rest of the same file.
        """
        while True:
            try:
                with reading():
                    piece = await anext(self._pieces)
            except Disconnected as cut:
                await self._go_on(cut)
                continue
            piece = self._new(piece)
            self._read += len(piece)
            self._tail = (self._tail + piece[-OVERLAP:])[-OVERLAP:]
            if piece:
                return piece

    def _new(self, piece: bytes) -> bytes:
        """Take off what was read before the cut."""
        known = min(len(piece), len(self._again))
        if piece[:known] != self._again[:known]:
            raise Garbled("the results are not the same ones when they are read on behind a cut")
        self._again = self._again[known:]
        return piece[known:]

    async def _go_on(self, cut: Disconnected) -> None:
        self._cuts += 1
        if self._told is not None:
            await self._told(self._cuts, self._read)
        if self._read == self._opened_at:
            raise cut
        await self._close()
        await self._clock.sleep(min(self._cuts, _LONGEST_PAUSE))
        await self._open(self._read - len(self._tail))
        if self._response.status_code != _PARTIAL or "content-encoding" in self._response.headers:
            raise cut
        self._opened_at = self._read
        self._again = self._tail

    async def _open(self, at: int) -> None:
        self._response = await self._opens(at)
        self._pieces: AsyncIterator[bytes] = self._response.aiter_bytes()

    async def _close(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._response.aclose()
