"""The one place where everything is put together: settings in, a running daemon out."""

import asyncio
import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from anyio import to_thread

from batchd.claude.price import to_picodollars
from batchd.decisions.batch.backoff import Backoff
from batchd.decisions.batch.plan import Limits
from batchd.dispatcher import Dispatcher, Rooms
from batchd.edges import disk, inbox, outbox
from batchd.edges.api import Api
from batchd.edges.clock import Bell, Clock
from batchd.edges.drafts import Drafts
from batchd.edges.lock import sole_daemon
from batchd.edges.store import DATABASE, Store, open_store
from batchd.edges.store.facts import SANDBOX
from batchd.edges.transcripts import Transcripts
from batchd.errors import Unusable
from batchd.journey.bulk_finishing import BulkFinishing
from batchd.journey.cache_warmer import CacheWarmer
from batchd.journey.collector import Collector, Results
from batchd.journey.courier import Courier
from batchd.journey.documents import Documents
from batchd.journey.finder import Finder
from batchd.journey.finishing import Finishing
from batchd.journey.intake import Intake, Places
from batchd.journey.packer import Budgets, Packer
from batchd.journey.poller import Poller
from batchd.journey.readiness import Readiness
from batchd.journey.restoring import Restoring
from batchd.journey.sender import Sender
from batchd.journey.spooling import rules_of
from batchd.journey.sync_sender import SyncSender
from batchd.lifecycle import State
from batchd.model import Lane
from batchd.running.counts import Counts
from batchd.running.departure import Departure
from batchd.running.held_file import HeldFiles
from batchd.running.life import LifeLine
from batchd.running.retrying import Retrying
from batchd.running.token_counter import TokenCounter
from batchd.running.wakeups import Legs, Wakeups
from batchd.running.watchdog import ROUND, Watchdog
from batchd.settings import Settings

WORKERS = 40
"""Worker threads: for the disk, parsing, reports."""
RESOLVERS = 8
"""Threads of the event loop's own, which look up names; by default their number goes by that of processors."""
OURS = frozenset({"claims", "spool", "drafts", "streams", "lock", "sandbox", "lost+found"})
"""What may lie in a state folder besides the database."""


async def serve(  # noqa: PLR0913  what a command can say
    settings: Settings,
    key: str | None,
    *,
    once: bool = False,
    restored: bool = False,
    sandbox: bool = False,
    clock: Clock | None = None,
) -> bool:
    """Run the daemon until SIGTERM or SIGINT, or until there is nothing left to do.

    Args:
        settings: All of them.
        key: The API key; None for whatever the SDK finds.
        once: Whether to end when every job has finished.
        restored: Whether the state is known to be old: what was paid since is found before anything is sent.
        sandbox: Whether the API is a stand-in, whose text must never be taken for answers.
        clock: Another one than the machine's.

    Returns:
        Whether every job and file of this run came to a good end.

    Raises:
        Occupied: Another daemon works on the state folder.
        Unusable: A folder or the database cannot be used, or the state is older than its outbox.
    """
    _bound_threads()
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
            if not await store.facts.claim_for(SANDBOX if sandbox else "api"):
                here, there = ("the API", "batchd run") if sandbox else ("the sandbox", "batchd run --sandbox")
                raise Unusable(f"{places.state} has work under way at {here}: finish it with `{there}`, or set --state")
            with _all_that_is_there_kept():
                return await _composed(settings, places, store, api, clock).run(once=once, restored=restored)


def _bound_threads() -> None:
    """Keep the number of threads the same on any machine: the unit's `TasksMax` must not keep one from starting."""
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


def _budgets(settings: Settings) -> Budgets:
    return Budgets(
        per_job=to_picodollars(settings.budget.per_job or None), per_day=to_picodollars(settings.budget.per_day or None)
    )


def _composed(settings: Settings, places: Places, store: Store, api: Api, clock: Clock) -> Dispatcher:
    """Put the rooms together, from the inbox to the outbox."""
    bell = Bell()
    rules = rules_of(settings)
    batch, poll = settings.batch, settings.poll
    limits = Limits(batch.max_requests, batch.max_bytes, batch.long_max_requests, batch.long_tokens, batch.linger)
    backoff = Backoff(poll.initial, poll.factor, poll.max, poll.jitter)
    retrying = Retrying(store, clock, bell)
    transcripts = Transcripts(places.streams)
    results: dict[Lane, Results] = {
        Lane.BATCH: lambda ended, cut: api.results(ended.known_id, ended.results_url, cut),
        Lane.SYNC: lambda ended, _: transcripts.results(ended),
    }

    documents = Documents(Drafts(places.drafts), places.spool, rules.catalogue)
    wakeups = Wakeups(clock)
    counts = Counts(wakeups)
    life = LifeLine(store, places.outbox)
    restoring = Restoring(store, api, clock, places, life, retrying, bell)
    departure = Departure(store, clock, wakeups, lambda: restoring.under_way)
    attempts = settings.retry.max_attempts
    collector = Collector(store, clock, places.outbox, documents, attempts, results, departure)
    sender = Sender(
        store,
        api,
        clock,
        places.spool,
        wakeups,
        departure,
        counts,
        life,
        concurrency=batch.concurrency,
        # What is in doubt is sent again after `doubt`: no byte of it may leave later than that.
        first_byte=settings.api.doubt / 2,
        poll=backoff,
    )
    finder = Finder(store, api, clock, wakeups, doubt=settings.api.doubt, poll=backoff)
    poller = Poller(store, api, clock, wakeups, finder, backoff)
    sync_sender = SyncSender(
        store,
        api,
        clock,
        places.spool,
        wakeups,
        departure,
        life,
        transcripts,
        collector.collect,
        seats=settings.sync.concurrency,
        timeout=settings.api.timeout,
    )
    readiness = Readiness(store, places.spool, retrying)
    journeys: dict[Lane, Legs] = {
        Lane.BATCH: {
            State.PLANNED: readiness.before(sender.submit),
            State.INTENDED: finder.find,
            State.PROCESSING: poller.poll,
            State.ENDED: collector.collect,
        },
        Lane.SYNC: {
            State.PLANNED: readiness.before(sync_sender.submit),
            State.INTENDED: sync_sender.pick_up,
            State.ENDED: sync_sender.deliver,
        },
    }

    guard = settings.results.guard_formulas
    finishing = Finishing(store, clock, places.outbox, places.spool, documents, guard_formulas=guard)
    rooms = Rooms(
        intake=Intake(store, clock, places, rules, settings.intake, bell, retrying),
        packer=Packer(
            store, clock, limits, settings.api.max_queued_requests, sync_sender, _budgets(settings), retrying, restoring
        ),
        sender=sender,
        sync_sender=sync_sender,
        courier=Courier(store, clock, wakeups, counts, journeys, retrying),
        wakeups=wakeups,
        cache_warmer=CacheWarmer(store, clock, places.spool),
        token_counter=TokenCounter(store, api, clock, places.spool, rules.catalogue),
        held_files=HeldFiles(store, clock, places.outbox),
        bulk_finishing=BulkFinishing(store, clock, places.outbox, places.spool, finishing),
        finishing=finishing,
        transcripts=transcripts,
        retrying=retrying,
        watchdog=Watchdog(store, round_=settings.intake.rescan + ROUND),
        restoring=restoring,
    )
    return Dispatcher(rooms, places, store, clock, bell, settings.intake)
