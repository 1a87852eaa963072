"""The one place where everything is put together: settings in, a running daemon out."""

import gc
import signal
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import anyio
import anyio.abc
import structlog
from anyio import to_thread

from daemon.closing import Closing, state_of
from daemon.collector import Collector, Results
from daemon.courier import Courier
from daemon.decisions.money import to_picodollars
from daemon.decisions.pace import Pace
from daemon.decisions.plan import Limits
from daemon.edges import disk, inbox, outbox
from daemon.edges.api import Api
from daemon.edges.clock import Bell, Clock
from daemon.edges.lock import sole_daemon
from daemon.edges.store import DATABASE, Store, open_store
from daemon.edges.systemd import notify, watchdog_interval
from daemon.edges.transcripts import Transcripts
from daemon.edges.watcher import watch
from daemon.editor import Editor
from daemon.errors import BatchdError, Unavailable, Unusable
from daemon.express import Express
from daemon.finder import Finder
from daemon.holding import Holding
from daemon.intake import Intake, Places, rules_of
from daemon.lifecycle import State
from daemon.model import Job, Lane
from daemon.packer import Budgets, Packer
from daemon.patience import patiently
from daemon.poller import Poller
from daemon.sender import Sender
from daemon.settings import Settings
from daemon.station import Legs, Station
from daemon.weigher import Weigher

log = structlog.get_logger()

LISTEN = 0.5
"""Seconds between looks for what commands have written to the database."""
OURS = frozenset({"claims", "spool", "drafts", "streams", "lock", "sandbox", "lost+found"})
"""What may lie in a state folder besides the database."""
GRACE = 5.0
"""Seconds that a stop waits for creates in flight, so that none is left in doubt; systemd gives us more."""


async def serve(
    settings: Settings, key: str | None, *, once: bool = False, sandbox: bool = False, clock: Clock | None = None
) -> bool:
    """Run the daemon until SIGTERM or SIGINT, or until there is nothing left to do.

    Args:
        settings: All of them.
        key: The API key; None for whatever the SDK finds.
        once: Whether to end when every job has finished.
        sandbox: Whether the API is a stand-in, whose text must never be taken for answers.
        clock: Another one than the machine's.

    Returns:
        Whether every job and file of this run came to a good end.

    Raises:
        Occupied: Another daemon works on the state folder.
        Unusable: A folder or the database cannot be used.
    """
    clock = clock or Clock()
    places = prepared(settings)
    with sole_daemon(places.state):
        async with (
            open_store(places.state / DATABASE) as store,
            Api.connect(
                key=key,
                base_url=settings.api.base_url,
                per_minute=settings.api.requests_per_minute,
                patience=settings.api.timeout,
                clock=clock,
            ) as api,
        ):
            if not await store.batches.claim_for("sandbox" if sandbox else "api"):
                here, there = ("the API", "batchd run") if sandbox else ("the sandbox", "batchd run --sandbox")
                raise Unusable(f"{places.state} has work under way at {here}: finish it with `{there}`, or set --state")
            daemon = Daemon(settings, places, store, api, clock)
            with _all_that_is_there_kept():
                return await daemon.run(once=once)


@contextmanager
def _all_that_is_there_kept() -> Iterator[None]:
    """Tell the garbage collector that what was imported stays: looking it all over stops every thread for 0.1 s."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def prepared(settings: Settings) -> Places:
    """Make the folders that are missing, and say where they are.

    Args:
        settings: All of them.

    Raises:
        Unusable: One cannot be made, or is open to others.
    """
    places = Places(settings.inbox, settings.outbox, settings.state)
    inbox.prepare(places.inbox)
    for private in (places.outbox, places.state, places.claims, places.spool, places.drafts, places.streams):
        outbox.prepare(private)
    disk.close_to_others(places.state, lambda name: name.startswith(DATABASE) or name in OURS)
    return places


def _budgets(settings: Settings) -> Budgets:
    return Budgets(
        per_job=to_picodollars(settings.budget.per_job or None), per_day=to_picodollars(settings.budget.per_day or None)
    )


class Daemon:
    """The task tree: one that looks at the inbox, one that dispatches, and a courier for every batch."""

    def __init__(self, settings: Settings, places: Places, store: Store, api: Api, clock: Clock) -> None:
        """Put the rooms together.

        Args:
            settings: All of them.
            places: The folders, which exist.
            store: Open.
            api: Ready.
            clock: The only one.
        """
        self._settings = settings
        self._places = places
        self._store = store
        self._clock = clock
        self._inbox_bell = Bell()
        self._bell = Bell()
        self._under_way: set[Hashable] = set()
        self._all_well = True
        rules = rules_of(settings)
        self._intake = Intake(store, clock, places, rules, settings.intake.settle, accepted=self._bell)
        batch, poll = settings.batch, settings.poll
        limits = Limits(batch.max_requests, batch.max_bytes, batch.long_max_requests, batch.long_tokens, batch.linger)
        self._packer = Packer(
            store, clock, limits, settings.api.max_queued_requests, settings.sync.concurrency, _budgets(settings)
        )
        editor = Editor(places.drafts, places.spool, rules.catalogue)
        transcripts = Transcripts(places.streams)
        results: dict[Lane, Results] = {
            Lane.BATCH: lambda ended: api.results(ended.known_id, ended.results_url),
            Lane.SYNC: transcripts.results,
        }
        collector = Collector(store, clock, places.outbox, editor, settings.retry.max_attempts, results)
        pace = Pace(poll.initial, poll.factor, poll.max, poll.jitter)
        self._station = Station(store, clock, pace)
        self._sender = Sender(store, api, clock, places.spool, self._station, batch.concurrency)
        finder = Finder(store, api, clock, self._station, settings.api.doubt)
        poller = Poller(store, api, clock, self._station, pace)
        express = Express(store, api, clock, places.spool, self._station, transcripts, collector.collect)
        journeys: dict[Lane, Legs] = {
            Lane.BATCH: {
                State.PLANNED: self._sender.submit,
                State.INTENDED: finder.find,
                State.PROCESSING: poller.poll,
                State.ENDED: collector.collect,
            },
            Lane.SYNC: {
                State.PLANNED: express.submit,
                State.INTENDED: express.pick_up,
                State.ENDED: express.deliver,
            },
        }
        self._courier = Courier(store, clock, self._station, journeys)
        self._transcripts = transcripts
        self._weigher = Weigher(store, api, clock, places.spool)
        self._holding = Holding(store, places.outbox)
        self._closing = Closing(store, clock, places.outbox, places.spool)

    async def run(self, *, once: bool) -> bool:
        """Work until told to stop, or until there is nothing left to do.

        Args:
            once: Whether to end when every job has finished.

        Returns:
            Whether every job and file of this run came to a good end.
        """
        under_way = {batch.nonce for batch in await self._store.batches.unfinished()}
        await to_thread.run_sync(self._transcripts.sweep, under_way)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop_on_signal, tasks.cancel_scope)
            for claim in await self._intake.recover():
                tasks.start_soon(self._intake.start, claim, tasks)
            tasks.start_soon(self._watch)
            tasks.start_soon(self._listen)
            tasks.start_soon(self._feed_watchdog)
            tasks.start_soon(self._forever, self._look_at_inbox, tasks)
            tasks.start_soon(self._forever, self._dispatch, tasks, once)
            notify("READY=1")
            log.info("ready", inbox=str(self._places.inbox), outbox=str(self._places.outbox))
        return self._all_well and self._intake.rejections == 0

    async def _forever(self, work: Callable[..., Awaitable[None]], *arguments: object) -> None:
        while True:
            await patiently(partial(work, *arguments), self._clock, at=work.__name__.strip("_"))

    async def _look_at_inbox(self, tasks: anyio.abc.TaskGroup) -> None:
        settled_in = await self._intake.sweep(tasks)
        self._bell.ring()
        wait = self._settings.intake.rescan if settled_in is None else min(settled_in, self._settings.intake.rescan)
        await self._inbox_bell.wait_at_most(wait, self._clock)

    async def _dispatch(self, tasks: anyio.abc.TaskGroup, once: bool) -> None:  # noqa: FBT001  handed on by _forever
        await self._store.jobs.cancel_waiting()
        for job in await self._store.jobs.to_retry():
            self._start(tasks, ("job", job.id), partial(self._reopen, job))
        leaves_in = await self._packer.pack()
        await self._holding.show()
        for held in await self._weigher.due():
            self._start(tasks, ("request", held.id), partial(self._weigher.weigh, held))
        for batch in await self._store.batches.live_ids():
            self._start(tasks, ("batch", batch), partial(self._courier.carry, batch))
        for batch in await self._store.batches.to_cancel():
            self._station.call(batch)
        for job in await self._store.jobs.undelivered():
            self._start(tasks, ("job", job.id), partial(self._finish, job))
        if once and leaves_in is None and await self._nothing_left():
            tasks.cancel_scope.cancel()
        wait = self._settings.intake.rescan if leaves_in is None else leaves_in
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
        await patiently(partial(self._closing.finish, job), self._clock, job=job.name)
        tally = await self._store.jobs.tally(job.id)
        self._all_well &= state_of(job, tally) == "done"

    async def _reopen(self, job: Job) -> None:
        await patiently(partial(self._closing.reopen, job), self._clock, job=job.name)

    async def _nothing_left(self) -> bool:
        """Whether all that is still open waits for a person."""
        if self._under_way or not self._intake.idle or await self._has_files():
            return False
        store = self._store
        if await store.batches.live_ids() or await store.batches.waiting(1):
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
            force_polling=self._settings.intake.force_polling,
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
                    await self._sender.counter_is_free()
                scope.cancel()
                return
