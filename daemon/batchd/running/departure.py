"""Departure: what every planned batch passes before it is sent, by whichever lane."""

from collections.abc import Callable

from batchd.edges.store import Store
from batchd.errors import Parked
from batchd.model import Batch, BatchId
from batchd.running.circuit_breaker import CircuitBreaker
from batchd.running.wakeups import Leg, Wakeups

_RESTORING = 60.0
"""Seconds after which a batch asks again whether it may go."""


class Departure:
    """Lets planned batches go, unless they were cancelled or the API takes nothing from anybody."""

    def __init__(
        self, store: Store, wakeups: Wakeups, circuit_breaker: CircuitBreaker, restoring: Callable[[], bool]
    ) -> None:
        """Put it together.

        Args:
            store: Where batches stand.
            wakeups: Where they rest.
            circuit_breaker: Trips where the API refuses key or money.
            restoring: Whether what was paid is still being looked for, so that nothing may be sent.
        """
        self._store = store
        self._wakeups = wakeups
        self._circuit_breaker = circuit_breaker
        self._restoring = restoring
        self._kept: set[BatchId] = set()

    @property
    def closed(self) -> bool:
        """Whether the API takes nothing from anybody just now."""
        return self._restoring() or self._circuit_breaker.closed

    async def leave(self, batch: Batch, send: Leg) -> Batch:
        """Send a planned batch; or dissolve it, if a job of it was cancelled; or wait, while submissions are parked.

        Args:
            batch: A planned one.
            send: Sends it.

        Raises:
            Parked: The API refuses key or money, and from now on keeps everybody.
        """
        cancelled, _ = await self._store.trips.cancel_wanted(batch.id)
        if cancelled:
            return await self._store.batches.dissolve(batch)
        if self._restoring():
            return await self._keep(batch, _RESTORING, "the state was restored: what was paid is looked for first")
        if wait := self._circuit_breaker.check():
            return await self._keep(batch, wait, self._circuit_breaker.reason)
        try:
            sent = await send(batch)
        except Parked as trouble:
            self._circuit_breaker.trip(str(trouble))
            raise
        if self._circuit_breaker.reset():
            for each in self._kept:
                self._wakeups.call(each)
        return sent

    async def _keep(self, batch: Batch, seconds: float, reason: str) -> Batch:
        if batch.trouble != reason:
            batch = await self._store.batches.tell(batch, reason)
        self._kept.add(batch.id)
        try:
            await self._wakeups.rest(batch.id, seconds)
        finally:
            self._kept.discard(batch.id)
        return batch
