"""The dispatcher: the task tree of a running daemon. It looks who is due, sends everybody on his way, and rests."""

import signal
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import anyio
import anyio.abc
import structlog
from anyio import to_thread

from batchd.decisions.report import state_of
from batchd.edges import inbox
from batchd.edges.clock import Bell, Clock
from batchd.edges.store import Store
from batchd.edges.systemd import notify, watchdog_interval
from batchd.edges.transcripts import Transcripts
from batchd.edges.watcher import watch
from batchd.errors import BatchdError, Unavailable
from batchd.journey.courier import Courier
from batchd.journey.finishing import Finishing
from batchd.journey.intake import Intake, Places
from batchd.journey.packer import Packer
from batchd.journey.sender import Sender
from batchd.model import Held, Job
from batchd.running.held_file import HeldFiles
from batchd.running.retrying import retry
from batchd.running.token_counter import TokenCounter
from batchd.running.wakeups import Wakeups
from batchd.settings import Intake as IntakeSettings

log = structlog.get_logger()

LISTEN = 0.5
"""Seconds between looks for what commands have written to the database."""
GRACE = 5.0
"""Seconds that a stop waits for creates in flight, so that none is left in doubt; systemd gives us more."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """Who does the work."""

    intake: Intake
    packer: Packer
    sender: Sender
    courier: Courier
    wakeups: Wakeups
    token_counter: TokenCounter
    held_files: HeldFiles
    finishing: Finishing
    transcripts: Transcripts


class Dispatcher:
    """One that looks at the inbox, one that looks at the store, and a courier for every batch."""

    def __init__(  # noqa: PLR0913  what everybody shares
        self, rooms: Rooms, places: Places, store: Store, clock: Clock, bell: Bell, intake: IntakeSettings
    ) -> None:
        """Make ready.

        Args:
            rooms: Who does the work.
            places: The folders, which exist.
            store: The only queue.
            clock: The only one.
            bell: Rung when the store is worth another look.
            intake: How the inbox is watched.
        """
        self._rooms = rooms
        self._places = places
        self._store = store
        self._clock = clock
        self._bell = bell
        self._watching = intake
        self._inbox_bell = Bell()
        self._under_way: set[Hashable] = set()
        self._all_well = True

    async def run(self, *, once: bool) -> bool:
        """Work until told to stop, or until there is nothing left to do.

        Args:
            once: Whether to end when every job has finished.

        Returns:
            Whether every job and file of this run came to a good end.
        """
        under_way = {batch.nonce for batch in await self._store.batches.unfinished()}
        await to_thread.run_sync(self._rooms.transcripts.sweep, under_way)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop_on_signal, tasks.cancel_scope)
            for claim in await self._rooms.intake.recover():
                tasks.start_soon(self._rooms.intake.start, claim, tasks)
            tasks.start_soon(self._watch)
            tasks.start_soon(self._listen)
            tasks.start_soon(self._feed_watchdog)
            tasks.start_soon(self._forever, self._look_at_inbox, tasks)
            tasks.start_soon(self._forever, self._dispatch, tasks, once)
            notify("READY=1")
            log.info("ready", inbox=str(self._places.inbox), outbox=str(self._places.outbox))
        return self._all_well and self._rooms.intake.rejections == 0

    async def _forever(self, work: Callable[..., Awaitable[None]], *arguments: object) -> None:
        while True:
            await retry(partial(work, *arguments), self._clock, at=work.__name__.strip("_"))

    async def _look_at_inbox(self, tasks: anyio.abc.TaskGroup) -> None:
        settled_in = await self._rooms.intake.sweep(tasks)
        self._bell.ring()
        wait = self._watching.rescan if settled_in is None else min(settled_in, self._watching.rescan)
        await self._inbox_bell.wait_at_most(wait, self._clock)

    async def _dispatch(self, tasks: anyio.abc.TaskGroup, once: bool) -> None:  # noqa: FBT001  handed on by _forever
        await self._store.jobs.cancel_waiting()
        for job in await self._store.jobs.to_retry():
            self._start(tasks, ("job", job.id), partial(self._reopen, job))
        leaves_in = await self._rooms.packer.pack()
        await self._rooms.held_files.show()
        for held in await self._rooms.token_counter.due():
            self._start(tasks, ("request", held.id), partial(self._count_tokens, held))
        for batch in await self._store.batches.live_ids():
            self._start(tasks, ("batch", batch), partial(self._rooms.courier.carry, batch))
        for batch in await self._store.batches.to_cancel():
            self._rooms.wakeups.call(batch)
        for job in await self._store.jobs.undelivered():
            self._start(tasks, ("job", job.id), partial(self._finish, job))
        if once and leaves_in is None and await self._nothing_left():
            tasks.cancel_scope.cancel()
        wait = self._watching.rescan if leaves_in is None else leaves_in
        await self._bell.wait_at_most(wait, self._clock)

    def _start(self, tasks: anyio.abc.TaskGroup, name: Hashable, work: Callable[[], Awaitable[None]]) -> None:
        if name in self._under_way:
            return
        self._under_way.add(name)

        async def and_ring() -> None:
            try:
                await work()
            finally:
                self._under_way.discard(name)
                self._bell.ring()

        tasks.start_soon(and_ring)

    async def _finish(self, job: Job) -> None:
        await retry(partial(self._rooms.finishing.finish, job), self._clock, job=job.name)
        tally = await self._store.jobs.tally(job.id)
        self._all_well &= state_of(job, tally) == "done"

    async def _reopen(self, job: Job) -> None:
        await retry(partial(self._rooms.finishing.reopen, job), self._clock, job=job.name)

    async def _count_tokens(self, held: Held) -> None:
        await retry(partial(self._rooms.token_counter.count, held), self._clock, request=held.id)

    async def _nothing_left(self) -> bool:
        """Whether all that is still open waits for a person."""
        if self._under_way or not self._rooms.intake.idle or await self._has_files():
            return False
        store = self._store
        if await store.batches.live_ids() or await store.queue.waiting(1):
            return False
        if await store.jobs.undelivered() or await store.jobs.to_retry():
            return False
        self._all_well &= await store.jobs.all_delivered()
        return True

    async def _has_files(self) -> bool:
        return len(await to_thread.run_sync(inbox.scan, self._places.inbox)) > 0

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
            except BatchdError:
                version = heard
            if version != heard:
                heard = version
                self._bell.ring()
            await self._clock.sleep(LISTEN)

    async def _feed_watchdog(self) -> None:
        """Tell the service manager that the event loop turns and the database answers."""
        interval = watchdog_interval()
        while interval is not None:
            with suppress(Unavailable):  # who has locked the database goes on doing so, whoever is restarted
                await self._store.database.version_of_data()
            notify("WATCHDOG=1")
            await self._clock.sleep(interval)

    async def _stop_on_signal(self, scope: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                log.info("stopping", signal=signal.Signals(number).name)
                self._all_well = False  # cut short: how it would have ended, nobody knows
                notify("STOPPING=1")
                with anyio.move_on_after(GRACE):
                    await self._rooms.sender.counter_is_free()
                scope.cancel()
                return
