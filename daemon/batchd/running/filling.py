"""Filling: the worker that sweeps sees to it that the timetable has each batch that workers carry."""

from collections.abc import Collection, Iterable
from typing import Final, Protocol

from batchd.edges.clock import Clock
from batchd.model import BatchId

_ALL: Final = 10.0
"""Seconds after which the timetable is asked for every batch again, whatever was put into it."""


class Entries(Protocol):
    """As much of the timetable as matters here."""

    async def fill(self, batches: Iterable[BatchId]) -> int:
        """Give a task to each batch that has none, and say how many that were."""
        ...

    async def sooner(self, batches: Collection[BatchId]) -> None:
        """Have batches carried now that rest."""
        ...


class Filling:
    """Keeps the timetable complete, and asks it seldom for what was put into it a moment ago."""

    def __init__(self, entries: Entries, clock: Clock) -> None:
        self._entries = entries
        self._clock = clock
        self._known: frozenset[BatchId] = frozenset()
        self._all_at = 0.0

    async def fill(self, batches: frozenset[BatchId]) -> float:
        """See to it that each of these batches has its task, and return the seconds after which to look again.

        Raises:
            Unavailable: The timetable cannot be used now.
        """
        now = self._clock.now()
        if now >= self._all_at:
            self._known, self._all_at = frozenset(), now + _ALL
        if lacking := batches - self._known:
            await self._entries.fill(lacking)
        self._known = batches
        return max(self._all_at - now, 0.0)

    async def call(self, batches: Collection[BatchId]) -> None:
        """Have batches carried now that rest: somebody wants something of them."""
        await self._entries.sooner(batches)
