"""The courier: carries one batch from its plan to its delivery, whatever happens on the way.

To resume is to start: every leg takes the batch up from where the store says it stands, and may be repeated.
"""

from collections.abc import Mapping

import structlog

from batchd.decisions.batch.backoff import PARKED, PATIENCE, Backoff
from batchd.edges.clock import Clock
from batchd.edges.store import Stale, Store
from batchd.errors import BatchdError, Parked, Unavailable, Unusable, where
from batchd.model import Batch, BatchId, Lane
from batchd.running.wakeups import Leg, Legs, Wakeups

log = structlog.get_logger()


class Courier:
    """Carries batches, any number at one time; between legs it keeps nothing that the store does not know."""

    def __init__(self, store: Store, clock: Clock, wakeups: Wakeups, journeys: Mapping[Lane, Legs]) -> None:
        """Hire one.

        Args:
            store: Where batches stand.
            clock: What waits are measured by.
            station: Where they wait.
            journeys: Their legs, by lane.
        """
        self._store = store
        self._clock = clock
        self._wakeups = wakeups
        self._journeys = journeys

    async def carry(self, batch_id: BatchId) -> None:
        """Bring a batch as far as it can go: to its end, or to where a person must decide.

        Args:
            batch_id: Its id.
        """
        with self._wakeups.stay(batch_id):
            batch = await self._store.batches.get(batch_id)
            while leg := self._journeys[batch.lane].get(batch.state):
                batch = await self._patiently(leg, batch)
        log.info(f"batch {batch.state}", batch=batch.id, remote=batch.remote_id, requests=batch.count)

    async def _patiently(self, leg: Leg, batch: Batch) -> Batch:
        """Repeat a leg for as long as the world cannot do it, and never let one batch stop the others."""
        failing_since = self._clock.now()
        while True:
            asked = self._clock.now()
            try:
                return await leg(batch)
            except Stale:
                return await self._store.batches.get(batch.id)
            except Unusable:
                raise
            except Exception as trouble:  # noqa: BLE001  a defect too, met by one batch, is shown there and stops no other
                backoff, reason = _waits(trouble, batch)
                at_least = getattr(trouble, "retry_after", None) or 0.0
            if self._clock.now() - asked > backoff.longest:
                failing_since = self._clock.now()
            await self._tell_if_possible(batch, reason)
            await self._wakeups.rest(batch, max(at_least, backoff.delay_randomly(self._clock.now() - failing_since)))
            batch = await self._store.batches.get(batch.id)
            if self._journeys[batch.lane].get(batch.state) != leg:
                return batch

    async def _tell_if_possible(self, batch: Batch, reason: str) -> None:
        try:
            await self._wakeups.tell(await self._store.batches.get(batch.id), reason)
        except (Unavailable, Stale):
            log.warning("batch waits", batch=batch.id, reason=reason)


def _waits(trouble: Exception, batch: Batch) -> tuple[Backoff, str]:
    """Say at which pace a batch waits, and what for."""
    match trouble:
        case Parked():
            return PARKED, str(trouble)
        case BatchdError():
            return PATIENCE, str(trouble)
        case OSError():
            # Its file may be named after what a user wrote, so only what went wrong is told.
            return PATIENCE, trouble.strerror or type(trouble).__name__
        case bug:
            # No traceback: an error's text may carry what users wrote.
            log.error("defect", batch=batch.id, kind=type(bug).__name__, at=where(bug))
            return PARKED, f"a defect of batchd ({type(bug).__name__}): please report it"
