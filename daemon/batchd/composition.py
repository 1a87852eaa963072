"""Which rooms a daemon has, and what each is given: from the inbox to the outbox, by the settings that hold."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from batchd.claude.price import to_picodollars
from batchd.decisions.batch.backoff import Backoff
from batchd.decisions.batch.plan import Limits
from batchd.decisions.jobfile.rules import Rules
from batchd.decisions.measures import Limits as Budgeted
from batchd.decisions.notices.routing import Route
from batchd.decisions.retention import days_of
from batchd.dispatcher import Dispatcher, Rooms
from batchd.edges.api import Api
from batchd.edges.clock import Bell, Clock
from batchd.edges.drafts import Drafts
from batchd.edges.sinks import taker_of
from batchd.edges.store import Membership, QueueBudget, Store
from batchd.edges.transcripts import Transcripts
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
from batchd.journey.permissions import Permissions
from batchd.journey.places import Places
from batchd.journey.poller import Poller
from batchd.journey.pruning import Pruning
from batchd.journey.readiness import Readiness
from batchd.journey.reading import rules_of
from batchd.journey.refusing import Refusing
from batchd.journey.restoring import Restoring
from batchd.journey.sender import LONGEST, Sender
from batchd.journey.stepping import Stepping
from batchd.journey.sync_sender import SyncSender
from batchd.lifecycle import State
from batchd.model import Lane, Turn
from batchd.notice import Kind
from batchd.running.accounts import Accounts
from batchd.running.counts import Counts
from batchd.running.departure import Departure
from batchd.running.filling import Filling
from batchd.running.held_file import HeldFiles
from batchd.running.life import LifeLine
from batchd.running.lookout import Lookout, Watched
from batchd.running.metering import Metering, Sources
from batchd.running.notifier import Notifier, Recipient
from batchd.running.pause_notice import PauseNotice
from batchd.running.reloading import Reloading
from batchd.running.retrying import Retrying
from batchd.running.token_counter import TokenCounter
from batchd.running.turns import Turns
from batchd.running.wakeups import Leg, Legs, Wakeups
from batchd.running.watchdog import ROUND, Watchdog
from batchd.settings import Settings, Sink

_AMONG_OTHERS = 2.0
"""Seconds after which a batch looks again whether another worker has resolved a create of its count."""


@dataclass(frozen=True, slots=True)
class Ground:
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


def ground(  # noqa: PLR0913  the edges
    reloading: Reloading,
    places: Places,
    store: Store,
    api: Api,
    clock: Clock,
    accounts: Accounts,
    membership: Membership | None = None,
    wakeups: Wakeups | None = None,
    restored: Callable[[], bool] | None = None,
) -> Ground:
    """Lay what every leg stands on, by the settings that hold now.

    Args:
        membership: Of a worker among others.
        wakeups: Where batches rest; None for their own bells.
        restored: Whether what was paid in a lost life is still being looked for, where somebody else does that.
    """
    settings = reloading.settings
    bell, rules, wakeups = Bell(), rules_of(settings), wakeups or Wakeups(clock)
    life = LifeLine(store, places.outbox, 0 if membership is None else membership.slot)
    retrying = Retrying(store, clock, bell)
    turns = _turns(settings, store, clock)
    refusing = Refusing(store, clock, places, Permissions(places.outbox, rules))
    restoring = Restoring(store, accounts, clock, places, life, retrying, bell, refusing)
    return Ground(
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
        Departure(
            store,
            clock,
            wakeups,
            restored or (lambda: restoring.under_way),
            accounts,
            turns.outside,
            None if membership is None else store.breakers,
        ),
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


def _collector(on: Ground) -> Collector:
    results: dict[Lane, Results] = {
        Lane.BATCH: lambda ended, cut: on.accounts.api(ended.account).results(ended.known_id, ended.results_url, cut),
        Lane.SYNC: lambda ended, _: on.transcripts.results(ended),
    }
    attempts = on.settings.retry.max_attempts
    return Collector(on.store, on.clock, on.places.outbox, on.documents, attempts, results, on.departure)


def sender_of(on: Ground, poll: Backoff) -> Sender:
    """What sends batches."""
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
        longest=LONGEST if on.settings.fleet.workers == 1 else _AMONG_OTHERS,
    )


def _sync_sender(on: Ground, collector: Collector) -> SyncSender:
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
    on: Ground, sender: Sender | None, sync_sender: SyncSender, collector: Collector, poll: Backoff
) -> dict[Lane, Legs]:
    """Which leg a batch takes from which state; without a sender workers bring batches to their end at the API."""
    readiness = Readiness(on.store, on.places.spool, on.retrying)
    of_batches = {State.ENDED: on.keyless.before(collector.collect)}
    if sender is not None:
        of_batches |= carried(on, sender, poll, on.wakeups)
    return {
        Lane.BATCH: of_batches,
        Lane.SYNC: {
            State.PLANNED: on.keyless.before(readiness.before(sync_sender.submit)),
            State.INTENDED: sync_sender.pick_up,
            State.ENDED: sync_sender.deliver,
        },
    }


def carried(on: Ground, sender: Sender, poll: Backoff, dozing: Wakeups) -> dict[State, Leg]:
    """The legs of a batch from its plan until the API has ended it.

    Args:
        on: What they stand on.
        sender: The first of them.
        poll: How often a batch is polled.
        dozing: Where a batch rests while its create is in doubt.
    """
    finder = Finder(on.store, on.accounts, on.clock, dozing, doubt=on.settings.api.doubt, poll=poll)
    poller = Poller(on.store, on.accounts, on.clock, on.wakeups, finder, poll)
    readiness = Readiness(on.store, on.places.spool, on.retrying)
    return {
        State.PLANNED: on.keyless.before(readiness.before(sender.submit)),
        State.INTENDED: on.keyless.before(finder.find),
        State.PROCESSING: on.keyless.before(poller.poll),
    }


def poll_of(on: Ground) -> Backoff:
    """How often a batch is polled."""
    poll = on.settings.poll
    return Backoff(poll.initial, poll.factor, poll.max, poll.jitter)


def _packer(on: Ground, sync_sender: SyncSender) -> Packer:
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


def _notifier(on: Ground) -> Notifier:
    recipients = [
        Recipient(_route(name, sink), taker)
        for name, sink in on.settings.notify.sinks.items()
        if (taker := taker_of(sink)) is not None
    ]
    folders = {name: folder.notify for name, folder in on.settings.folder.items()}
    page = on.settings.notify.page
    return Notifier(on.store, on.clock, on.places.outbox, recipients, on.retrying, page=page, folders=folders)


def _lookout(on: Ground, intake: Intake, watchdog: Watchdog) -> Lookout:
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


def _metering(on: Ground) -> Metering:
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


def _keeping(on: Ground) -> Callable[[], Awaitable[None]]:
    keep = on.settings.keep
    days = days_of(outbox=keep.outbox, documents_only=keep.documents_only, rejected=keep.rejected, rows=keep.rows)
    return partial(Pruning(on.store, on.clock, on.places).daily, days, keep.at)


def composed(on: Ground, filling: Filling | None = None) -> Dispatcher:
    """Put the rooms together, from the inbox to the outbox; with a timetable to fill, workers carry batches."""
    settings, places, store, clock = on.settings, on.places, on.store, on.clock
    poll = poll_of(on)
    collector, sender = _collector(on), sender_of(on, poll)
    sync_sender = _sync_sender(on, collector)
    journeys = _journeys(on, sender if filling is None else None, sync_sender, collector, poll)
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
        filling=filling,
        reloading=on.reloading,
    )
    return Dispatcher(rooms, places, store, clock, on.bell, settings.intake)
