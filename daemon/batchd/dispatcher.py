"""Owns the task tree: starts whatever is due, each thing in a task of its own, then sleeps until woken."""

import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import anyio
import anyio.abc
import structlog
from anyio import to_thread

from batchd.edges.api import Api
from batchd.edges.clock import Bell, Clock
from batchd.edges.store import Due, Store
from batchd.edges.systemd import notify
from batchd.edges.transcripts import Transcripts
from batchd.edges.watcher import watch
from batchd.errors import Unavailable
from batchd.journey.bulk_finishing import SMALL, BulkFinishing
from batchd.journey.cache_warmer import CacheWarmer
from batchd.journey.courier import Courier, thing_of
from batchd.journey.finishing import Finishing
from batchd.journey.intake import TOGETHER, Intake
from batchd.journey.packer import Packer
from batchd.journey.places import Places
from batchd.journey.restoring import Restoring
from batchd.journey.sender import Sender
from batchd.journey.stepping import Stepping
from batchd.journey.sync_sender import SyncSender
from batchd.model import Job, JobId
from batchd.running.accounts import Accounts
from batchd.running.held_file import HeldFiles
from batchd.running.lookout import Lookout
from batchd.running.metering import Metering
from batchd.running.notifier import Notifier
from batchd.running.pause_notice import PauseNotice
from batchd.running.reloading import Reloading
from batchd.running.retrying import Retrying
from batchd.running.token_counter import TokenCounter
from batchd.running.wakeups import Wakeups
from batchd.running.watchdog import Watchdog
from batchd.settings import Intake as IntakeSettings
from batchd.trouble import Thing, Work

T = TypeVar("T")
log = structlog.get_logger()

LISTEN = 0.5
"""Seconds between looks for what commands have written to the database."""
GRACE = 5.0
"""Seconds that a stop waits for creates and streams in flight, so that none is left in doubt; systemd gives us more."""
PATIENCE = 600.0
"""Seconds that new settings wait for the same: nothing new is begun by the old ones meanwhile."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """Where the work is done."""

    api: Api
    intake: Intake
    packer: Packer
    sender: Sender
    sync_sender: SyncSender
    courier: Courier
    wakeups: Wakeups
    cache_warmer: CacheWarmer
    token_counter: TokenCounter
    held_files: HeldFiles
    pause_notice: PauseNotice
    finishing: Finishing
    bulk_finishing: BulkFinishing
    stepping: Stepping
    transcripts: Transcripts
    retrying: Retrying
    watchdog: Watchdog
    restoring: Restoring
    notifier: Notifier
    accounts: Accounts
    reloading: Reloading
    keeping: Callable[[], Awaitable[None]]
    """Removes what is old, day by day."""
    metering: Metering
    lookout: Lookout


class Dispatcher:
    """Runs one task for the inbox, one for the store, and one for each thing that is under way."""

    def __init__(  # noqa: PLR0913  what all tasks share
        self, rooms: Rooms, places: Places, store: Store, clock: Clock, bell: Bell, intake: IntakeSettings
    ) -> None:
        """Join the rooms to a dispatcher.

        Args:
            rooms: Where the work is done.
            places: The folders, which exist.
            store: The only queue.
            clock: The only one.
            bell: Rung when the store is worth another look.
            intake: How the inbox is watched.
        """
        self._rooms = rooms
        self._retrying = rooms.retrying
        self._places = places
        self._store = store
        self._clock = clock
        self._bell = bell
        self._watching = intake
        self._inbox_bell = Bell()
        self._under_way: set[Thing] = set()
        self._all_well = True
        self.reloaded = False
        """Whether it has ended since other settings hold now."""
        self._soonest = intake.rescan

    async def run(self, *, once: bool, restored: bool = False) -> bool:
        """Work until told to stop, or until there is nothing left to do.

        Args:
            once: Whether to end when every job has finished.
            restored: Whether the state is known to be old.

        Returns:
            Whether every job and file of this run came to a good end.

        Raises:
            Unusable: The state is older than its outbox, and nobody has said so.
        """
        await self._rooms.restoring.begin(restored=restored)
        await self._retrying.begin()
        under_way = {batch.nonce for batch in await self._store.batches.unfinished()}
        await to_thread.run_sync(self._rooms.transcripts.sweep, under_way)
        async with self._rooms.metering.answering(), anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop_on_signal, tasks.cancel_scope)
            for claim in await self._rooms.intake.recover():
                tasks.start_soon(self._rooms.intake.start, claim, tasks)
            for name, work in (
                ("the inbox's watcher", self._watch),
                ("commands", self._listen),
                ("the watchdog", self._rooms.watchdog.feed),
                ("the restored state", self._rooms.restoring.run),
                ("notices", self._rooms.notifier.run),
                ("what is old", self._rooms.keeping),
                ("metrics", self._rooms.metering.run),
                ("the lookout", self._rooms.lookout.run),
                ("the keys", self._rooms.accounts.keep_looking),
                ("all files", partial(self._look_at_inbox_for_ever, tasks)),
                ("all work", partial(self._look_at_store_for_ever, tasks, once)),
            ):
                # What goes on for ever goes on after a defect, too: that ends nobody else's work.
                tasks.start_soon(self._retrying.until_done, Thing(Work.LOOK, name, name), work)
            notify("READY=1")
            log.info("ready", inbox=str(self._places.inbox), outbox=str(self._places.outbox))
        return self._all_well and self._rooms.intake.rejections == 0

    async def _look_at_inbox_for_ever(self, tasks: anyio.abc.TaskGroup) -> None:
        look = Thing(Work.LOOK, "inbox", str(self._places.inbox))
        while True:
            settled_in = await self._retrying.until_done(look, partial(self._rooms.intake.sweep, tasks))
            self._bell.ring()
            wait = self._watching.rescan if settled_in is None else min(settled_in, self._watching.rescan)
            await self._inbox_bell.wait_at_most(wait, self._clock)

    async def _look_at_store_for_ever(self, tasks: anyio.abc.TaskGroup, once: bool) -> None:  # noqa: FBT001  a task's arguments have no names
        while True:
            wait = await self._look_at_store(tasks)
            self._rooms.watchdog.came_round()
            if once and await self._step("the end", self._nothing_left):
                await self._step("a last look", self._rooms.lookout.look)
                await self._step("last notices", self._rooms.notifier.flush)
                tasks.cancel_scope.cancel()
            await self._bell.wait_at_most(wait, self._clock)

    async def _look_at_store(self, tasks: anyio.abc.TaskGroup) -> float:
        """Start all that is due, and return the seconds after which to look again; no step keeps another from its turn.

        What is not on the agenda is not asked after. What is said to people comes last.
        """
        self._soonest = self._watching.rescan
        rooms, agenda = self._rooms, self._store.agenda
        due = await self._step("agenda", agenda.due)
        if due is None:
            return self._soonest
        await self._step("cancelled jobs", self._store.jobs.cancel_waiting, due=due.cancelled and due.waiting)
        await self._step("cold caches", rooms.cache_warmer.look, due=due.behind)
        if due.waiting and not rooms.api.prepared:  # while they wait for company
            self._try(tasks, Thing(Work.LOOK, "api", "api"), rooms.api.prepare)
        if (ends_in := await self._step("pauses", rooms.pause_notice.look)) is not None:
            self._soonest = min(self._soonest, ends_in)
        leaves_in = await self._step("waiting requests", rooms.packer.pack, due=due.waiting or rooms.packer.met_defects)
        if due.waiting:  # what waited may travel now, or have its verdict
            due = await self._step("agenda", agenda.due) or due
        for batch in sorted(due.live):
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
            await self._step(name, partial(start, tasks), due=there_is)
        if due.to_tell:
            rooms.notifier.ring()
        return self._soonest if leaves_in is None else min(leaves_in, self._soonest)

    async def _step(self, name: str, work: Callable[[], Awaitable[T]], *, due: bool = True) -> T | None:
        """Take one step of a look where it is due; where it fails, the next look comes soon."""
        step = Thing(Work.LOOK, name, name)
        try:
            done = await work() if due else None
        except Exception as error:  # noqa: BLE001  sorted there
            self._soonest = min(self._soonest, await self._retrying.failed(step, error))
            return None
        await self._retrying.over(step)
        return done

    async def _add(self, tasks: anyio.abc.TaskGroup) -> None:
        for job in await self._store.arrivals.arriving():
            self._try(tasks, Thing(Work.ADD, str(job.id), job.name, job.id), partial(self._rooms.intake.add, job))

    async def _advance(self, tasks: anyio.abc.TaskGroup) -> None:
        for job in await self._store.steps.due():
            self._try(
                tasks, Thing(Work.STEP, str(job.id), job.name, job.id), partial(self._rooms.stepping.advance, job)
            )

    async def _call_cancelled(self, _: anyio.abc.TaskGroup) -> None:
        for batch in await self._store.batches.to_cancel():
            self._rooms.wakeups.call(batch)

    async def _reopen(self, tasks: anyio.abc.TaskGroup) -> None:
        for job in await self._store.retries.wanted():
            thing = Thing(Work.REOPEN, str(job.id), job.name, job.id)
            self._try(tasks, thing, partial(self._rooms.finishing.reopen, job))

    async def _finish_all(self, tasks: anyio.abc.TaskGroup) -> None:
        before = frozenset(self._under_way)  # what ends while the store is read is not due any more
        undelivered = await self._store.jobs.undelivered()
        due = [job for job in undelivered if _finishing(job) not in before | self._under_way]
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
        self._all_well &= await self._rooms.finishing.finish(job) == "done"

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

    async def _nothing_left(self) -> bool:
        """Whether all that is still open waits for a person."""
        if await self._is_busy() or await self._is_due(await self._store.agenda.due()):
            return False
        self._all_well &= await self._store.jobs.all_delivered() and not self._retrying.troubles
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

    async def _watch(self) -> None:
        await watch(
            self._places.inbox,
            self._inbox_bell.ring,
            force_polling=self._watching.force_polling,
            stop=anyio.Event(),
        )

    async def _listen(self) -> None:
        """Hear what commands write to the database, and go and look."""
        heard = 0
        while True:
            try:
                version = await self._store.database.version_of_data()
            except Unavailable:
                version = heard
            if version != heard:
                heard = version
                self._bell.ring()
            await self._clock.sleep(LISTEN)

    async def _stop_on_signal(self, scope: anyio.CancelScope) -> None:
        # A terminal that is closed sends SIGHUP as well, and then nobody wants to go on.
        stops = {signal.SIGTERM, signal.SIGINT} | ({signal.SIGHUP} if sys.stderr.isatty() else set())
        async with anyio.create_task_group() as tasks:
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
                async for number in signals:
                    if number not in stops:
                        tasks.start_soon(self._reload, scope)
                        continue
                    log.info("stopping", signal=signal.Signals(number).name)
                    self._all_well = False  # cut short: how it would have ended is not known
                    self.reloaded = False
                    notify("STOPPING=1")
                    await self._drain(GRACE)
                    scope.cancel()
                    return

    async def _reload(self, scope: anyio.CancelScope) -> None:
        """Read the settings anew, and end, for others to begin by them, where others hold now."""
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}")
        if not await self._rooms.reloading.read():
            self._rooms.notifier.take_up()
            notify("READY=1")
            return
        self.reloaded = True
        await self._drain(PATIENCE)
        scope.cancel()

    async def _drain(self, seconds: float) -> None:
        """Begin nothing more, and wait until no create and no stream is in flight."""
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as ending:
                ending.start_soon(self._rooms.sync_sender.stop)
                ending.start_soon(self._rooms.sender.stop)


def _finishing(job: Job) -> Thing:
    return Thing(Work.FINISH, str(job.id), job.name, job.id)
