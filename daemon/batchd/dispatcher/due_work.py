"""What is due: a look at the store starts each thing in a task of its own, and says when to look again."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import anyio
import anyio.abc
import structlog

from batchd.dispatcher.rooms import Rooms
from batchd.edges.clock import Bell
from batchd.edges.store import Due, Store
from batchd.journey.bulk_finishing import SMALL
from batchd.journey.courier import thing_of
from batchd.journey.intake import TOGETHER
from batchd.model import BatchId, Job, JobId
from batchd.trouble import Thing, Work

T = TypeVar("T")
log = structlog.get_logger()

_LAST: Final = "last notices"


class DueWork:
    """Starts what is due, nothing twice at one time."""

    def __init__(self, rooms: Rooms, store: Store, bell: Bell, rescan: float) -> None:
        """Have nothing under way.

        Args:
            rooms: Where the work is done.
            store: The only queue.
            bell: Rung when something has ended, and the store is worth another look.
            rescan: Seconds after which to look again where nothing says otherwise.
        """
        self._rooms = rooms
        self._retrying = rooms.retrying
        self._store = store
        self._bell = bell
        self._rescan = rescan
        self._under_way: set[Thing] = set()
        self.soonest = rescan
        """Seconds after which to look again, as it is known by now."""
        self.all_well = True
        """Whether every job of this run came to a good end so far."""
        self._all_delivered = False

    async def start(self, tasks: anyio.abc.TaskGroup) -> float:
        """Start all that is due, and return the seconds after which to look again; no step keeps another from its turn.

        What is not on the agenda is not asked after. What is said to people comes last.
        """
        self.soonest = self._rescan
        rooms, agenda = self._rooms, self._store.agenda
        due = await self.step("agenda", agenda.due)
        if due is None:
            return self.soonest
        await self.step("cancelled jobs", self._store.jobs.cancel_waiting, due=due.cancelled and due.waiting)
        await self.step("cold caches", rooms.cache_warmer.look, due=due.behind)
        if due.waiting and not rooms.api.prepared:  # while they wait for company
            self._try(tasks, Thing(Work.LOOK, "api", "api"), rooms.api.prepare)
        if (ends_in := await self.step("pauses", rooms.pause_notice.look)) is not None:
            self.soonest = min(self.soonest, ends_in)
        leaves_in = await self.step("waiting requests", rooms.packer.pack, due=due.waiting or rooms.packer.met_defects)
        if due.waiting:  # what waited may travel now, or have its verdict
            due = await self.step("agenda", agenda.due) or due
        live = due.live
        if rooms.filling is not None:
            live = await self.step("batches of workers", partial(self._give_to_workers, live)) or frozenset()
        for batch in sorted(live):
            self._start(tasks, thing_of(batch), partial(rooms.courier.carry, batch))
        said = due.held or bool(self._retrying.troubles) or rooms.held_files.any_written
        for name, start, there_is in (
            ("arriving jobs", self._add, due.arriving),
            ("next steps", self._advance, due.stepping),
            ("cancelled batches", self._call_cancelled, due.cancelled and bool(due.live)),
            ("jobs to reopen", self._reopen, due.to_retry),
            ("finished jobs", self._finish_all, due.undelivered),
            ("held requests", self._count_tokens, due.held),
            ("held jobs", self._note_held, said),
        ):
            await self.step(name, partial(start, tasks), due=there_is)
        if due.to_tell:
            rooms.notifier.ring()
        return self.soonest if leaves_in is None else min(leaves_in, self.soonest)

    async def step(self, name: str, work: Callable[[], Awaitable[T]], *, due: bool = True) -> T | None:
        """Take one step of a look where it is due; where it fails, the next look comes soon."""
        step = Thing(Work.LOOK, name, name)
        try:
            done = await work() if due else None
        except Exception as error:  # noqa: BLE001  sorted there
            self.soonest = min(self.soonest, await self._retrying.failed(step, error))
            return None
        await self._retrying.over(step)
        return done

    async def _give_to_workers(self, live: frozenset[BatchId]) -> frozenset[BatchId]:
        """See to it that workers carry what they carry, and return the batches that are left to this process."""
        theirs = await self._store.batches.on_their_way()
        if self._rooms.filling is not None:
            look_in = await self._rooms.filling.fill(theirs)
            if theirs:
                self.soonest = min(self.soonest, look_in)
        return live - theirs

    async def _add(self, tasks: anyio.abc.TaskGroup) -> None:
        for job in await self._store.arrivals.arriving():
            self._try(tasks, Thing(Work.ADD, str(job.id), job.name, job.id), partial(self._rooms.intake.add, job))

    async def _advance(self, tasks: anyio.abc.TaskGroup) -> None:
        for job in await self._store.steps.due():
            self._try(
                tasks, Thing(Work.STEP, str(job.id), job.name, job.id), partial(self._rooms.stepping.advance, job)
            )

    async def _call_cancelled(self, _: anyio.abc.TaskGroup) -> None:
        batches = await self._store.batches.to_cancel()
        for batch in batches:
            self._rooms.wakeups.call(batch)
        if self._rooms.filling is not None:
            await self._rooms.filling.call(batches)

    async def _reopen(self, tasks: anyio.abc.TaskGroup) -> None:
        for job in await self._store.retries.wanted():
            thing = Thing(Work.REOPEN, str(job.id), job.name, job.id)
            self._try(tasks, thing, partial(self._rooms.finishing.reopen, job))

    async def _finish_all(self, tasks: anyio.abc.TaskGroup) -> None:
        before = frozenset(self._under_way)  # what ends while the store is read is not due any more
        finishing = {thing.job for thing in before if thing.work is Work.FINISH}
        undelivered = await self._store.jobs.undelivered(but=finishing)
        due = [job for job in undelivered if _finishing(job) not in self._under_way]
        small = [job for job in due if job.total <= SMALL and not self._retrying.waits(_finishing(job))]
        if len(small) > 1:
            for some in (small[at : at + TOGETHER] for at in range(0, len(small), TOGETHER)):
                self._under_way |= {_finishing(job) for job in some}
                tasks.start_soon(self._finish_together, some, tasks)
        for job in due:
            self._try(tasks, _finishing(job), partial(self._finish, job))

    async def _finish_together(self, jobs: list[Job], tasks: anyio.abc.TaskGroup) -> None:
        """Finish small jobs in one go, and then, each by itself, those that this does not suit."""
        finished: frozenset[JobId] = frozenset()
        try:
            finished = await self._rooms.bulk_finishing.finish(jobs)
        except Exception as error:  # noqa: BLE001  it is each job's own trouble, told in its own turn
            log.debug("finished one by one", jobs=len(jobs), error=type(error).__name__)
        finally:
            self._under_way -= {_finishing(job) for job in jobs}
            self._bell.ring()
        for job in jobs:
            if job.id not in finished:
                self._try(tasks, _finishing(job), partial(self._finish, job))

    async def _finish(self, job: Job) -> None:
        self.all_well &= await self._rooms.finishing.finish(job) == "done"

    async def _count_tokens(self, tasks: anyio.abc.TaskGroup) -> None:
        for held in await self._rooms.token_counter.due():
            thing = Thing(Work.COUNT, str(held.id), f"request {held.id}")
            self._try(tasks, thing, partial(self._rooms.token_counter.count, held))

    async def _note_held(self, tasks: anyio.abc.TaskGroup) -> None:
        for note in await self._rooms.held_files.due(self._retrying.troubles):
            thing = Thing(Work.NOTE, note.job, note.job)
            self._try(tasks, thing, partial(self._rooms.held_files.write, note))

    def _try(self, tasks: anyio.abc.TaskGroup, thing: Thing, work: Callable[[], Awaitable[None]]) -> None:
        self._start(tasks, thing, partial(self._retrying.until_done, thing, work))

    def _start(self, tasks: anyio.abc.TaskGroup, thing: Thing, work: Callable[[], Awaitable[None]]) -> None:
        if thing in self._under_way:
            return
        self._under_way.add(thing)

        async def and_ring() -> None:
            try:
                await work()
            finally:
                self._under_way.discard(thing)
                self._bell.ring()

        tasks.start_soon(and_ring)

    async def nothing_left(self) -> bool:
        """Whether all that is still open waits for a person."""
        if await self._is_busy() or await self._is_due(await self._store.agenda.due()):
            return False
        self._all_delivered = await self._store.jobs.all_delivered()
        return True

    async def end(self) -> bool:
        """Tell the last notices, and judge the run; False where the world keeps them from being told just now.

        Nobody is here to tell them later, and an end that says all is well is the last that is looked at.
        """
        filed = await self.step(_LAST, self._rooms.notifier.flush)
        if filed is None and _LAST not in self._retrying.parked(Work.LOOK):
            return False
        self.all_well &= bool(filed) and self._all_delivered and not self._retrying.troubles
        return True

    async def _is_busy(self) -> bool:
        """Whether anything is being done, or lies in the inbox to be taken."""
        if any(not self._at_rest(thing) for thing in self._under_way) or self._rooms.restoring.under_way:
            return True
        intake = self._rooms.intake
        # Looked at twice: what was taken from the inbox while it was searched is in hand by then.
        return not intake.idle or await intake.has_files() or not intake.idle

    async def _is_due(self, due: Due) -> bool:
        """Whether anything of the agenda is parked by no defect."""
        store, parked = self._store, self._retrying.parked
        if {str(batch) for batch in due.live} - parked(Work.CARRY):
            return True
        if due.waiting and await self._rooms.packer.could_pack():
            return True
        for work, there_are, list_jobs in (
            (Work.ADD, due.arriving, store.arrivals.arriving),
            (Work.STEP, due.stepping, store.steps.due),
            (Work.FINISH, due.undelivered, store.jobs.undelivered),
            (Work.REOPEN, due.to_retry, store.retries.wanted),
        ):
            if there_are and {str(job.id) for job in await list_jobs()} - parked(work):
                return True
        return False

    def _at_rest(self, thing: Thing) -> bool:
        """Whether a task only waits for a person: parked by a defect, or a note for one that cannot be written."""
        return thing.id in self._retrying.parked(thing.work) or (
            thing.work is Work.NOTE and self._retrying.waits(thing)
        )


def _finishing(job: Job) -> Thing:
    return Thing(Work.FINISH, str(job.id), job.name, job.id)
