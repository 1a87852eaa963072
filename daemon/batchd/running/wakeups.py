"""The station: what the legs of every journey share. Here batches rest and are called."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeAlias

import structlog

from batchd.decisions.batch.backoff import Backoff
from batchd.edges.clock import Bell, Clock
from batchd.edges.store import Store
from batchd.errors import Parked
from batchd.lifecycle import State
from batchd.model import Batch, BatchId, Evidence, RemoteBatch
from batchd.running.circuit_breaker import CircuitBreaker

log = structlog.get_logger()


Leg: TypeAlias = Callable[[Batch], Awaitable[Batch]]
"""Takes a batch in one state, and returns it in another, or in the same after a while."""
Legs: TypeAlias = Mapping[State, Leg]
"""Who takes it in which state; in any other it is at its end, or a person must decide."""


class Wakeups:
    """Where batches are between two calls of the API."""

    def __init__(self, store: Store, clock: Clock, poll: Backoff) -> None:
        """Open it.

        Args:
            store: Where batches stand.
            clock: What waits are measured by.
            poll: How often a batch is asked after.
        """
        self._store = store
        self._clock = clock
        self._poll = poll
        self._bells: dict[BatchId, Bell] = {}
        self.circuit_breaker = CircuitBreaker(clock)
        """Closed while the API refuses key or money, to all alike."""

    @contextmanager
    def stay(self, batch_id: BatchId) -> Iterator[None]:
        """Within the block the batch can rest here, and be called.

        Args:
            batch_id: Its id.
        """
        self._bells[batch_id] = Bell()
        try:
            yield
        finally:
            del self._bells[batch_id]

    def call(self, batch_id: BatchId) -> None:
        """Wake a batch that rests: somebody wants something of it.

        Args:
            batch_id: Its id; one that is not here is passed over.
        """
        if bell := self._bells.get(batch_id):
            bell.ring()

    async def leave(self, batch: Batch, send: Leg) -> Batch:
        """Send a planned batch, if nobody has cancelled it and the gate is open; else let it go, or wait.

        Args:
            batch: A planned one.
            send: Sends it.
        """
        cancelled, _ = await self._store.batches.cancel_wanted(batch.id)
        if cancelled:
            await self._store.batches.dissolve(batch)
            return await self._store.batches.get(batch.id)
        if wait := self.circuit_breaker.check():
            if batch.trouble != self.circuit_breaker.reason:
                batch = await self._store.batches.note(batch, trouble=self.circuit_breaker.reason)
            await self.rest(batch, wait)
            return batch
        try:
            sent = await send(batch)
        except Parked as trouble:
            self.circuit_breaker.trip(str(trouble))
            raise
        if self.circuit_breaker.reset():
            self.call_all()
        return sent

    def call_all(self) -> None:
        """Wake all that rest."""
        for bell in self._bells.values():
            bell.ring()

    async def rest(self, batch: Batch, seconds: float) -> bool:
        """Wait for some seconds, and say whether somebody called before the time was up."""
        return await self.rest_in(batch.id, seconds)

    async def rest_in(self, batch_id: BatchId, seconds: float) -> bool:
        """Wait as `rest` does, without knowing more of the batch than its id."""
        until = self._clock.now() + seconds
        if seconds > 0:
            await self._bells[batch_id].wait_at_most(seconds, self._clock)
        return self._clock.now() < until

    async def tell(self, batch: Batch, trouble: str) -> None:
        """Leave word of what keeps a batch, once.

        Args:
            batch: Any.
            trouble: In one line, for `batchd status`.
        """
        if batch.trouble != trouble:
            log.warning("batch waits", batch=batch.id, reason=trouble)
            await self._store.batches.note(batch, trouble=trouble)

    async def hold(self, batch: Batch, reason: str, found: tuple[RemoteBatch, ...] = ()) -> Batch:
        """Leave a batch to a person.

        Args:
            batch: Any that is under way.
            reason: Why nobody else can decide.
            found: What the API has that it may be about.
        """
        named = "; ".join(_named(remote) for remote in found)
        log.error("batch held", batch=batch.id, reason=reason)
        return await self._store.batches.move(
            batch, State.HELD, trouble=f"{reason} [{named}]" if named else reason, next_poll_at=None
        )

    async def adopt(self, batch: Batch, remote: RemoteBatch, evidence: Evidence) -> Batch:
        """Take a batch of the API for ours.

        Args:
            batch: An intended one.
            remote: The API's.
            evidence: What makes us believe it.
        """
        now = self._clock.now()
        log.info("batch submitted", batch=batch.id, remote=remote.id, requests=batch.count, evidence=evidence.value)
        return await self._store.batches.move(
            batch,
            State.PROCESSING,
            remote_id=remote.id,
            evidence=evidence,
            submitted_at=now,
            expires_at=remote.expires_at,
            next_poll_at=now + self._poll.delay_randomly(0),
            trouble=None,
        )


def _named(remote: RemoteBatch) -> str:
    made = datetime.fromtimestamp(remote.created_at, UTC).isoformat(timespec="seconds")
    return f"{remote.id} made {made} with {remote.counts.total} requests, {remote.status}"
