"""Turns: whose requests go first, and whose wait for their hours, by what their files say or else their folders."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.model import BatchId, JobId, Turn
from batchd.text.hours import hours_of


@dataclass(frozen=True, slots=True)
class Order:
    """Who goes before whom just now."""

    tiers: tuple[tuple[int, frozenset[JobId]], ...] = ()
    """Jobs of another priority than 0, the highest first."""
    outside: frozenset[JobId] = frozenset()
    """Jobs whose hours are not now."""
    opens_in: float | None = None
    """Seconds until the first of these may go; None where there are none."""

    @property
    def ranked(self) -> frozenset[JobId]:
        """All jobs of another priority than 0."""
        return frozenset().union(*(jobs for _, jobs in self.tiers))


class Turns:
    """Knows the turns of jobs."""

    def __init__(self, store: Store, clock: Clock, folders: Mapping[str, Turn]) -> None:
        """Take them over.

        Args:
            store: Knows what jobs say themselves.
            clock: By whose local time hours are.
            folders: What top folders of the inbox say, those that say anything.
        """
        self._store = store
        self._clock = clock
        self._folders = folders

    async def order(self) -> Order:
        """Say who goes before whom just now."""
        turns = await self._store.turns.of(self._folders.keys())
        if not turns:
            return Order()
        now = datetime.fromtimestamp(self._clock.now()).astimezone()
        tiers: dict[int, set[JobId]] = defaultdict(set)
        opening: dict[JobId, float] = {}
        for each in turns:
            turn = each.within(self._folders)
            if turn.priority:
                tiers[turn.priority].add(each.job)
            hours = hours_of(turn.hours or "")
            if hours and (wait := hours.opens_in(now)):
                opening[each.job] = wait
        ranked = tuple((priority, frozenset(tiers[priority])) for priority in sorted(tiers, reverse=True))
        return Order(ranked, frozenset(opening), min(opening.values(), default=None))

    async def outside(self, batch: BatchId) -> bool:
        """Whether a job of a batch must wait for its hours."""
        outside = (await self.order()).outside
        return bool(outside) and not outside.isdisjoint(await self._store.turns.jobs_in(batch))
