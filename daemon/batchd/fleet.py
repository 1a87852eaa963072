"""A worker among others, put together: its slot, the quota that all take from, what carries, and what sweeps."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from batchd.composition import Ground, carried, composed, poll_of, sender_of
from batchd.dispatcher import Dispatcher
from batchd.edges.clock import Clock
from batchd.edges.lock import sole_daemon
from batchd.edges.store import Membership, Store, open_worker
from batchd.journey.carrying import Carrying
from batchd.journey.courier import Courier
from batchd.model import Lane
from batchd.running.fellowship import Fellowship
from batchd.running.filling import Filling
from batchd.running.handing_back import HandingBack
from batchd.running.quota import SharedQuota
from batchd.running.watchdog import Watchdog
from batchd.settings import Settings
from batchd.worker import Worker

if TYPE_CHECKING:
    from batchd.edges.store.postgresql.timetable import Timetable

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a worker shares with others."""

    store: Store
    membership: Membership
    timetable: "Timetable"
    clock: Clock
    quotas: list[SharedQuota]

    def quota(self, account: str) -> SharedQuota:
        """That of an account, out of which this worker takes."""
        quota = SharedQuota(self.store, self.clock, self.membership.token, account)
        self.quotas.append(quota)
        return quota


@asynccontextmanager
async def among_workers(
    settings: Settings, clock: Clock, waits: Callable[[str], Awaitable[None]]
) -> AsyncIterator[Fleet]:
    """Open the store and the timetable in a slot among the workers; all live by the clock of the database.

    Args:
        settings: All of them.
        clock: Goes by that of the database from then on.
        waits: Is told, once, that others have all slots.

    Raises:
        Unusable: The database cannot be used.
        Unavailable: It cannot be reached, or it and the slot are lost.
    """
    fleet = settings.fleet
    opened = open_worker(settings.store, waits, workers=fleet.workers, stalled=fleet.stalled)
    async with opened as (store, membership):
        from batchd.edges.store.postgresql.timetable import Timetable  # noqa: PLC0415  of the extra, as the store is

        log.info("this worker has a slot", slot=membership.slot, of=fleet.workers)
        clock.follow(await membership.now())
        async with Timetable.open(settings.store, membership.token, membership.still_held) as timetable:
            yield Fleet(store, membership, timetable, clock, [])


def worker(fleet: Fleet, begin: Callable[..., Ground]) -> Worker:
    """Put a worker together: what carries, and how what sweeps is put together when it is this worker's turn."""
    wakeups = HandingBack(fleet.clock)
    fellowship: Fellowship | None = None
    on = begin(wakeups, lambda: fellowship is None or fellowship.restoring)
    settings = on.settings.fleet
    poll = poll_of(on)
    watchdog = Watchdog(on.store)
    fellowship = Fellowship(
        on.store,
        fleet.membership,
        fleet.timetable,
        fleet.clock,
        settings.name or socket.gethostname(),
        settings.stalled,
        fleet.quotas,
        watchdog.came_round,
    )
    sender = sender_of(on, poll)
    journeys = {Lane.BATCH: carried(on, sender, poll, wakeups.dozing())}
    courier = Courier(on.store, on.clock, wakeups, on.counts, journeys, on.retrying)
    carrying = Carrying(courier, wakeups, on.retrying, fleet.membership)

    async def dispatcher() -> Dispatcher:
        sweeping = begin()
        await sweeping.keyless.take_up()
        return composed(sweeping, Filling(fleet.timetable, fleet.clock))

    return Worker(
        fellowship,
        fleet.membership,
        carrying,
        partial(fleet.timetable.run, carrying.carry, tasks=settings.tasks, stalled=settings.stalled),
        sender,
        on.accounts,
        watchdog,
        fleet.clock,
        dispatcher,
        partial(sole_daemon, on.places.state),
    )
