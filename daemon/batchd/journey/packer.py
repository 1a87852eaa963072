"""The packer: sees which requests wait, asks the plan which of them travel together, and puts them on their trips.

It is the one step that is done for all jobs together. So where a defect meets it, it is done job by job: the job that
the defect belongs to is parked, and the others travel, each in batches of its own for that once.
"""

import math
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

import structlog
from anyio import to_thread

from batchd.claude.batch_body import new_nonce
from batchd.decisions.batch.plan import Limits, plan
from batchd.decisions.money.budget import Bar, Purse, afford
from batchd.decisions.money.cache_warming import alone
from batchd.edges.clock import Clock
from batchd.edges.store import QueueBudget, Store, Waits
from batchd.journey.restoring import Restoring
from batchd.journey.sync_sender import SyncSender
from batchd.model import JobId, Lane, Plan, RequestId, Waiting
from batchd.running.accounts import OWN, Accounts
from batchd.running.retrying import Retrying, wait_of
from batchd.running.turns import Order, Turns
from batchd.text.moments import month_of
from batchd.trouble import Work, packing

log = structlog.get_logger()

LOOK = 20_000
"""Requests that are looked at in one go; what waits behind them waits for the next."""


DAY = 86_400.0
Look: TypeAlias = Callable[..., Awaitable[list[Waiting]]]
"""`Queue.waiting`, of a lane."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """What the settings allow, in picodollars; None for any amount."""

    per_job: int | None = None
    per_day: int | None = None
    per_month: int | None = None
    queues: Mapping[str, QueueBudget] = field(default_factory=dict)
    """Of top folders of the inbox."""


class Packer:
    """Makes batches of what waits."""

    def __init__(  # noqa: PLR0913  each bounds what leaves
        self,
        store: Store,
        clock: Clock,
        limits: Limits,
        max_queued: int,
        sync: SyncSender,
        budgets: Budgets,
        retrying: Retrying,
        restoring: Restoring,
        turns: Turns,
        accounts: Accounts,
    ) -> None:
        """Open the packer.

        Args:
            store: Where requests wait.
            clock: What lingering is measured by.
            limits: What a batch may hold.
            max_queued: Requests in unfinished batches at one time, of each account.
            sync: Knows how many messages can be sent now, and of which models.
            budgets: What may be spent.
            retrying: Where a job that cannot be packed is parked.
            restoring: Knows what was paid in a lost life of the state.
            turns: Knows who goes before whom, and when.
            accounts: Know by whose key a job goes.
        """
        self._store = store
        self._clock = clock
        self._limits = limits
        self._max_queued = max_queued
        self._sync = sync
        self._budgets = budgets
        self._retrying = retrying
        self._restoring = restoring
        self._turns = turns
        self._accounts = accounts
        self._told: dict[JobId, tuple[Bar, float]] = {}
        """Why a job was last said to be held, and on which day."""
        self._met_by_defects: set[JobId] = set()

    @property
    def parked(self) -> frozenset[JobId]:
        """The jobs that are passed over, until their time has come."""
        return frozenset(JobId(int(job)) for job in self._retrying.resting(Work.PACK))

    @property
    def met_defects(self) -> bool:
        """Whether a defect has met some job since all were last packed together."""
        return bool(self._met_by_defects)

    async def could_pack(self) -> bool:
        """Whether any request waits for nothing but its trip, or a moment that comes by itself; what `pack` does."""
        if await self._restoring.could_adopt():
            return True
        kept = await self._kept()
        if kept is None:
            return False
        kept |= (await self._turns.order()).outside
        waits, now = await self._store.queue.any_waits(), self._clock.now()
        leaders = await self._leaders(waits, now)
        return waits.any and bool(await self._store.queue.waiting(1, without=kept, leaders=leaders))

    async def _kept(self) -> frozenset[JobId] | None:
        """The jobs that are passed over, parked or paused; None where everything is paused."""
        pauses = await self._store.pauses.all()
        if any(pause.folder is None for pause in pauses):
            return None
        return self.parked | await self._store.pauses.jobs(pauses)

    async def _leaders(self, waits: Waits, now: float) -> dict[RequestId, RequestId]:
        """Families of which only one may go now."""
        return alone(await self._store.warmings.leaders(), now) if waits.behind else {}

    async def pack(self) -> float | None:
        """Plan every batch that may leave now.

        Returns:
            Seconds after which to look again: those that linger will leave, or a parked job is tried again; None when
            nothing waits, or nothing can be queued.
        """
        if self._restoring.under_way:
            return None
        await self._store.batches.let_leave()
        await self._restoring.adopt()
        parked, kept = self.parked, await self._kept()
        if kept is None:
            return None
        try:
            leaves_in = await self._pack(kept)
        except Exception as error:
            if not wait_of(error).defect:
                raise
            leaves_in = await self._pack_job_by_job(kept, error)
        else:
            for job in self._met_by_defects - parked:
                self._met_by_defects.discard(job)
                await self._retrying.over(packing(job))
        due = [*self._retrying.resting(Work.PACK).values(), leaves_in, (await self._turns.order()).opens_in]
        return min((each for each in due if each is not None), default=None)

    async def _pack_job_by_job(self, parked: frozenset[JobId], error: Exception) -> float | None:
        """Find the jobs that a defect belongs to, and park them; one that no single job has is passed on."""
        found: set[JobId] = set()
        for job in await self._store.jobs.waiting():
            try:
                await self._pack(parked, only=job.id)
            except Exception as bug:
                if not wait_of(bug).defect:
                    raise
                await self._retrying.failed(packing(job.id, job.name), bug)
                found.add(job.id)
        if not found:
            raise error
        self._met_by_defects |= found
        return await self._pack(parked | found)

    async def _pack(self, without: frozenset[JobId], only: JobId | None = None) -> float | None:
        held: set[JobId] = set()
        # Each turn has planned something, or held a job that was not held before.
        while (waits := await self._store.queue.any_waits()).any:
            now = self._clock.now()
            leaders, order = await self._leaders(waits, now), await self._turns.order()
            await self._store.holds.let_go(now)
            queued, by = await self._store.queue.queued(), await self._accounts.of_jobs()
            rooms = {account: self._max_queued - queued[account] for account in self._accounts.names}
            most = min(sum(room for room in rooms.values() if room > 0), LOOK)
            # Before its requests are read: who has all of them by then is not among these.
            arriving = {job.id for job in await self._store.arrivals.arriving()} if waits.arriving else set()
            look = partial(self._store.queue.waiting, only=only, now=now, leaders=leaders)
            full = await self._jobs_by({account for account, room in rooms.items() if room <= 0}, by)
            waiting = await self._in_turn(partial(look, lane=Lane.BATCH), most, without | full, order)
            more = len(waiting) == most
            sync_room = await self._sync.room()
            if sync_room > 0:
                paused = self._sync.paused
                of_sync = partial(look, lane=Lane.SYNC, paused=paused)
                closed = await self._jobs_by(self._sync.closed, by)
                waiting += await self._in_turn(of_sync, sync_room, without | closed, order)
            if not waiting:
                return await self._due_in(now)
            affordable = await self._afford(waiting, now)
            if not affordable:
                jobs = {request.job for request in waiting}
                if jobs <= held:
                    return await self._due_in(now)
                held |= jobs
                continue
            unresolved = await self._store.queue.unresolved_counts()
            apart = partial(plan, limits=self._limits, now=now, arriving=arriving, more=more)
            # Twenty thousand requests keep a processor busy for a while.
            plans = await to_thread.run_sync(_by_account, affordable, by, rooms, unresolved, apart)
            if not plans:
                due = await self._store.queue.next_due(now) or math.inf
                leave_at = min(self._limits.leaves_at(request, arriving) for request in affordable)
                return max(min(leave_at, due) - now, 0.0)
            await self._store.batches.plan(plans, now=now, nonce=new_nonce)
        return None

    async def _jobs_by(self, accounts: Collection[str], by: Mapping[JobId, str]) -> frozenset[JobId]:
        """Name the jobs that go by some accounts; where all go by the own one there is nobody to tell apart."""
        found = {job for job, account in by.items() if account in accounts}
        if OWN in accounts and by:
            found |= {job.id for job in await self._store.jobs.waiting()} - by.keys()
        return frozenset(found)

    async def _in_turn(self, look: Look, most: int, without: frozenset[JobId], order: Order) -> list[Waiting]:
        """Look at what waits, the requests of a higher priority first; those outside their hours are passed over."""
        waiting: list[Waiting] = []
        without |= order.outside
        above = [jobs for priority, jobs in order.tiers if priority > 0]
        below = [jobs for priority, jobs in order.tiers if priority < 0]
        for among in (*above, None, *below):
            if most > len(waiting):
                but = without | order.ranked if among is None else without
                waiting += await look(most - len(waiting), without=but, among=among)
        return waiting

    async def _due_in(self, now: float) -> float | None:
        """Say in how many seconds the next request is due that rests before it is sent again."""
        due = await self._store.queue.next_due(now)
        return None if due is None else due - now

    async def _afford(self, waiting: list[Waiting], now: float) -> list[Waiting]:
        """Leave out, and hold, what no budget has room for. Only this room spends; what comes back makes room."""
        limited = await self._store.purses.limited()
        if self._budgets == Budgets() and not limited:
            return waiting
        midnight, month = now - now % DAY, month_of(now)
        tomorrow, next_month = midnight + DAY, month_of(month + 32 * DAY)
        purse = await self._purse(waiting, midnight, month)
        allowed = afford(waiting, purse)
        while allowed.holds:
            await self._store.holds.hold(allowed.holds, purse, now=now, tomorrow=tomorrow, next_month=next_month)
            # A result that came after the look and before the hold has let nobody go; those that come now do.
            purse = await self._purse(waiting, midnight, month)
            seen = afford(waiting, purse)
            if len(seen.fitting) <= len(allowed.fitting):
                break
            await self._store.holds.try_again(allowed.holds)
            allowed = seen
        for job, hold in allowed.holds.items():
            # Amounts change with each result that comes back: that is no news.
            if self._told.get(job) != (hold.bar, midnight):
                self._told[job] = (hold.bar, midnight)
                log.warning("job held", job=(await self._store.jobs.get(job)).name, reason=hold.reason)
        return allowed.fitting

    async def _purse(self, waiting: list[Waiting], midnight: float, month: float) -> Purse:
        return await self._store.purses.purse(
            {request.job for request in waiting},
            per_job=self._budgets.per_job,
            per_day=self._budgets.per_day,
            midnight=midnight,
            per_month=self._budgets.per_month,
            month=month,
            queues=self._budgets.queues,
        )


def _by_account(
    waiting: list[Waiting],
    by: Mapping[JobId, str],
    rooms: Mapping[str, int],
    unresolved: Mapping[str, Collection[int]],
    plans: Callable[..., Iterator[Plan]],
) -> list[Plan]:
    """Plan for each account apart: no batch has requests of two, and each has its own room and its own counts."""
    parted: dict[str, list[Waiting]] = {}
    for request in waiting:
        parted.setdefault(by.get(request.job, OWN), []).append(request)
    return [
        replace(each, account=account)
        for account, some in parted.items()
        for each in plans(some, room=rooms.get(account, 0), unresolved=unresolved.get(account, ()))
    ]
