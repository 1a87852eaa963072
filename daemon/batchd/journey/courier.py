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
from batchd.running.retrying import Retrying, wait_of
from batchd.running.wakeups import Legs, Wakeups
from batchd.trouble import Thing, Work

log = structlog.get_logger()


class Courier:
    """Carries batches, any number at one time; between legs it keeps nothing that the store does not know."""

    def __init__(
        self, store: Store, clock: Clock, wakeups: Wakeups, journeys: Mapping[Lane, Legs], retrying: Retrying
    ) -> None:
        self._store = store
        self._clock = clock
        self._wakeups = wakeups
        self._journeys = journeys
        self._retrying = retrying

    async def carry(self, batch_id: BatchId) -> None:
        """Bring a batch as far as it can go: to its end, or to where a person must decide."""
        passed: set[State] = set()
        with self._wakeups.stay(batch_id):
            batch = await self._retrying.until_done(
                thing_of(batch_id),
                partial(self._go, batch_id, passed),
                rest=partial(self._wakeups.rest_in, batch_id),
            )
        log.info(f"batch {batch.state}", batch=batch.id, remote=batch.remote_id, requests=batch.count)

    async def _go(self, batch_id: BatchId, passed: set[State]) -> Batch:
        """Take leg after leg; what one dies of is written into the batch's row, where `status` finds it."""
        while True:
            batch = await self._store.batches.get(batch_id)
            passed.add(batch.state)
            leg = self._journeys[batch.lane].get(batch.state)
            if leg is None:
                return batch
            try:
                batch = await leg(batch)
            except Stale:
                continue
            except Exception as error:
                await self._tell(batch_id, wait_of(error).reason)
                raise
            # A batch that only goes to and fro between two states gets no further, and its pace goes on growing.
            if batch.state not in passed:
                await self._retrying.over(thing_of(batch_id))

    async def _tell(self, batch_id: BatchId, reason: str) -> None:
        with suppress(Unavailable, Stale):
            batch = await self._store.batches.get(batch_id)
            if batch.trouble is None:  # what kept it before has been over meanwhile
                await self._retrying.over(thing_of(batch_id))
            await self._wakeups.tell(batch, reason)


def thing_of(batch_id: BatchId) -> Thing:
    """What trouble on its way is noted of."""
    return Thing(Work.CARRY, str(batch_id), f"batch {batch_id}")
