"""The first steps of a restored state: what was paid in its lost life is found and adopted, before anything is sent.

Every result at the API names its request (`claude.batch_body.wire_id`). So the batches that are younger than the state
are read through, and what they answer is noted; a request whose next sending is among it is delivered from there, and
not sent. It may be killed and started again anywhere: a fact in the store says that it is under way.
"""

from contextlib import aclosing, suppress
from pathlib import Path

import msgspec
import structlog
from anyio import to_thread

from batchd.claude.batch_body import new_nonce, sending_of
from batchd.decisions.batch.restored import Found, next_life, objection
from batchd.edges import claims, rejected
from batchd.edges.api.lines import cut_lines
from batchd.edges.clock import Bell, Clock
from batchd.edges.outbox import JobFolder
from batchd.edges.store import Store
from batchd.edges.store.facts import RESTORED, RESTORING
from batchd.errors import Gone, Rejected, Unavailable, Unusable
from batchd.journey import lost_life
from batchd.journey.places import Places
from batchd.journey.refusing import Refusing
from batchd.journey.retelling import retell
from batchd.lifecycle import State
from batchd.model import Intent, Job, Lane, Plan, Problem, RemoteBatch, RemoteId, Sending
from batchd.notice import Why
from batchd.running.accounts import Accounts
from batchd.running.life import LifeLine
from batchd.running.retrying import Retrying
from batchd.text import typed
from batchd.trouble import Thing, Work

log = structlog.get_logger()

MARGIN = 3_600.0
"""Seconds by which a batch may be older than the state's last moment and is looked at all the same: clocks differ."""
PAGE = 100
"""Batches of the list that are read in one call."""
_UNFINISHED = (
    "before the state was restored, this file had become job {job}, which is not finished: what was sent of it is not "
    "known. Drop it again to have all of it sent, perhaps once more"
)
_UNKNOWN = "sent or not: the state was restored, and nothing at the API shows what the sync lane has sent"
_STEPS_UNKNOWN = (
    "the state was restored, and the API has answered requests that it does not know: they may be those of the next "
    "step, which would be sent, and paid, once more"
)


class _Named(msgspec.Struct):
    custom_id: str = ""


class Restoring:
    """Notices an old state, and makes it safe."""

    def __init__(  # noqa: PLR0913  the edges it works with
        self,
        store: Store,
        accounts: Accounts,
        clock: Clock,
        places: Places,
        life: LifeLine,
        retrying: Retrying,
        bell: Bell,
        refusing: Refusing,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._places = places
        self._life = life
        self._retrying = retrying
        self._bell = bell
        self._refusing = refusing
        self.under_way = False
        """Whether nothing may be sent yet."""

    async def begin(self, *, restored: bool) -> None:
        """Look whether the state is old; where a person has said so, begin its next life.

        Args:
            restored: Whether a person knows that it is old.

        Raises:
            Unusable: It is, and nobody has said that it is known.
        """
        here, told = await self._life.here(), await self._life.told()
        self.under_way = bool(await self._store.facts.number(RESTORING))
        open_jobs = [job for job in await self._store.jobs.recent(0) if not job.delivered]
        if not restored and not self.under_way:
            found = [await self._found(job) for job in open_jobs]
            said = objection(here, told, found)
            if await self._store.facts.number(RESTORED):
                said = "it was filled from a backup"
            if said:
                raise Unusable(
                    f"the state folder was restored, or is damaged: {said}. `batchd run --restored` finds what was "
                    "paid since, and sends nothing before that (docs/operations.md, Restoring)"
                )
        elif restored:
            self.under_way = True
            life = next_life(here, told)
            await self._store.facts.begin_restoring(epoch=life.epoch, intents=life.intents)
            log.warning("restored", epoch=life.epoch, jobs=len(open_jobs))
        await self._life.tell()
        if self.under_way:
            await self._end_claims_of_the_lost_life()
            await retell(self._store, self._places, self._clock.now())
            for job in open_jobs:
                await to_thread.run_sync(
                    lost_life.keep_results, JobFolder(self._places.outbox, job.name), job.results_length
                )
            for batch in await self._store.batches.unfinished():
                if batch.state is State.PLANNED:
                    await self._store.batches.dissolve(batch)

    async def run(self) -> None:
        """Find what was paid in the lost life; until then nothing is sent."""
        if not self.under_way:
            return
        await self._retrying.until_done(Thing(Work.RESTORE, "state", "the restored state"), self._look_through)
        for job in await self._store.jobs.recent(0):
            if not job.delivered:
                await self._settle_as_it_lies(job)
        await self._hold_sync_lane()
        if held := await self._store.recovered.hold_steps(_STEPS_UNKNOWN):
            log.warning("steps held", jobs=held)
        await self._store.facts.end_restoring()
        self.under_way = False
        log.info("restored: all that was paid is known")
        self._bell.ring()

    async def _look_through(self) -> None:
        """Read every younger batch of the API that has ended; those that still run are waited for.

        So is the last request of a job that is still arriving: of one that is not in the store, nothing can be adopted.
        """
        if arriving := await self._store.arrivals.arriving():
            raise Unavailable(f"not all requests of job {arriving[0].name} are in the store yet")
        running = 0
        for account in sorted(self._accounts.names):
            for remote in await self._younger(account):
                if not remote.ended:
                    running += 1
                    continue
                with suppress(Gone):  # its results are past their days: nobody can deliver them
                    await self._store.recovered.keep(remote, await self._sendings(account, remote), account)
        if running:
            raise Unavailable(f"{running} batches of the API, made since the state was, still run: they may be its own")

    async def _younger(self, account: str) -> list[RemoteBatch]:
        since = await self._store.recovered.last_moment() - MARGIN
        found: dict[RemoteId, RemoteBatch] = {}
        after: RemoteId | None = None
        while True:
            page = await self._accounts.api(account).page(limit=PAGE, after=after)
            fresh = [remote for remote in page.batches if remote.id not in found]
            found |= {remote.id: remote for remote in fresh}
            # A list that is not newest first is read to its end: none of a page may be young, and the next one's all.
            times = [remote.created_at for remote in page.batches]
            ordered = times == sorted(times, reverse=True)
            if page.next_after is None or not fresh or (ordered and times[-1] < since):
                break
            after = page.next_after
        young = [remote.id for remote in found.values() if remote.created_at >= since]
        unknown = set[RemoteId]()
        for start in range(0, len(young), PAGE):
            unknown |= await self._store.recovered.unknown(young[start : start + PAGE], account)
        return [found[remote] for remote in young if remote in unknown]

    async def _sendings(self, account: str, remote: RemoteBatch) -> list[Sending]:
        sendings: list[Sending] = []
        decoder = typed.decoder(_Named)
        api = self._accounts.api(account)
        async with api.results(remote.id, remote.results_url) as pieces, aclosing(cut_lines(pieces)) as each:
            async for line in each:
                with suppress(msgspec.DecodeError):  # a line that names nobody is nobody's
                    if sending := sending_of(decoder.decode(line).custom_id, self._store.installation):
                        sendings.append(sending)
        if sendings:
            log.info("found", remote=remote.id, requests=len(sendings))
        return sendings

    async def could_adopt(self) -> bool:
        """Whether anything that waits needs no sending."""
        return await self._store.recovered.could_adopt()

    async def adopt(self) -> None:
        """Deliver, rather than send, what was paid in a lost life."""
        if adopted := await self._store.recovered.adopt(new_nonce):
            log.info("adopted", batches=adopted)

    async def _settle_as_it_lies(self, job: Job) -> None:
        """Take the outbox's word for requests of a finished job whose results the API has no more."""
        folder = JobFolder(self._places.outbox, job.name)
        read = await to_thread.run_sync(lost_life.finished, folder)
        waiting = await self._store.recovered.unanswered(job.id)
        if read is None or not waiting:
            return
        finished_at, length, reported = read
        told = [
            (waiting[row.custom_id], row.verdict.value, row.reason or "", row.document)
            for row in reported
            if row.custom_id in waiting and row.verdict is not None
        ]
        await self._store.recovered.settle_as_reported(told)
        tally = await self._store.tallies.of(job.id)
        if tally.settled == job.total and tally.settled == len(told):
            await self._store.recovered.finished(job.id, finished_at=finished_at, results_length=length)
            if await to_thread.run_sync(lost_life.is_packed, folder):
                await self._store.retention.folder_packed(job.id)
        log.warning("taken as it lies in the outbox", job=job.name, requests=len(told))

    async def _hold_sync_lane(self) -> None:
        """Leave to a person what may have been streamed: no list shows it."""
        for request, size in await self._store.recovered.sent_by_sync_lane():
            plan = Plan((request,), (), size, Lane.SYNC)
            await self._store.batches.plan([plan], now=self._clock.now(), nonce=new_nonce)
        for batch in await self._store.batches.unfinished():
            if batch.lane is Lane.SYNC and batch.state is State.PLANNED:
                intended = await self._store.batches.intend(batch, Intent(batch.count, None, self._clock.now()))
                await self._store.batches.hold(intended, _UNKNOWN, Why.RESTORED, now=self._clock.now())

    async def _end_claims_of_the_lost_life(self) -> None:
        """Take no file again that a lost life has refused or made a job of: it lies in the outbox, byte for byte.

        A job that the lost life has not finished may have been sent, and no result names its requests by their place in
        the file. So its file is refused, and a person may drop it again.
        """
        used: set[Path] = set()
        for claim in await to_thread.run_sync(claims.recover_claims, self._places.inbox, self._places.claims):
            if await self._store.jobs.of_claim(claim.id) is not None:
                continue
            for file in await to_thread.run_sync(lost_life.equals_of, self._places.outbox, claim):
                job = str(file.parent.relative_to(self._places.outbox))
                refused = file.is_relative_to(self._places.outbox / rejected.FOLDER)
                if file in used or (not refused and await self._store.jobs.named(job) is not None):
                    continue
                used.add(file)
                if not refused and not (file.parent / "job.json").is_file():
                    problem = Problem(0, "", _UNFINISHED.format(job=job))
                    await self._refusing.refuse(claim, Rejected([problem]), claim.ticket)
                log.warning("already taken", file=str(file.relative_to(self._places.outbox)))
                await to_thread.run_sync(claims.discard, claim)
                break

    async def _found(self, job: Job) -> Found:
        tally = await self._store.tallies.of(job.id)
        folder = JobFolder(self._places.outbox, job.name)
        return await to_thread.run_sync(lost_life.look_at, folder, job.results_length, tally.settled < job.total)
