"""Departure: what every planned batch passes before it is sent, by whichever lane."""

from batchd.edges.store import Store
from batchd.errors import Parked
from batchd.model import Batch, BatchId
from batchd.running.circuit_breaker import CircuitBreaker
from batchd.running.wakeups import Leg, Wakeups


class Departure:
    """Lets planned batches go, unless they were cancelled or the API takes nothing from anybody."""

    def __init__(self, store: Store, wakeups: Wakeups, circuit_breaker: CircuitBreaker) -> None:
        self._store = store
        self._wakeups = wakeups
        self._circuit_breaker = circuit_breaker
        self._kept: set[BatchId] = set()

    @property
    def closed(self) -> bool:
        """Whether the API takes nothing from anybody just now."""
        return self._circuit_breaker.closed

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
        if wait := self._circuit_breaker.check():
            return await self._keep(batch, wait)
        try:
            sent = await send(batch)
        except Parked as trouble:
            self._circuit_breaker.trip(str(trouble))
            raise
        if self._circuit_breaker.reset():
            for each in self._kept:
                self._wakeups.call(each)
        return sent

    async def _keep(self, batch: Batch, seconds: float) -> Batch:
        if batch.trouble != self._circuit_breaker.reason:
            batch = await self._store.batches.tell(batch, self._circuit_breaker.reason)
        self._kept.add(batch.id)
        try:
            await self._wakeups.rest(batch.id, seconds)
        finally:
            self._kept.discard(batch.id)
        return batch
