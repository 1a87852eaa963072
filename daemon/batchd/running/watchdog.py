"""Tells the service manager that this process works: from the event loop, and for as long as work comes round."""

from contextlib import suppress

import anyio
import structlog

from batchd.edges.clock import Bell
from batchd.edges.store import Store
from batchd.edges.systemd import notify, watchdog_interval
from batchd.errors import Unavailable

log = structlog.get_logger()

READER = 60.0
"""Seconds for which the connection that reads may be silent. Large commits and slow syncs do not keep it waiting."""
ROUND = 900.0
"""Seconds that a look at the store may take, with the wait before it; a disk may be slow for minutes."""


class Watchdog:
    """Sends `WATCHDOG=1` as often as the manager asks, unless the work stands still.

    Ages are told by the loop's own clock, which like the manager's does not count while the machine sleeps.
    """

    def __init__(self, store: Store, *, reader: float = READER, round_: float = ROUND) -> None:
        self._store = store
        self._reader = reader
        self._round = round_
        self._answered_at = self._round_at = 0.0
        self.turned = Bell()
        """Rung at each look at the store."""

    def came_round(self) -> None:
        """Note that a look at the store is over."""
        self._round_at = anyio.current_time()
        self.turned.ring()

    async def feed(self) -> None:
        """Ping for ever; return at once where nobody asks for it."""
        interval = watchdog_interval()
        if interval is None:
            return
        self._answered_at = self._round_at = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._ask_reader, interval)
            standing = False
            while True:
                stands = self._stands_still()
                if stands is None:
                    notify("WATCHDOG=1")
                elif not standing:
                    log.error("standing still", at=stands)
                standing = stands is not None
                await anyio.sleep(interval)

    def _stands_still(self) -> str | None:
        now = anyio.current_time()
        if now - self._answered_at > self._reader:
            return "reading the database"
        return "looking at the store" if now - self._round_at > self._round else None

    async def _ask_reader(self, interval: float) -> None:
        while True:
            with suppress(Unavailable):  # an answer, too: what has locked the database is not ended by a restart
                await self._store.database.answers()
            self._answered_at = anyio.current_time()
            await anyio.sleep(interval)
