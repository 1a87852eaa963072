"""The packer: sees which requests wait, asks the plan which of them travel together, and puts them on their trips."""

from anyio import to_thread

from daemon.decisions.plan import Limits, plan
from daemon.decisions.wire import new_nonce
from daemon.edges.clock import Clock
from daemon.edges.store import Store

LOOK = 20_000
"""Requests that are looked at in one go; what waits behind them waits for the next."""


class Packer:
    """Makes batches of what waits."""

    def __init__(self, store: Store, clock: Clock, limits: Limits, max_queued: int) -> None:
        """Make ready.

        Args:
            store: Where requests wait.
            clock: What lingering is measured by.
            limits: What a batch may hold.
            max_queued: Requests in unfinished batches at one time.
        """
        self._store = store
        self._clock = clock
        self._limits = limits
        self._max_queued = max_queued

    async def pack(self) -> float | None:
        """Plan every batch that may leave now.

        Returns:
            Seconds after which those that linger will leave; None when nothing waits, or nothing can be queued.
        """
        while True:
            room = self._max_queued - await self._store.batches.queued()
            most = min(room, LOOK)
            waiting = await self._store.batches.waiting(most) if most > 0 else []
            if not waiting:
                return None
            now = self._clock.now()
            unresolved = await self._store.batches.unresolved_counts()
            more = len(waiting) == most
            planned = plan(waiting, self._limits, now=now, room=room, unresolved=unresolved, more=more)
            # Twenty thousand requests keep a processor busy for a while.
            plans = await to_thread.run_sync(list, planned)
            if not plans:
                return max(min(request.since for request in waiting) + self._limits.linger - now, 0.0)
            await self._store.batches.plan(plans, now=now, nonce=new_nonce)
