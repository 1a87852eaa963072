"""A clock that jumps: as soon as nobody has anything left to do, it is later."""

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count

import anyio
import anyio.lowlevel
from batchd.edges.clock import Clock


class VirtualClock(Clock):
    """Time passes only when everybody waits for it."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        super().__init__()
        self._now = start
        self._order = count()
        self._sleepers: list[tuple[float, int, anyio.Event]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        woken = anyio.Event()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), woken))
        await woken.wait()

    async def at_most(self, seconds: float, waiting: Callable[[], Awaitable[None]]) -> None:
        async with anyio.create_task_group() as tasks:
            for each in (waiting, partial(self.sleep, seconds)):
                tasks.start_soon(_end_all_after, each, tasks.cancel_scope.cancel)

    async def run(self) -> None:
        """Jump from waking to waking, until cancelled."""
        # What is ready is all there is to know, as long as no thread and no socket takes part; anyio's own
        # wait_all_tasks_blocked would look ten times a second.
        ready: deque[object] = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]  # noqa: SLF001  as said
        while True:
            await anyio.lowlevel.checkpoint()
            if ready:
                continue
            if not self._sleepers:
                await anyio.sleep(0.001)
                continue
            when, _, woken = heapq.heappop(self._sleepers)
            self._now = max(self._now, when)
            woken.set()


async def _end_all_after(waiting: Callable[[], Awaitable[None]], end: Callable[[], None]) -> None:
    await waiting()
    end()
