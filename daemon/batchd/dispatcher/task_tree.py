"""Owns the task tree: one task for each thing that goes on for ever, and one that starts whatever is due."""

from collections.abc import Callable
from functools import partial

import anyio
import anyio.abc
import structlog
from anyio import to_thread

from batchd.dispatcher.due_work import DueWork
from batchd.dispatcher.rooms import Rooms
from batchd.dispatcher.stopping import Stopping
from batchd.edges.clock import Bell, Clock
from batchd.edges.store import Store
from batchd.edges.systemd import notify
from batchd.edges.watcher import watch
from batchd.errors import Unavailable
from batchd.journey.places import Places
from batchd.settings import Intake as IntakeSettings
from batchd.trouble import Thing, Work

log = structlog.get_logger()

LISTEN = 0.5
"""Seconds between looks for what commands have written to the database."""


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
        self._due = DueWork(rooms, store, bell, intake.rescan)
        self._stopping = Stopping(rooms)
        self.ready = anyio.Event()
        """Set when the state was looked over, so that it may be worked on."""

    @property
    def reloaded(self) -> bool:
        """Whether it has ended since other settings hold now."""
        return self._stopping.reloaded

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
        await self._begin(restored=restored)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stopping.on_signal, tasks.cancel_scope)
            await self._work(once=once, end=tasks.cancel_scope.cancel)
        well = self._due.all_well and not self._stopping.cut_short
        return well and self._rooms.intake.rejections == 0

    async def work(self, *, restored: bool) -> None:
        """Work until cancelled, among workers; who cancels it has drained it before.

        Args:
            restored: Whether the state is known to be old.

        Raises:
            Unusable: The state is older than its outbox, and nobody has said so.
        """
        await self._begin(restored=restored)
        await self._work(once=False)

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, and wait until no create and no stream is in flight."""
        await self._stopping.drain(seconds)

    async def _begin(self, *, restored: bool) -> None:
        await self._rooms.restoring.begin(restored=restored)
        await self._retrying.begin()
        under_way = {batch.nonce for batch in await self._store.batches.unfinished()}
        await to_thread.run_sync(self._rooms.transcripts.sweep, under_way)
        self.ready.set()

    async def _work(self, *, once: bool, end: Callable[[], None] | None = None) -> None:
        """Work until cancelled, or until there is nothing left to do, where that is to be the end."""
        async with self._rooms.metering.answering(), anyio.create_task_group() as tasks:
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
                ("all work", partial(self._look_at_store_for_ever, tasks, once, end or tasks.cancel_scope.cancel)),
            ):
                # What goes on for ever goes on after a defect, too: that ends nobody else's work.
                tasks.start_soon(self._retrying.until_done, Thing(Work.LOOK, name, name), work)
            notify("READY=1")
            log.info("ready", inbox=str(self._places.inbox), outbox=str(self._places.outbox))

    async def _look_at_inbox_for_ever(self, tasks: anyio.abc.TaskGroup) -> None:
        look = Thing(Work.LOOK, "inbox", str(self._places.inbox))
        while True:
            settled_in = await self._retrying.until_done(look, partial(self._rooms.intake.sweep, tasks))
            self._bell.ring()
            wait = self._watching.rescan if settled_in is None else min(settled_in, self._watching.rescan)
            await self._inbox_bell.wait_at_most(wait, self._clock)

    async def _look_at_store_for_ever(
        self,
        tasks: anyio.abc.TaskGroup,
        once: bool,  # noqa: FBT001  a task's arguments have no names
        end: Callable[[], None],
    ) -> None:
        while True:
            wait = await self._due.start(tasks)
            self._rooms.watchdog.came_round()
            if once and await self._due.step("the end", self._due.nothing_left):
                await self._due.step("a last look", self._rooms.lookout.look)
                if await self._due.end():
                    end()
                wait = self._due.soonest
            await self._bell.wait_at_most(wait, self._clock)

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
