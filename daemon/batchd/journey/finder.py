"""The leg of doubt: an unanswered create may have made a batch, which is looked for before anything is sent again."""

from contextlib import aclosing
from functools import partial

import structlog

from batchd.claude.batch_body import row_of
from batchd.claude.result_line import lines, read
from batchd.decisions.batch.backoff import DOUBT, PARKED
from batchd.decisions.batch.reconcile import Adopt, Decision, Intent, Look, Probe, Resend, Sight, decide, older, sight
from batchd.edges.api import Api
from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.errors import Gone, Parked, Refused, Unavailable
from batchd.lifecycle import State
from batchd.model import Batch, Evidence, RemoteBatch
from batchd.running.wakeups import Wakeups

log = structlog.get_logger()

UNREADABLE = 3600.0
"""Seconds after which a list that the API keeps denying becomes a person's business."""


class Finder:
    """Finds out what became of unanswered creates."""

    def __init__(self, store: Store, api: Api, clock: Clock, wakeups: Wakeups, doubt: float) -> None:
        """Make ready.

        Args:
            store: Where batches stand.
            api: Whose list is read.
            clock: What waits are measured by.
            station: Where they wait.
            doubt: Seconds that an unanswered create may take to show in the list.
        """
        self._store = store
        self._api = api
        self._clock = clock
        self._wakeups = wakeups
        self._doubt = doubt

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
                decision = decide(seen, before, waited=waited, doubt=self._doubt)
                if settled := await self._act(batch, decision):
                    return settled
                before = seen
                pause = min(DOUBT.delay_randomly(waited), max(self._doubt / 4, 0.05))
            except (Parked, Gone, Refused) as denied:
                if self._clock.now() - began > UNREADABLE:
                    return await self._wakeups.hold(
                        batch, f"its create is in doubt and the API denies the list: {denied}"
                    )
                await self._wakeups.tell(batch, str(denied))
                pause = PARKED.delay_randomly(self._clock.now() - began)
            await self._wakeups.rest(batch, pause)

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
                return await self._wakeups.adopt(batch, remote, Evidence.COUNT)
            case Resend():
                log.info("nothing was created", batch=batch.id, attempt=batch.attempt)
                return await self._store.batches.move(batch, State.PLANNED, trouble=None)
            case Probe(remotes):
                ours = tuple([remote for remote in remotes if await self._is_ours(remote, batch)])
                if len(ours) > 1:
                    return await self._wakeups.hold(batch, "more than one batch at the API carries its requests", ours)
                return await self._wakeups.adopt(batch, ours[0], Evidence.NONCE) if ours else None
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
