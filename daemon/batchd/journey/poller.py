"""The leg of patience: a batch at the API is asked after at a growing interval, until it has ended."""

import structlog

from batchd.decisions.batch.backoff import Backoff
from batchd.edges.api import Api
from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.errors import Gone, Refused
from batchd.lifecycle import State
from batchd.model import Batch, RemoteBatch
from batchd.running.wakeups import Wakeups

log = structlog.get_logger()

HOUR = 3600.0
UNREADABLE = HOUR
"""Seconds after which a batch that the API keeps denying becomes a person's business."""
OVERDUE = 2 * HOUR
"""Seconds after its expiry that a batch may still say it is under way."""
LIFE = 24 * HOUR
"""Seconds after which the API expires a batch (docs: batch processing), where it does not say so itself."""


class Poller:
    """Asks after batches, each by itself."""

    def __init__(self, store: Store, api: Api, clock: Clock, wakeups: Wakeups, backoff: Backoff) -> None:
        """Make ready.

        Args:
            store: Where batches stand.
            api: Whom to ask.
            clock: What waits are measured by.
            station: Where they wait.
            pace: How often.
        """
        self._store = store
        self._api = api
        self._clock = clock
        self._wakeups = wakeups
        self._backoff = backoff

    async def poll(self, batch: Batch) -> Batch:
        """Ask after a batch at a growing interval until it has ended.

        Args:
            batch: A processing one.
        """
        missing_since: float | None = None
        while True:
            batch = await self._cancel_if_wanted(batch)
            wait = (batch.next_poll_at or 0.0) - self._clock.now()
            # A clock that was set back while nobody ran must not make anybody wait for longer than usual.
            if await self._wakeups.rest(batch, min(wait, 2 * self._backoff.longest)):
                continue
            try:
                remote = await self._api.retrieve(batch.known_id)
                missing_since = None
            except (Gone, Refused) as denied:
                missing_since = missing_since or self._clock.now()
                if self._clock.now() - missing_since > UNREADABLE:
                    return await self._wakeups.hold(batch, f"the API does not know it any more: {denied}")
                batch = await self._next_poll(batch, trouble=str(denied))
                continue
            if remote.ended:
                return await self._store.batches.move(
                    batch, State.ENDED, ended_at=remote.ended_at, results_url=remote.results_url, trouble=None
                )
            if _overdue(remote):
                return await self._wakeups.hold(batch, "it has not ended although it has expired", (remote,))
            batch = await self._next_poll(batch, trouble=None)

    async def _cancel_if_wanted(self, batch: Batch) -> Batch:
        _, every = await self._store.batches.cancel_wanted(batch.id)
        if not every or batch.cancelled_at is not None or not batch.surely_ours:
            return batch
        try:
            await self._api.cancel(batch.known_id)
        except (Refused, Gone) as denied:
            log.info("cannot be cancelled", batch=batch.id, reason=type(denied).__name__)
        now = self._clock.now()
        return await self._store.batches.note(batch, cancelled_at=now, next_poll_at=now + self._backoff.delay(0))

    async def _next_poll(self, batch: Batch, *, trouble: str | None) -> Batch:
        now = self._clock.now()
        wait = self._backoff.delay_randomly(now - (batch.submitted_at or now))
        return await self._store.batches.note(batch, next_poll_at=now + wait, trouble=trouble)


def _overdue(remote: RemoteBatch) -> bool:
    """Whether it should have expired long since, by the server's time: ours may have been set meanwhile."""
    expires_at = remote.expires_at or remote.created_at + LIFE
    return remote.server_time is not None and remote.server_time > expires_at + OVERDUE
