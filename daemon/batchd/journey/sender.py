"""The first leg: a planned batch is sent, once. The protocol is told in `docs/internals.md`."""

from pathlib import Path

import anyio
import structlog
from anyio import to_thread

from batchd.decisions.batch.backoff import Backoff
from batchd.decisions.batch.plan import halves
from batchd.decisions.batch.reconcile import contradiction, first_intent
from batchd.decisions.batch.refusal import About, about, digest_of
from batchd.edges.clock import Bell, Clock
from batchd.edges.spool import Body
from batchd.edges.store import CountTaken, Store
from batchd.errors import InDoubt, Refused, RefusedAlike, TooLarge, Unavailable
from batchd.lifecycle import State
from batchd.model import Batch, Evidence, Intent
from batchd.running.accounts import ApiOf
from batchd.running.counts import Counts
from batchd.running.departure import Departure
from batchd.running.life import LifeLine
from batchd.running.wakeups import Wakeups

log = structlog.get_logger()

LONGEST = 300.0
"""Seconds after which a batch looks again whether its count is free, though nobody called it."""


class Sender:
    """Submits batches, at most `concurrency` at once."""

    def __init__(  # noqa: PLR0913  the edges it works with
        self,
        store: Store,
        accounts: ApiOf,
        clock: Clock,
        spool: Path,
        wakeups: Wakeups,
        departure: Departure,
        counts: Counts,
        life: LifeLine,
        *,
        concurrency: int,
        first_byte: float,
        poll: Backoff,
        longest: float = LONGEST,
    ) -> None:
        """Put a sender together.

        Args:
            store: Where batches stand.
            accounts: Where they go, by whose key.
            clock: What waits are measured by.
            spool: The folder of the params.
            wakeups: Where they rest.
            departure: What they pass before.
            counts: Which counts are in flight.
            life: Tells the outbox of each intent.
            concurrency: Creates in flight.
            first_byte: Seconds from before an intent is committed to the first byte of its create, at the most.
            poll: How soon a new batch is polled.
            longest: Seconds after which a batch looks again whether its count is free: few, where other processes, of
                which nobody is called here, have creates in flight.
        """
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._spool = spool
        self._wakeups = wakeups
        self._departure = departure
        self._counts = counts
        self._life = life
        self._creates = anyio.CapacityLimiter(concurrency)
        self._first_byte = first_byte
        self._poll = poll
        self._longest = longest
        self._ended = Bell()
        self._stopping = False

    async def stop(self) -> None:
        """Begin no create any more, and return when none is in flight, so that none is left in doubt."""
        self._stopping = True
        while self._creates.borrowed_tokens:
            await self._ended.wait()

    async def submit(self, batch: Batch) -> Batch:
        """Send a planned batch, once: the intent is durable before the first byte leaves."""
        return await self._departure.leave(batch, self._send_in_turn)

    async def _send_in_turn(self, batch: Batch) -> Batch:
        """Send a batch as soon as no other create of its count is unresolved."""
        if self._stopping:
            await anyio.sleep_forever()
        with self._counts.heard_by(batch):
            try:
                async with self._creates:
                    # While it waited here, what went before it may have been refused.
                    if self._stopping or await self._departure.keeps(batch):
                        return batch
                    with self._counts.reserved(batch) as reserved:
                        if reserved and not await self._store.batches.count_taken(batch):
                            return await self._send(batch)
            except CountTaken:
                log.debug("count taken", batch=batch.id)
            finally:
                self._ended.ring()
            await self._wakeups.rest(batch.id, self._longest)
            return batch

    async def _send(self, batch: Batch) -> Batch:
        sent: Batch | None = None
        try:
            sent = await self._create(batch)
        finally:
            # One that is in doubt keeps its count; the courier tells when it is found.
            if sent is None or sent.state is not State.INTENDED:
                self._counts.resolved(batch)
        return sent

    async def _create(self, batch: Batch) -> Batch:
        intent = first_intent(batch, await self._baseline(batch))
        body = await self._body(batch)
        deadline = self._clock.now() + self._first_byte  # counted from before the intent is committed
        batch = await self._store.batches.intend(batch, intent)
        try:
            await self._life.tell()
        except OSError:
            await self._store.batches.not_created(batch)
            raise
        try:
            remote = await self._accounts.api(batch.account).create(
                body.stream(), body.length, batch.betas, version=batch.version, deadline=deadline
            )
        except InDoubt as doubt:
            log.warning("create in doubt", batch=batch.id, reason=str(doubt))
            return batch
        except Refused as refusal:
            return await self._refused(batch, refusal)
        except Unavailable:
            await self._store.batches.not_created(batch)
            raise
        owner = await self._store.remotes.owner(remote.id, account=batch.account, origin=intent.origin)
        if odd := contradiction(remote, intent, owner):
            log.error("create in doubt", batch=batch.id, remote=remote.id, reason=odd)
            return await self._store.batches.tell(batch, odd)
        await self._store.refusals.refute(batch)
        now = self._clock.now()
        return await self._store.batches.adopt(
            batch,
            remote.id,
            Evidence.ANSWER,
            now=now,
            next_poll_at=now + self._poll.delay_randomly(0),
            expires_at=remote.expires_at,
        )

    async def _baseline(self, batch: Batch) -> Intent:
        """What is known of the API just before a create."""
        api = self._accounts.api(batch.account)
        page = await api.page(limit=1)
        newest = page.batches[0].id if page.batches else None
        time = page.server_time or self._clock.now()
        return Intent(batch.count, newest, time, api.origin, page.organization)

    async def _refused(self, batch: Batch, refusal: Refused) -> Batch:
        """Find what is wrong in a batch, cut by cut; or keep all that are like it, if it is refused whatever is in it.

        Raises:
            RefusedAlike: It is not about a request of it.
        """
        log.warning("create refused", batch=batch.id, requests=batch.count, kind=refusal.kind)
        if not isinstance(refusal, TooLarge):
            found = await self._store.refusals.note(batch, digest_of(refusal.kind, refusal.said))
            others = await self._store.refusals.like(batch)
            if about(found, batch.count, refusal.said, others) is About.EVERYBODY:
                await self._store.batches.not_created(batch)
                raise RefusedAlike(f"the API refuses every batch alike ({refusal.kind}){refusal.sentence}")
        if batch.count > 1:
            return await self._store.batches.part(batch, halves(batch.count))
        return await self._store.batches.refuse(batch, f"{refusal.kind}: {refusal.said}")

    async def _body(self, batch: Batch) -> Body:
        rows = await self._store.trips.body(batch.id)
        # There may be 100,000 of them.
        return await to_thread.run_sync(Body, self._spool, self._store.installation, rows)
