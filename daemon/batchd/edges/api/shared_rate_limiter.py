"""The pace at which many workers together call the API: each takes calls out of one quota, some at a time."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import anyio

from batchd.edges.api.meter import Meter
from batchd.edges.clock import Clock

_AT_ONCE = 12
"""No taking is of more than this part of a minute's quota."""
_PAUSE = 0.05
"""Seconds before the quota is asked again, at the least."""


class Quota(Protocol):
    """What all workers may call in a minute, by one key."""

    async def take(self, most: int, per_minute: int) -> tuple[int, int, float]:
        """Take some calls: the number of the taking, how many it has, and, where none, when there may be some."""
        ...

    def over(self, taking: int, at: float) -> None:
        """Note when the last call of a taking was answered."""
        ...


class SharedRateLimiter:
    """Lets so many through in any minute of the server's, over all workers.

    As with one process, the minute of a call begins when it is answered; that of a taking with its last call.
    """

    def __init__(self, per_minute: int, clock: Clock, meter: Meter, quota: Quota) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._meter = meter
        self._quota = quota
        self._queue = anyio.Lock()
        self._waiting = 0
        self._taking = 0
        self._left = 0
        """Calls of the last taking that nobody makes yet."""
        self._under_way: Counter[int] = Counter()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for one's turn; the call is made within."""
        self._waiting += 1
        try:
            with self._meter.waiting():
                async with self._queue:
                    while not self._left:
                        await self._take()
                    self._left -= 1
                    taking = self._taking
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._under_way[taking] -= 1
            if not self._under_way[taking]:
                del self._under_way[taking]
                self._quota.over(taking, self._clock.now())

    async def _take(self) -> None:
        most = min(self._waiting, max(self.per_minute // _AT_ONCE, 1))
        # Taken for good or not at all: what was cancelled in between would count for ever.
        with anyio.CancelScope(shield=True):
            taking, count, when = await self._quota.take(most, self.per_minute)
        if count:
            self._taking, self._left, self._under_way[taking] = taking, count, count
        else:
            await self._clock.sleep(max(when - self._clock.now(), _PAUSE))
