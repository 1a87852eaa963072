"""The leg of patience: a submitted batch is polled, ever less often, until the API says it has ended."""

from datetime import UTC, datetime

import structlog

from batchd.decisions.batch.backoff import Backoff
from batchd.decisions.batch.deadline import overdue
from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.errors import Gone, Refused, Unavailable
from batchd.journey.finder import Finder
from batchd.model import Batch, RemoteBatch
from batchd.notice import Why
from batchd.running.accounts import ApiOf
from batchd.running.wakeups import Wakeups

log = structlog.get_logger()

HOUR = 3600.0
UNREADABLE = HOUR
"""Seconds after which a batch that the API keeps denying becomes a person's business."""


class Poller:
    """Polls batches, each by itself."""

    def __init__(  # noqa: PLR0913  the edges it works with
        self, store: Store, accounts: ApiOf, clock: Clock, wakeups: Wakeups, finder: Finder, backoff: Backoff
    ) -> None:
        """Put a poller together.

        Args:
            store: Where batches stand.
            accounts: What is polled, by whose key.
            clock: What waits are measured by.
            wakeups: Where they rest.
            finder: Looks for what an attempt in doubt has made after all.
            backoff: How often a batch is polled.
        """
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._wakeups = wakeups
        self._finder = finder
        self._backoff = backoff

    async def poll(self, batch: Batch) -> Batch:
        """Poll a batch at a growing interval until it has ended.

        Args:
            batch: A processing one.
        """
        while True:
            batch = await self._cancel_if_wanted(batch)
            wait = (batch.next_poll_at or 0.0) - self._clock.now()
            # A clock that was set back while nobody ran must not make anybody wait for longer than usual.
            if await self._wakeups.rest(batch.id, min(wait, 2 * self._backoff.longest)):
                continue
            try:
                remote = await self._accounts.api(batch.account).retrieve(batch.known_id)
            except (Gone, Refused) as denied:
                since = batch.denied_since or self._clock.now()
                if self._clock.now() - since > UNREADABLE:
                    reason = f"the API does not know it any more: {denied}"
                    return await self._store.batches.hold(batch, reason, Why.UNKNOWN, now=self._clock.now())
                batch = await self._next_poll(batch, trouble=str(denied), denied_since=since)
                continue
            if batch.doubts and batch.twin is None and (twin := await self._twin_of(batch)):
                if not remote.ended:
                    return await self._exchange(batch, twin)
                batch = await self._store.batches.tell_twin(batch, twin.id)
            batch = await self._tell_of_dissolved(batch)
            if remote.ended:
                return await self._store.batches.end(batch, remote)
            if overdue(remote, submitted_at=batch.submitted_at, now=self._clock.now()):
                reason = f"it has not ended although it has expired: {described(remote)}"
                return await self._store.batches.hold(batch, reason, Why.OVERDUE, now=self._clock.now())
            batch = await self._next_poll(batch, trouble=None)

    async def _cancel_if_wanted(self, batch: Batch) -> Batch:
        _, every = await self._store.trips.cancel_wanted(batch.id)
        if not every or batch.cancelled_at is not None or not batch.surely_ours:
            return batch
        await self._cancel(batch)
        now = self._clock.now()
        return await self._store.batches.cancelled(batch, at=now, next_poll_at=now + self._backoff.delay(0))

    async def _cancel(self, batch: Batch) -> None:
        try:
            await self._accounts.api(batch.account).cancel(batch.known_id)
        except (Refused, Gone) as denied:
            log.info("cannot be cancelled", batch=batch.id, reason=type(denied).__name__)

    async def _twin_of(self, batch: Batch) -> RemoteBatch | None:
        """Look whether an attempt that was given up has made a batch after all."""
        try:
            twin = await self._finder.twin_of(batch)
        except (Gone, Refused, Unavailable) as denied:
            log.info("cannot look for a second batch", batch=batch.id, reason=type(denied).__name__)
            return None
        if twin is not None:
            log.error("a second batch has requests of this one", batch=batch.id, remote=batch.remote_id, twin=twin.id)
        return twin

    async def _tell_of_dissolved(self, batch: Batch) -> Batch:
        """Tell of what a batch has made after all that was dissolved, and whose requests travel in this one now."""
        if batch.twin is not None:
            return batch
        for dissolved in await self._store.batches.given_up_before(batch.id):
            if late := await self._twin_of(dissolved):
                await self._store.batches.tell_twin(dissolved, late.id)
                return await self._store.batches.tell_twin(batch, late.id)
        return batch

    async def _exchange(self, batch: Batch, twin: RemoteBatch) -> Batch:
        """Take the results that an earlier attempt has brought, and stop what a later one still does."""
        if batch.surely_ours:
            await self._cancel(batch)
        return await self._store.batches.exchange(batch, twin)

    async def _next_poll(self, batch: Batch, *, trouble: str | None, denied_since: float | None = None) -> Batch:
        now = self._clock.now()
        wait = self._backoff.delay_randomly(now - (batch.submitted_at or now))
        return await self._store.batches.poll_later(batch, at=now + wait, trouble=trouble, denied_since=denied_since)


def described(remote: RemoteBatch) -> str:
    """Describe a batch of the API to a person who looks for it there."""
    made = datetime.fromtimestamp(remote.created_at, UTC).isoformat(timespec="seconds")
    return f"{remote.id} made {made} with {remote.counts.total} requests, {remote.status}"
