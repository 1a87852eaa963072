"""The leg of doubt: an unanswered create may have made a batch, which is looked for before anything is sent again."""

from contextlib import aclosing
from dataclasses import dataclass

import structlog

from batchd.claude.batch_body import row_of, sending_of
from batchd.claude.result_line import read
from batchd.decisions.batch.backoff import DOUBT, PARKED, Backoff
from batchd.decisions.batch.reconcile import (
    Adopt,
    Decision,
    Hold,
    Look,
    Newer,
    Probe,
    Resend,
    Sight,
    decide,
    elsewhere,
    newer,
    passed_by,
    sight,
)
from batchd.edges.api import Api
from batchd.edges.api.lines import cut_lines
from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.errors import Gone, Parked, Refused
from batchd.model import Batch, Evidence, Intent, RemoteBatch, RemoteId
from batchd.notice import Why
from batchd.running.accounts import ApiOf
from batchd.running.wakeups import Wakeups

log = structlog.get_logger()

UNREADABLE = 3600.0
"""Seconds after which a list that the API keeps denying becomes a person's business."""
_LOOKING = "looking for its create"
PAGE = 100
"""Batches of the list that are read in one call."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """One reading of the API's list, back to an intent."""

    newer: Newer
    server_time: float | None
    organization: str | None


class Finder:
    """Finds out what became of unanswered creates."""

    def __init__(  # noqa: PLR0913  the edges it works with
        self, store: Store, accounts: ApiOf, clock: Clock, wakeups: Wakeups, *, doubt: float, poll: Backoff
    ) -> None:
        """Put a finder together.

        Args:
            store: Where batches stand.
            accounts: Whose lists are read.
            clock: What waits are measured by.
            wakeups: Where they rest.
            doubt: Seconds that an unanswered create may take to show in the list.
            poll: How soon a batch that was found is polled.
        """
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._wakeups = wakeups
        self._doubt = doubt
        self._poll = poll

    async def find(self, batch: Batch) -> Batch:
        """Look for the batch that an unanswered create may have made.

        Args:
            batch: An intended one.
        """
        before: Sight | None = None
        while True:
            try:
                batch, seen, decision, waited = await self._look(batch, before)
                if settled := await self._act(batch, decision):
                    return settled
                if batch.denied_since is not None:
                    batch = await self._store.batches.denied(batch, _LOOKING, since=None)
                before = seen
                pause = min(DOUBT.delay_randomly(waited), max(self._doubt / 4, 0.05))
            except (Parked, Gone, Refused) as denied:
                since = batch.denied_since or self._clock.now()
                if self._clock.now() - since > UNREADABLE:
                    reason = f"its create is in doubt, and the API denies what would tell: {denied}"
                    return await self._store.batches.hold(batch, reason, Why.IN_DOUBT, now=self._clock.now())
                if (batch.trouble, batch.denied_since) != (str(denied), since):
                    batch = await self._store.batches.denied(batch, str(denied), since=since)
                pause = PARKED.delay_randomly(self._clock.now() - since)
            await self._wakeups.rest(batch.id, pause)

    async def twin_of(self, batch: Batch) -> RemoteBatch | None:
        """Look for a second batch that carries the requests of one, made by an attempt that was given up.

        Args:
            batch: A processing one, or one that was dissolved.

        Returns:
            One that has ended, and is proved ours: what still runs does not show whose it is.
        """
        if batch.intent is None:
            return None
        listing = await self._read(batch, batch.intent)
        seen = await self._sight(batch, batch.intent, listing)
        for remote in seen.free:
            if remote.ended and await self._is_ours(remote, batch):
                return remote
        return None

    async def _look(self, batch: Batch, before: Sight | None) -> tuple[Batch, Sight, Decision, float]:
        """Read the list back to the baseline, and decide; also for how long the doubt has lasted."""
        intent = batch.intent or Intent(batch.count, None, 0.0)
        api = self._accounts.api(batch.account)
        listing = await self._read(batch, intent)
        now = listing.server_time or self._clock.now()
        if batch.doubted_at is None:
            batch = await self._store.batches.doubt(batch, since=now)
        if reason := elsewhere(intent, origin=api.origin, organization=listing.organization):
            return batch, Sight(), Hold(reason), 0.0
        seen = await self._sight(batch, intent, listing)
        waited = now - (batch.doubted_at or now)
        decision = decide(seen, before, waited=waited, doubt=self._doubt, anchored=listing.newer.anchored)
        return batch, seen, decision, waited

    async def _read(self, batch: Batch, intent: Intent) -> _Listing:
        """Read the list of its account as far back as it takes to know what is newer than an intent."""
        api = self._accounts.api(batch.account)
        entries: list[RemoteBatch] = []
        seen: set[RemoteId] = set()
        after: RemoteId | None = None
        gone: bool | None = None
        while True:
            page = await api.page(limit=PAGE, after=after)
            fresh = {remote.id for remote in page.batches} - seen
            entries += page.batches
            seen |= fresh
            # A gateway that pages in circles shows nothing new.
            whole = page.next_after is None or not fresh
            if gone is None and passed_by(entries, intent):
                gone = await _is_gone(api, intent.baseline_id)
            found = newer(entries, intent, whole=whole, gone=bool(gone))
            if found is not None:
                if not found.ordered:
                    log.warning("the API's list is not newest first: it is read to its end", batches=len(entries))
                return _Listing(found, page.server_time, page.organization)
            after = page.next_after

    async def _sight(self, batch: Batch, intent: Intent, listing: _Listing) -> Sight:
        owners = await self._store.remotes.owners_of(
            [remote.id for remote in listing.newer.batches], account=batch.account, origin=intent.origin
        )
        disproved = await self._store.remotes.disproved(batch.id)
        return sight(listing.newer.batches, intent, owners=owners, disproved=disproved)

    async def _act(self, batch: Batch, decision: Decision) -> Batch | None:
        """Do what was decided; None when the next look must decide again."""
        match decision:
            case Adopt(remote):
                return await self._adopt(batch, remote, Evidence.COUNT)
            case Resend():
                log.info("nothing was created", batch=batch.id, attempt=batch.attempt)
                return await self._store.batches.give_up_looking(batch)
            case Hold(reason):
                return await self._store.batches.hold(batch, reason, Why.IN_DOUBT, now=self._clock.now())
            case Probe(remotes):
                return await self._probe(batch, remotes)
            case Look():
                return None

    async def _probe(self, batch: Batch, remotes: tuple[RemoteBatch, ...]) -> Batch | None:
        """Take the batch that carries our requests, if any of these does; of several, one, and tell of another."""
        ours = [remote for remote in remotes if await self._is_ours(remote, batch)]
        if not ours:
            return None
        adopted = await self._adopt(batch, ours[-1], Evidence.NONCE)
        for twin in ours[:-1]:
            log.error("paid for twice", batch=batch.id, remote=adopted.remote_id, twin=twin.id)
            adopted = await self._store.batches.tell_twin(adopted, twin.id)
        return adopted

    async def _adopt(self, batch: Batch, remote: RemoteBatch, evidence: Evidence) -> Batch:
        now = self._clock.now()
        return await self._store.batches.adopt(
            batch,
            remote.id,
            evidence,
            now=now,
            next_poll_at=now + self._poll.delay_randomly(0),
            expires_at=remote.expires_at,
        )

    async def _is_ours(self, remote: RemoteBatch, batch: Batch) -> bool:
        """Ask an ended batch whose it is; what is another's is noted, so that it is asked only once."""
        api = self._accounts.api(batch.account)
        async with api.results(remote.id, remote.results_url) as pieces, aclosing(cut_lines(pieces)) as each:
            first = await anext(each, None)
        if first is None:
            raise Gone(f"the results of {remote.id} are empty: whose they are cannot be told")
        if await self._carries(batch, read(first).custom_id):
            return True
        await self._store.remotes.disprove(batch.id, remote.id)
        return False

    async def _carries(self, batch: Batch, custom_id: str) -> bool:
        """Whether an id on the wire names one of the sendings of a batch."""
        sending = sending_of(custom_id, self._store.installation)
        if sending is None:
            return row_of(custom_id, batch.nonce) is not None
        return await self._store.trips.carries(batch.id, sending)


async def _is_gone(api: Api, baseline: RemoteId | None) -> bool:
    if baseline is None:
        return False
    try:
        await api.retrieve(baseline)
    except Gone:
        return True
    return False
