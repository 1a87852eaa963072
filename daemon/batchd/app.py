"""The one place where everything is put together: settings in, a running daemon out."""

import asyncio
import ctypes
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import structlog
from anyio import to_thread

from batchd.claude.price import to_picodollars
from batchd.decisions.batch.backoff import Backoff
from batchd.decisions.batch.plan import Limits
from batchd.decisions.jobfile.rules import Rules
from batchd.decisions.measures import Limits as Budgeted
from batchd.decisions.notices.routing import Route
from batchd.decisions.retention import days_of
from batchd.dispatcher import Dispatcher, Rooms
from batchd.edges import disk, inbox, outbox
from batchd.edges.api import Api
from batchd.edges.api.meter import Meter
from batchd.edges.clock import Bell, Clock
from batchd.edges.drafts import Drafts
from batchd.edges.lock import sole_daemon
from batchd.edges.sinks import taker_of
from batchd.edges.store import DATABASE, Place, QueueBudget, Store, open_store
from batchd.edges.store.facts import SANDBOX
from batchd.edges.transcripts import Transcripts
from batchd.errors import Occupied, Unusable
from batchd.journey.bulk_finishing import BulkFinishing
from batchd.journey.cache_warmer import CacheWarmer
from batchd.journey.collector import Collector, Results
from batchd.journey.courier import Courier
from batchd.journey.documents import Documents
from batchd.journey.finder import Finder
from batchd.journey.finishing import Finishing
from batchd.journey.intake import Intake
from batchd.journey.keyless import Keyless
from batchd.journey.packer import Budgets, Packer
from batchd.journey.places import Places
from batchd.journey.poller import Poller
from batchd.journey.pruning import Pruning
from batchd.journey.readiness import Readiness
from batchd.journey.reading import rules_of
from batchd.journey.restoring import Restoring
from batchd.journey.sender import Sender
from batchd.journey.stepping import Stepping
from batchd.journey.sync_sender import SyncSender
from batchd.lifecycle import State
from batchd.model import Lane, Turn
from batchd.notice import Kind
from batchd.running.accounts import Accounts, Wanted
from batchd.running.counts import Counts
from batchd.running.departure import Departure
from batchd.running.held_file import HeldFiles
from batchd.running.key import Key
from batchd.running.life import LifeLine
from batchd.running.lookout import Lookout, Watched
from batchd.running.metering import Metering, Sources
from batchd.running.notifier import Notifier, Recipient
from batchd.running.pause_notice import PauseNotice
from batchd.running.reloading import Reloading
from batchd.running.retrying import Retrying
from batchd.running.token_counter import TokenCounter
from batchd.running.turns import Turns
from batchd.running.wakeups import Legs, Wakeups
from batchd.running.watchdog import ROUND, Watchdog
from batchd.settings import Settings, Sink, key_in

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_KNOCK = 1.0
"""Seconds between two tries to get the lock of the state folder."""
WORKERS = 40
"""Worker threads: for the disk, parsing, reports."""
_MOST_ARENAS, _TRIM, _MAP = -8, -1, -3
"""`M_ARENA_MAX`, `M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` of mallopt(3)."""
_KEPT_AT_HAND = 16 << 20
"""Bytes of each heap that stay with it when they are free: a kernel takes longer to give a page than to fill it."""
RESOLVERS = 8
"""Threads of the event loop's own, which look up names; by default their number goes by that of processors."""
_ANY_KEY = "sk-sandbox-{}"
"""A key of an account at the sandbox."""
OURS = frozenset({".backup", "claims", "spool", "drafts", "streams", "trash", "lock", "sandbox", "lost+found"})
"""What may lie in a state folder besides the database."""


async def serve(  # noqa: PLR0913  what a command can say
    settings: Settings,
    key: str | Callable[[], str | None] | None,
    *,
    once: bool = False,
    restored: bool = False,
    sandbox: bool = False,
    clock: Clock | None = None,
    load: Callable[[], Settings] | None = None,
) -> bool:
    """Run the daemon until SIGTERM or SIGINT, or until there is nothing left to do.

    Args:
        settings: All of them.
        key: The API key, or what looks for it, and is asked again; None for whatever the SDK finds.
        once: Whether to end when every job has finished.
        restored: Whether the state is known to be old: what was paid since is found before anything is sent.
        sandbox: Whether the API is a stand-in, whose text must never be taken for answers.
        clock: Another one than the machine's.
        load: Reads the settings anew, on SIGHUP.

    Returns:
        Whether every job and file of this run came to a good end.

    Raises:
        Occupied: Another daemon works on the state folder.
        Unusable: A folder or the database cannot be used, or the state is older than its outbox.
    """
    _bound_threads()
    clock, meter = clock or Clock(), Meter()
    places = prepared(settings)
    find = key if callable(key) else lambda: key
    first = find()

    def connect(found: str | None, base_url: str) -> AbstractAsyncContextManager[Api]:
        return Api.connect(
            key=found,
            base_url=base_url,
            per_minute=settings.api.requests_per_minute,
            patience=settings.api.timeout,
            clock=clock,
            meter=meter,
        )

    async with (
        _alone(settings.database, places.state) as store,
        connect(first, settings.api.base_url) as api,
    ):
        if not await store.facts.claim_for(SANDBOX if sandbox else "api"):
            here, there = ("the API", "batchd run") if sandbox else ("the sandbox", "batchd run --sandbox")
            raise Unusable(f"{places.state} has work under way at {here}: finish it with `{there}`, or set --state")
        async with AsyncExitStack() as others:
            accounts = Accounts(api, Key(api, store, find, first), store, clock, connect, others)
            reloading = Reloading(settings, load or (lambda: settings), store, accounts)
            await reloading.begin()
            with _all_that_is_there_kept():
                ground = partial(_ground, reloading, places, store, api, clock, accounts)
                become = partial(_have_accounts, accounts, reloading, sandbox=sandbox)
                return await _served(ground, become, once=once, restored=restored)


@asynccontextmanager
async def _alone(database: Place, state: Path) -> AsyncIterator[Store]:
    """Open the store for the only daemon that works on it.

    Of a file the lock of the state folder says who that is, and another daemon is refused. Of a server's database its
    own lock does, and another daemon waits for it: it takes over. Then the lock of the state folder may still be that
    of a host that is gone, until the shared file system has noticed.
    """
    if isinstance(database, Path):
        with sole_daemon(state):
            async with open_store(database) as store:
                yield store
        return
    async with open_store(database, _say_standby) as store:
        log.info("this daemon has the lock of the database")
        async with AsyncExitStack() as held:
            while True:
                try:
                    held.enter_context(sole_daemon(state))
                except Occupied:
                    await anyio.sleep(_KNOCK)
                else:
                    break
            yield store


def _say_standby(database: str) -> None:
    log.info("standby: another daemon has the lock of the database; this one takes over", database=database)


async def _served(
    ground: Callable[[], "_Ground"], become: Callable[[], Awaitable[None]], *, once: bool, restored: bool
) -> bool:
    """Run daemons, one after the other, each by the settings that hold when it begins: to resume is to start."""
    all_well = True
    while True:
        await become()
        on = ground()
        await on.keyless.take_up()
        dispatcher = _composed(on)
        all_well &= await dispatcher.run(once=once, restored=restored)
        if not dispatcher.reloaded:
            return all_well
        restored = False


async def _have_accounts(accounts: Accounts, reloading: Reloading, *, sandbox: bool) -> None:
    """Have the accounts that the settings name; at the sandbox any key will do, and none is read."""
    settings = reloading.settings
    wanted: dict[str, Wanted] = {}
    for name, key in settings.keys.items():
        base_url = settings.api.base_url if sandbox or not key.base_url else key.base_url
        in_file = None if sandbox or key.file is None else partial(key_in, key.file, f"keys.{name}.file")
        wanted[name] = Wanted(in_file or partial(_ANY_KEY.format, name), base_url, key)
    folders = {name: folder.key for name, folder in settings.folder.items() if folder.key}
    await accounts.become(wanted, folders, per_minute=settings.api.requests_per_minute)


def _bound_threads() -> None:
    """Keep the number of threads the same on any machine: the unit's `TasksMax` must not keep one from starting.

    They share two heaps: with one for each, as glibc has it, what forty threads have used now and then stays taken.
    """
    with suppress(OSError, AttributeError):  # another C library has no such heaps
        libc = ctypes.CDLL(None)
        for name, value in ((_MOST_ARENAS, 2), (_TRIM, _KEPT_AT_HAND), (_MAP, _KEPT_AT_HAND)):
            libc.mallopt(name, value)
    to_thread.current_default_thread_limiter().total_tokens = WORKERS
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(RESOLVERS, "names"))


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


@dataclass(frozen=True, slots=True)
class _Ground:
    """What every leg stands on."""

    settings: Settings
    places: Places
    store: Store
    api: Api
    clock: Clock
    bell: Bell
    rules: Rules
    retrying: Retrying
    wakeups: Wakeups
    counts: Counts
    life: LifeLine
    restoring: Restoring
    departure: Departure
    documents: Documents
    transcripts: Transcripts
    accounts: Accounts
    keyless: Keyless
    reloading: Reloading
    turns: Turns


def _ground(  # noqa: PLR0913  the edges
    reloading: Reloading, places: Places, store: Store, api: Api, clock: Clock, accounts: Accounts
) -> _Ground:
    settings = reloading.settings
    bell, rules, wakeups, life = Bell(), rules_of(settings), Wakeups(clock), LifeLine(store, places.outbox)
    retrying = Retrying(store, clock, bell)
    turns = _turns(settings, store, clock)
    restoring = Restoring(store, accounts, clock, places, life, retrying, bell)
    return _Ground(
        settings,
        places,
        store,
        api,
        clock,
        bell,
        rules,
        retrying,
        wakeups,
        Counts(wakeups),
        life,
        restoring,
        Departure(store, clock, wakeups, lambda: restoring.under_way, accounts, turns.outside),
        Documents(Drafts(places.drafts), places.spool, rules.catalogue),
        Transcripts(places.streams),
        accounts,
        Keyless(store, clock, accounts),
        reloading,
        turns,
    )


def _turns(settings: Settings, store: Store, clock: Clock) -> Turns:
    folders = {name: Turn(folder.priority, folder.hours or None) for name, folder in settings.folder.items()}
    return Turns(store, clock, {name: turn for name, turn in folders.items() if turn != Turn(0)})


def _collector(on: _Ground) -> Collector:
    results: dict[Lane, Results] = {
        Lane.BATCH: lambda ended, cut: on.accounts.api(ended.account).results(ended.known_id, ended.results_url, cut),
        Lane.SYNC: lambda ended, _: on.transcripts.results(ended),
    }
    attempts = on.settings.retry.max_attempts
    return Collector(on.store, on.clock, on.places.outbox, on.documents, attempts, results, on.departure)


def _sender(on: _Ground, poll: Backoff) -> Sender:
    return Sender(
        on.store,
        on.accounts,
        on.clock,
        on.places.spool,
        on.wakeups,
        on.departure,
        on.counts,
        on.life,
        concurrency=on.settings.batch.concurrency,
        # What is in doubt is sent again after `doubt`: no byte of it may leave later than that.
        first_byte=on.settings.api.doubt / 2,
        poll=poll,
    )


def _sync_sender(on: _Ground, collector: Collector) -> SyncSender:
    return SyncSender(
        on.store,
        on.accounts,
        on.clock,
        on.places.spool,
        on.wakeups,
        on.departure,
        on.life,
        on.transcripts,
        collector.collect,
        seats=on.settings.sync.concurrency,
        timeout=on.settings.api.timeout,
    )


def _journeys(
    on: _Ground, sender: Sender, sync_sender: SyncSender, collector: Collector, poll: Backoff
) -> dict[Lane, Legs]:
    """Which leg a batch takes from which state."""
    finder = Finder(on.store, on.accounts, on.clock, on.wakeups, doubt=on.settings.api.doubt, poll=poll)
    poller = Poller(on.store, on.accounts, on.clock, on.wakeups, finder, poll)
    readiness = Readiness(on.store, on.places.spool, on.retrying)
    return {
        Lane.BATCH: {
            State.PLANNED: on.keyless.before(readiness.before(sender.submit)),
            State.INTENDED: on.keyless.before(finder.find),
            State.PROCESSING: on.keyless.before(poller.poll),
            State.ENDED: on.keyless.before(collector.collect),
        },
        Lane.SYNC: {
            State.PLANNED: on.keyless.before(readiness.before(sync_sender.submit)),
            State.INTENDED: sync_sender.pick_up,
            State.ENDED: sync_sender.deliver,
        },
    }


def _packer(on: _Ground, sync_sender: SyncSender) -> Packer:
    batch, budget = on.settings.batch, on.settings.budget
    limits = Limits(batch.max_requests, batch.max_bytes, batch.long_max_requests, batch.long_tokens, batch.linger)
    budgets = Budgets(
        per_job=to_picodollars(budget.per_job or None),
        per_day=to_picodollars(budget.per_day or None),
        per_month=to_picodollars(budget.per_month or None),
        queues={
            name: QueueBudget(to_picodollars(folder.per_day or None), to_picodollars(folder.per_month or None))
            for name, folder in on.settings.folder.items()
            if folder.per_day or folder.per_month
        },
    )
    queued = on.settings.api.max_queued_requests
    return Packer(
        on.store, on.clock, limits, queued, sync_sender, budgets, on.retrying, on.restoring, on.turns, on.accounts
    )


def _notifier(on: _Ground) -> Notifier:
    recipients = [
        Recipient(_route(name, sink), taker)
        for name, sink in on.settings.notify.sinks.items()
        if (taker := taker_of(sink)) is not None
    ]
    folders = {name: folder.notify for name, folder in on.settings.folder.items()}
    page = on.settings.notify.page
    return Notifier(on.store, on.clock, on.places.outbox, recipients, on.retrying, page=page, folders=folders)


def _lookout(on: _Ground, intake: Intake, watchdog: Watchdog) -> Lookout:
    settings = on.settings
    watched = Watched(
        places={"outbox": on.places.outbox, "state": on.places.state},
        parked=lambda: on.departure.parked,
        sends=lambda: on.departure.sends,
        misled=intake.misled,
        per_day=float(settings.budget.per_day),
        per_month=float(settings.budget.per_month),
        folders={name: (float(folder.per_day), float(folder.per_month)) for name, folder in settings.folder.items()},
        disk_low=settings.notify.disk_low,
        digest=settings.notify.digest,
    )
    pings = {name: sink for name, sink in settings.notify.sinks.items() if sink.ping is not None}
    return Lookout(on.store, on.clock, watched, pings, watchdog, on.bell)


def _metering(on: _Ground) -> Metering:
    metrics, budget = on.settings.metrics, on.settings.budget
    sources = Sources(
        store=on.store,
        database=on.settings.database,
        outbox=on.places.outbox,
        state=on.places.state,
        api=on.api,
        clock=on.clock,
        departure=on.departure,
        catalogue=on.rules.catalogue,
        restoring=lambda: on.restoring.under_way,
    )
    limits = Budgeted(per_day=float(budget.per_day), per_month=float(budget.per_month))
    return Metering(sources, limits, listen=metrics.listen, textfile=metrics.textfile, queues=metrics.queues)


def _route(name: str, sink: Sink) -> Route:
    events = None if sink.events is None else frozenset(map(Kind, sink.events))
    return Route(name, events, frozenset(sink.folders))


def _keeping(on: _Ground) -> Callable[[], Awaitable[None]]:
    keep = on.settings.keep
    days = days_of(outbox=keep.outbox, documents_only=keep.documents_only, rejected=keep.rejected, rows=keep.rows)
    return partial(Pruning(on.store, on.clock, on.places).daily, days, keep.at)


def _composed(on: _Ground) -> Dispatcher:
    """Put the rooms together, from the inbox to the outbox."""
    settings, places, store, clock = on.settings, on.places, on.store, on.clock
    poll = Backoff(settings.poll.initial, settings.poll.factor, settings.poll.max, settings.poll.jitter)
    collector, sender = _collector(on), _sender(on, poll)
    sync_sender = _sync_sender(on, collector)
    journeys = _journeys(on, sender, sync_sender, collector, poll)
    guard = settings.results.guard_formulas
    finishing = Finishing(store, clock, places.outbox, places.spool, on.documents, guard_formulas=guard)
    intake = Intake(store, clock, places, on.rules, settings.intake, on.bell, on.retrying)
    watchdog = Watchdog(store, round_=settings.intake.rescan + ROUND)
    rooms = Rooms(
        api=on.api,
        intake=intake,
        packer=_packer(on, sync_sender),
        sender=sender,
        sync_sender=sync_sender,
        courier=Courier(store, clock, on.wakeups, on.counts, journeys, on.retrying),
        wakeups=on.wakeups,
        cache_warmer=CacheWarmer(store, clock, places.spool),
        token_counter=TokenCounter(store, on.accounts, clock, places.spool, on.rules.catalogue),
        held_files=HeldFiles(store, clock, places.outbox),
        pause_notice=PauseNotice(store, clock, places.outbox),
        bulk_finishing=BulkFinishing(store, clock, places.outbox, places.spool, finishing),
        finishing=finishing,
        stepping=Stepping(store, clock, places.outbox, places.spool, on.rules),
        transcripts=on.transcripts,
        retrying=on.retrying,
        watchdog=watchdog,
        restoring=on.restoring,
        notifier=_notifier(on),
        keeping=_keeping(on),
        metering=_metering(on),
        lookout=_lookout(on, intake, watchdog),
        accounts=on.accounts,
        reloading=on.reloading,
    )
    return Dispatcher(rooms, places, store, clock, on.bell, settings.intake)
