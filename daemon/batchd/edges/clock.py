"""Time: everything that reads a clock or waits does so here, so that tests can jump."""

import time
from collections.abc import Awaitable, Callable

import anyio


class Clock:
    """Time as the service lives it.

    `now` is wall time as it was at the start plus what has gone by since, so that a clock that is set one hour
    back or two days forward changes no timer. It counts through suspension (CLOCK_BOOTTIME).
    """

    def __init__(self) -> None:
        self._started = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)

    def now(self) -> float:
        """Unix seconds, steady for the life of this process."""
        return self._started + time.clock_gettime(time.CLOCK_BOOTTIME)

    def follow(self, now: float) -> None:
        """Go by another clock from now on, before anybody has asked for the time.

        Args:
            now: Unix seconds by that one.
        """
        self._started = now - time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Wait.

        Args:
            seconds: How long; less than 0 is 0.
        """
        await anyio.sleep(max(seconds, 0))

    async def at_most(self, seconds: float, waiting: Callable[[], Awaitable[None]]) -> None:
        """Wait for something or for some time, whichever comes first; no task is made for it.

        Args:
            seconds: How long at the most.
            waiting: What to wait for; may be given up.
        """
        with anyio.move_on_after(max(seconds, 0)):
            await waiting()


class Bell:
    """A wake-up that carries no data: the task that hears it looks into the store.

    A ring for which no task waits is kept for the next one that does, once.
    """

    def __init__(self) -> None:
        self._rung = anyio.Event()

    def ring(self) -> None:
        """Wake all that wait, or the next that will."""
        self._rung.set()

    async def wait(self) -> None:
        """Wait for a ring; all waiting tasks hear the same one."""
        heard = self._rung
        await heard.wait()
        if self._rung is heard:
            self._rung = anyio.Event()

    async def wait_at_most(self, seconds: float, clock: Clock) -> None:
        """Wait for a ring or for some time, whichever comes first.

        Args:
            seconds: How long at the most.
            clock: Whose seconds.
        """
        await clock.at_most(seconds, self.wait)
