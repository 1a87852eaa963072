"""The pace at which the API is called: so many calls a minute, all kinds together."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from batchd.edges.api.meter import Meter
from batchd.edges.clock import Bell, Clock

_MINUTE = 60.0


class RateLimiter:
    """Lets so many through in any minute of the server's, first come first served.

    When a call arrived there, nobody here knows but this: not after its answer came. So that is when its minute begins.
    """

    def __init__(self, per_minute: int, clock: Clock, meter: Meter | None = None) -> None:
        self._meter = meter or Meter()
        self.per_minute = per_minute
        self._clock = clock
        self._within = 0
        self._left: deque[float] = deque()
        self._somebody_left = Bell()
        self._queue = anyio.Lock()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for one's turn; the call is made within."""
        with self._meter.waiting():
            async with self._queue:
                while self._within + len(self._left) >= self.per_minute:
                    await self._make_room()
                self._within += 1
        try:
            yield
        finally:
            self._within -= 1
            self._left.append(self._clock.now())
            self._somebody_left.ring()

    async def _make_room(self) -> None:
        if self._left:
            await self._clock.sleep(self._left[0] + _MINUTE - self._clock.now())
            self._left.popleft()
        else:
            await self._somebody_left.wait()
