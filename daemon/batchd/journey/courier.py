"""The courier: carries one batch from its plan to its delivery, whatever happens on the way.

To resume is to start: every leg takes the batch up from where the store says it stands, and may be repeated.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial

import structlog

from batchd.edges.clock import Clock
from batchd.edges.store import Stale, Store
from batchd.errors import Unavailable
from batchd.lifecycle import State
from batchd.model import Batch, BatchId, Lane
from batchd.running.counts import Counts
from batchd.running.retrying import Retrying, wait_of
from batchd.running.wakeups import Legs, Wakeups
from batchd.trouble import Thing, Work

log = structlog.get_logger()


class Courier:
    """Carries batches, any number at one time; between legs it keeps nothing that the store does not know."""

    def __init__(  # noqa: PLR0913  the rooms it works with
        self,
        store: Store,
        clock: Clock,
        wakeups: Wakeups,
        counts: Counts,
        journeys: Mapping[Lane, Legs],
        retrying: Retrying,
    ) -> None:
        self._store = store
        self._clock = clock
        self._wakeups = wakeups
        self._counts = counts
        self._journeys = journeys
        self._retrying = retrying

    async def carry(self, batch_id: BatchId) -> None:
        """Bring a batch as far as it can go: to its end, or to where a person must decide."""
        passed: set[State] = set()
        with self._wakeups.stay(batch_id):
            await self._retrying.until_done(
                thing_of(batch_id), partial(self._go, batch_id, passed), rest=partial(self._wakeups.rest, batch_id)
            )

    def _tell_of_step(self, before: Batch, after: Batch) -> None:
        if before.state is after.state:
            return
        if before.state is State.INTENDED:
            self._counts.resolved(before)
        about = {"batch": after.id, "remote": after.remote_id, "requests": after.count}
        match after.state:
            case State.PROCESSING:
                log.info("batch submitted", **about, evidence=after.evidence and after.evidence.value)
            case State.HELD:
                log.error("batch held", **about, reason=after.trouble)
            case State.SETTLED | State.DISSOLVED as end:
                log.info(f"batch {end}", **about)
            case _:
                log.debug("batch moved", **about, state=after.state)

    async def _go(self, batch_id: BatchId, passed: set[State]) -> Batch:
        """Take leg after leg; what one dies of is written into the batch's row, where `status` finds it."""
        while True:
            batch = await self._store.batches.get(batch_id)
            passed.add(batch.state)
            leg = self._journeys[batch.lane].get(batch.state)
            if leg is None:
                return batch
            before = batch
            try:
                batch = await leg(batch)
            except Stale:
                continue
            except Exception as error:
                await self._tell(batch_id, wait_of(error).reason)
                raise
            self._tell_of_step(before, batch)
            # A batch that only goes to and fro between two states gets no further, and its pace goes on growing.
            if batch.state not in passed:
                await self._retrying.over(thing_of(batch_id))

    async def _tell(self, batch_id: BatchId, reason: str) -> None:
        with suppress(Unavailable, Stale):
            batch = await self._store.batches.get(batch_id)
            if batch.trouble is None:  # what kept it before has been over meanwhile
                await self._retrying.over(thing_of(batch_id))
            if batch.trouble != reason:
                log.warning("batch waits", batch=batch.id, reason=reason)
                await self._store.batches.tell(batch, reason)


def thing_of(batch_id: BatchId) -> Thing:
    """What trouble on its way is noted of."""
    return Thing(Work.CARRY, str(batch_id), f"batch {batch_id}")
