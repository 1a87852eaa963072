"""The courier: carries one batch from its plan to its delivery, whatever happens on the way.

To resume is to start: every leg takes the batch up from where the store says it stands, and may be repeated.
The protocol of `submit` and `find` is told in `docs/internals.md`: no request is ever paid for twice, although
the API has no idempotency key.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
import structlog
from anyio import to_thread

from daemon.decisions.doubt import Adopt, Decision, Intent, Look, Probe, Resend, Sight, decide, older, sight
from daemon.decisions.pace import DOUBT, PARKED, PATIENCE, Pace
from daemon.decisions.resultline import lines, read
from daemon.decisions.wire import row_of
from daemon.edges.api import Api
from daemon.edges.clock import Bell, Clock
from daemon.edges.spool import Body
from daemon.edges.store import CountTaken, Stale, Store
from daemon.errors import BatchdError, Gone, InDoubt, Parked, Refused, Unavailable, Unusable, where
from daemon.lifecycle import State
from daemon.model import Batch, BatchId, Evidence, RemoteBatch, RemoteId

log = structlog.get_logger()

Leg = Callable[[Batch], Awaitable[Batch]]

HOUR = 3600.0
UNREADABLE = HOUR
"""Seconds after which a list, a batch or results that the API keeps denying become a person's business."""
OVERDUE = 2 * HOUR
"""Seconds after its expiry that a batch may still say it is under way."""
LIFE = 24 * HOUR
"""Seconds after which the API expires a batch (docs: batch processing), where it does not say so itself."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the settings say to a courier."""

    concurrency: int
    """Creates in flight."""
    doubt: float
    """Seconds that an unanswered create may take to show in the list."""
    poll: Pace


class Courier:
    """Carries batches, any number at one time; between legs it keeps nothing that the store does not know."""

    def __init__(  # noqa: PLR0913  the edges it works with
        self, store: Store, api: Api, clock: Clock, spool: Path, orders: Orders, collect: Leg
    ) -> None:
        """Hire one.

        Args:
            store: Where batches stand.
            api: Where they go.
            clock: What waits are measured by.
            spool: The folder of the params.
            orders: What the settings say.
            collect: The last leg: from an ended batch to a settled one.
        """
        self._store = store
        self._api = api
        self._clock = clock
        self._spool = spool
        self._orders = orders
        self._legs: dict[State, Leg] = {
            State.PLANNED: self.submit,
            State.INTENDED: self.find,
            State.PROCESSING: self.poll,
            State.ENDED: collect,
        }
        self._counter = anyio.CapacityLimiter(orders.concurrency)
        self._gate = Gate(clock)
        self._resolved = Bell()
        self._bells: dict[BatchId, Bell] = {}

    async def carry(self, batch_id: BatchId) -> None:
        """Bring a batch as far as it can go: to its end, or to where a person must decide.

        Args:
            batch_id: Its id.
        """
        self._bells[batch_id] = Bell()
        try:
            batch = await self._store.batches.get(batch_id)
            while leg := self._legs.get(batch.state):
                batch = await self._patiently(leg, batch)
            log.info(f"batch {batch.state}", batch=batch.id, remote=batch.remote_id, requests=batch.count)
        finally:
            del self._bells[batch_id]

    def call(self, batch_id: BatchId) -> None:
        """Wake the courier of a batch: somebody wants something of it.

        Args:
            batch_id: Its id; one that nobody carries is passed over.
        """
        if bell := self._bells.get(batch_id):
            bell.ring()

    async def counter_is_free(self) -> None:
        """Wait until no create is in flight, so that a stop leaves none in doubt."""
        while self._counter.borrowed_tokens:
            await self._resolved.wait()

    async def submit(self, batch: Batch) -> Batch:
        """Send a planned batch, once: the intent is durable before the first byte leaves.

        Args:
            batch: A planned one.
        """
        cancelled, _ = await self._store.batches.cancel_wanted(batch.id)
        if cancelled:
            await self._store.batches.dissolve(batch)
            return await self._store.batches.get(batch.id)
        if wait := self._gate.admit():
            if batch.trouble != self._gate.reason:
                batch = await self._store.batches.note(batch, trouble=self._gate.reason)
            await self._rest(batch, wait)
            return batch
        try:
            async with self._counter:
                sent = await self._send(batch)
        except CountTaken:
            await self._resolved.wait_at_most(PATIENCE.initial, self._clock)
            return batch
        except Parked as trouble:
            self._gate.close(str(trouble))
            raise
        finally:
            self._resolved.ring()
        if self._gate.open():
            for bell in self._bells.values():
                bell.ring()
        return sent

    async def _send(self, batch: Batch) -> Batch:
        newest = await self._api.page(limit=1)
        baseline = newest.batches[0].id if newest.batches else None
        attempt = batch.attempt + 1
        body = await self._body(batch, attempt)
        batch = await self._store.batches.move(
            batch,
            State.INTENDED,
            attempt=attempt,
            body_sha256=await body.sha256(),
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
        return await self._adopt(batch, remote, Evidence.ANSWER)

    async def _body(self, batch: Batch, attempt: int) -> Body:
        places = await self._store.batches.body(batch.id)
        # There may be 100,000 of them.
        return await to_thread.run_sync(Body, self._spool, batch.nonce, attempt, places)

    async def find(self, batch: Batch) -> Batch:
        """Look for the batch that an unanswered create may have made.

        Args:
            batch: An intended one.
        """
        before: Sight | None = None
        began = self._clock.now()
        while True:
            try:
                batch, seen, waited = await self._look(batch)
                decision = decide(seen, before, waited=waited, doubt=self._orders.doubt)
                if settled := await self._act(batch, decision):
                    return settled
                before = seen
                pause = min(DOUBT.wait_randomly(waited), max(self._orders.doubt / 4, 0.05))
            except (Parked, Gone, Refused) as denied:
                if self._clock.now() - began > UNREADABLE:
                    return await self._hold(batch, f"its create is in doubt and the API denies the list: {denied}", ())
                await self._tell(batch, str(denied))
                pause = PARKED.wait_randomly(self._clock.now() - began)
            await self._rest(batch, pause)

    async def _look(self, batch: Batch) -> tuple[Batch, Sight, float]:
        """Read the list back to the baseline: the candidates, and for how long the doubt has lasted."""
        intent = Intent(batch.count, batch.baseline_id, batch.baseline_time or 0.0)
        listing, server_time = await self._api.newer_than(partial(older, intent=intent))
        now = server_time or self._clock.now()
        if batch.doubted_at is None:
            batch = await self._store.batches.note(batch, doubted_at=now, trouble="looking for its create")
        owners = await self._store.batches.owners_of([remote.id for remote in listing])
        disproved = await self._store.batches.disproved(batch.id)
        return batch, sight(listing, intent, owners=owners, disproved=disproved), now - (batch.doubted_at or now)

    async def _act(self, batch: Batch, decision: Decision) -> Batch | None:
        """Do what was decided; None when the next look must decide again."""
        match decision:
            case Adopt(remote):
                return await self._adopt(batch, remote, Evidence.COUNT)
            case Resend():
                log.info("nothing was created", batch=batch.id, attempt=batch.attempt)
                return await self._store.batches.move(batch, State.PLANNED, trouble=None)
            case Probe(remotes):
                ours = tuple([remote for remote in remotes if await self._is_ours(remote, batch)])
                if len(ours) > 1:
                    return await self._hold(batch, "more than one batch at the API carries its requests", ours)
                return await self._adopt(batch, ours[0], Evidence.NONCE) if ours else None
            case Look():
                return None

    async def _is_ours(self, remote: RemoteBatch, batch: Batch) -> bool:
        """Ask an ended batch whose it is; what is another's is noted, so that it is asked only once."""
        async with self._api.results(remote.id, remote.results_url) as pieces, aclosing(lines(pieces)) as each:
            first = await anext(each, None)
        if first is None:
            raise Unavailable(f"the results of {remote.id} are empty")
        if row_of(read(first).custom_id, batch.nonce) is not None:
            return True
        await self._store.batches.disprove(batch.id, remote.id)
        return False

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
            if await self._rest(batch, min(wait, 2 * self._orders.poll.longest)):
                continue
            try:
                remote = await self._api.retrieve(_id(batch))
                missing_since = None
            except (Gone, Refused) as denied:
                missing_since = missing_since or self._clock.now()
                if self._clock.now() - missing_since > UNREADABLE:
                    return await self._hold(batch, f"the API does not know it any more: {denied}", ())
                batch = await self._next_poll(batch, trouble=str(denied))
                continue
            if remote.ended:
                return await self._store.batches.move(
                    batch, State.ENDED, ended_at=remote.ended_at, results_url=remote.results_url, trouble=None
                )
            if _overdue(remote):
                return await self._hold(batch, "it has not ended although it has expired", (remote,))
            batch = await self._next_poll(batch, trouble=None)

    async def _cancel_if_wanted(self, batch: Batch) -> Batch:
        _, every = await self._store.batches.cancel_wanted(batch.id)
        if not every or batch.cancelled_at is not None or not batch.surely_ours:
            return batch
        try:
            await self._api.cancel(_id(batch))
        except (Refused, Gone) as denied:
            log.info("cannot be cancelled", batch=batch.id, reason=type(denied).__name__)
        now = self._clock.now()
        return await self._store.batches.note(batch, cancelled_at=now, next_poll_at=now + self._orders.poll.wait(0))

    async def _next_poll(self, batch: Batch, *, trouble: str | None) -> Batch:
        now = self._clock.now()
        wait = self._orders.poll.wait_randomly(now - (batch.submitted_at or now))
        return await self._store.batches.note(batch, next_poll_at=now + wait, trouble=trouble)

    async def _adopt(self, batch: Batch, remote: RemoteBatch, evidence: Evidence) -> Batch:
        now = self._clock.now()
        log.info("batch submitted", batch=batch.id, remote=remote.id, requests=batch.count, evidence=evidence.value)
        return await self._store.batches.move(
            batch,
            State.PROCESSING,
            remote_id=remote.id,
            evidence=evidence,
            submitted_at=now,
            expires_at=remote.expires_at,
            next_poll_at=now + self._orders.poll.wait_randomly(0),
            trouble=None,
        )

    async def _hold(self, batch: Batch, reason: str, found: tuple[RemoteBatch, ...]) -> Batch:
        named = "; ".join(_named(remote) for remote in found)
        log.error("batch held", batch=batch.id, reason=reason)
        return await self._store.batches.move(
            batch, State.HELD, trouble=f"{reason} [{named}]" if named else reason, next_poll_at=None
        )

    async def _tell(self, batch: Batch, trouble: str) -> None:
        if batch.trouble != trouble:
            log.warning("batch waits", batch=batch.id, reason=trouble)
            await self._store.batches.note(batch, trouble=trouble)

    async def _rest(self, batch: Batch, seconds: float) -> bool:
        """Wait, and say whether somebody called before the time was up."""
        until = self._clock.now() + seconds
        if seconds > 0:
            await self._bells[batch.id].wait_at_most(seconds, self._clock)
        return self._clock.now() < until

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
                pace, reason = _waits(trouble, batch)
                at_least = getattr(trouble, "retry_after", None) or 0.0
            if self._clock.now() - asked > pace.longest:
                failing_since = self._clock.now()
            await self._tell_if_possible(batch, reason)
            await self._rest(batch, max(at_least, pace.wait_randomly(self._clock.now() - failing_since)))
            batch = await self._store.batches.get(batch.id)
            if self._legs.get(batch.state) != leg:
                return batch

    async def _tell_if_possible(self, batch: Batch, reason: str) -> None:
        try:
            await self._tell(await self._store.batches.get(batch.id), reason)
        except (Unavailable, Stale):
            log.warning("batch waits", batch=batch.id, reason=reason)


class Gate:
    """Closed while the API refuses key or money, so that one batch asks at a calm pace and not all of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._closed_since: float | None = None
        self._next_try_at = 0.0
        self.reason = ""
        """Why it is closed."""

    def admit(self) -> float:
        """Let a batch through, or say for how many seconds none is; while closed, one at a time may try."""
        now = self._clock.now()
        if self._closed_since is not None:
            if now < self._next_try_at:
                return self._next_try_at - now
            self._next_try_at = now + PARKED.initial
        return 0.0

    def close(self, reason: str) -> None:
        """Keep everybody for a while, longer the longer it lasts.

        Args:
            reason: Why, for people.
        """
        now = self._clock.now()
        if self._closed_since is None:
            self._closed_since = now
        wait = PARKED.wait(now - self._closed_since)
        self._next_try_at = now + wait
        self.reason = reason
        log.error("submissions parked", reason=reason, seconds=round(wait))

    def open(self) -> bool:
        """Let everybody through, and say whether it was closed."""
        was_closed, self._closed_since = self._closed_since is not None, None
        return was_closed


def _waits(trouble: Exception, batch: Batch) -> tuple[Pace, str]:
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


def _overdue(remote: RemoteBatch) -> bool:
    """Whether it should have expired long since, by the server's time: ours may have been set meanwhile."""
    expires_at = remote.expires_at or remote.created_at + LIFE
    return remote.server_time is not None and remote.server_time > expires_at + OVERDUE


def _id(batch: Batch) -> RemoteId:
    if batch.remote_id is None:
        raise LookupError(f"batch {batch.id} is {batch.state} without an id of the API")
    return batch.remote_id


def _named(remote: RemoteBatch) -> str:
    made = datetime.fromtimestamp(remote.created_at, UTC).isoformat(timespec="seconds")
    return f"{remote.id} made {made} with {remote.counts.total} requests, {remote.status}"
