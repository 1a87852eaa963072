"""The first leg: a planned batch is sent, once. The protocol is told in `docs/internals.md`."""

from pathlib import Path

import anyio
import structlog
from anyio import to_thread

from batchd.decisions.batch.backoff import PATIENCE
from batchd.edges.api import Api
from batchd.edges.clock import Bell, Clock
from batchd.edges.spool import Body
from batchd.edges.store import CountTaken, Store
from batchd.errors import InDoubt, Refused, Unavailable
from batchd.lifecycle import State
from batchd.model import Batch, Evidence
from batchd.running.wakeups import Wakeups

log = structlog.get_logger()


class Sender:
    """Sends batches, so many at one time."""

    def __init__(  # noqa: PLR0913  the edges it works with
        self, store: Store, api: Api, clock: Clock, spool: Path, wakeups: Wakeups, concurrency: int
    ) -> None:
        """Make ready.

        Args:
            store: Where batches stand.
            api: Where they go.
            clock: What waits are measured by.
            spool: The folder of the params.
            station: Where they wait.
            concurrency: Creates in flight.
        """
        self._store = store
        self._api = api
        self._clock = clock
        self._spool = spool
        self._wakeups = wakeups
        self._counter = anyio.CapacityLimiter(concurrency)
        self._resolved = Bell()

    async def counter_is_free(self) -> None:
        """Wait until no create is in flight, so that a stop leaves none in doubt."""
        while self._counter.borrowed_tokens:
            await self._resolved.wait()

    async def submit(self, batch: Batch) -> Batch:
        """Send a planned batch, once: the intent is durable before the first byte leaves.

        Args:
            batch: A planned one.
        """
        return await self._wakeups.leave(batch, self._send_in_turn)

    async def _send_in_turn(self, batch: Batch) -> Batch:
        try:
            async with self._counter:
                return await self._send(batch)
        except CountTaken:
            await self._resolved.wait_at_most(PATIENCE.initial, self._clock)
            return batch
        finally:
            self._resolved.ring()

    async def _send(self, batch: Batch) -> Batch:
        newest = await self._api.page(limit=1)
        baseline = newest.batches[0].id if newest.batches else None
        attempt = batch.attempt + 1
        body = await self._body(batch, attempt)
        batch = await self._store.batches.move(
            batch,
            State.INTENDED,
            attempt=attempt,
            baseline_id=baseline,
            baseline_time=newest.server_time or self._clock.now(),
            doubted_at=None,
            trouble=None,
        )
        try:
            remote = await self._api.create(body.stream(), body.length, batch.betas)
        except InDoubt as doubt:
            log.warning("create in doubt", batch=batch.id, reason=str(doubt))
            return batch
        except Refused as refusal:
            log.warning("create refused", batch=batch.id, requests=batch.count, kind=refusal.kind)
            await self._store.batches.dissolve(batch, refused=f"{refusal.kind}: {refusal.said}")
            return await self._store.batches.get(batch.id)
        except Unavailable:
            await self._store.batches.move(batch, State.PLANNED)
            raise
        return await self._wakeups.adopt(batch, remote, Evidence.ANSWER)

    async def _body(self, batch: Batch, attempt: int) -> Body:
        places = await self._store.batches.body(batch.id)
        # There may be 100,000 of them.
        return await to_thread.run_sync(Body, self._spool, batch.nonce, attempt, places)
