"""The store: the only room that speaks SQL, and the only queue there is. It decides nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batchd.edges.store.agreements import Agreements
from batchd.edges.store.amendments import Amendment, Amendments, Change
from batchd.edges.store.arrivals import Arrival, Arrivals
from batchd.edges.store.batches import Batches, CountTaken
from batchd.edges.store.breakers import Breakers
from batchd.edges.store.calls import Calls
from batchd.edges.store.database import Database
from batchd.edges.store.deliveries import Deliveries
from batchd.edges.store.facts import Facts
from batchd.edges.store.holds import Holds
from batchd.edges.store.jobs import Jobs
from batchd.edges.store.membership import Membership
from batchd.edges.store.notices import Notices
from batchd.edges.store.pauses import Pause, Paused, Pauses
from batchd.edges.store.purses import Purses, QueueBudget
from batchd.edges.store.queue import Queue, Waits
from batchd.edges.store.recovered import Recovered
from batchd.edges.store.refusals import Refusals
from batchd.edges.store.remotes import Remotes
from batchd.edges.store.requests import NewRequest
from batchd.edges.store.resolutions import Resolutions
from batchd.edges.store.retention import Retention
from batchd.edges.store.retries import Retries
from batchd.edges.store.spending import GROUPS, Spending, Spent
from batchd.edges.store.sqlite.database import SqliteDatabase
from batchd.edges.store.steps import JobSteps
from batchd.edges.store.transitions import Stale
from batchd.edges.store.trips import Spooled, Trips
from batchd.edges.store.troubles import Troubles
from batchd.edges.store.turns import JobTurns
from batchd.edges.store.views.agenda import Agenda, Due
from batchd.edges.store.views.browsing import Browsing, Carried, Listed
from batchd.edges.store.views.lookout import Sights
from batchd.edges.store.views.measures import MeasuresOf
from batchd.edges.store.views.overview import JobStanding, Overview, Shared, Standing
from batchd.edges.store.views.progress import ProgressOf
from batchd.edges.store.views.reports import Reports
from batchd.edges.store.views.tallies import Tallies
from batchd.edges.store.warmings import Warmings
from batchd.edges.store.workers import AtWork, GivenUp, Worker, Workers
from batchd.errors import Unusable

if TYPE_CHECKING:
    from batchd.edges.store.postgresql.database import PostgresqlDatabase

__all__ = [
    "DATABASE",
    "FLEET",
    "GROUPS",
    "Agenda",
    "Amendment",
    "Amendments",
    "Arrival",
    "AtWork",
    "Batches",
    "Carried",
    "Change",
    "CountTaken",
    "Due",
    "GivenUp",
    "JobStanding",
    "Listed",
    "Membership",
    "NewRequest",
    "Overview",
    "Pause",
    "Paused",
    "Place",
    "QueueBudget",
    "Shared",
    "Spent",
    "Spooled",
    "Stale",
    "Standing",
    "Store",
    "Waits",
    "Worker",
    "is_there",
    "look_into_store",
    "open_store",
    "open_worker",
    "write_to_store",
]

FLEET: Final = "pip install 'batchd[fleet]'"
"""What brings it."""
DATABASE = "batchd.sqlite"
"""The name of the file, in the state folder."""


@dataclass(frozen=True, slots=True)
class Store:
    """What is durable."""

    agenda: Agenda
    arrivals: Arrivals
    jobs: Jobs
    queue: Queue
    batches: Batches
    remotes: Remotes
    resolutions: Resolutions
    trips: Trips
    deliveries: Deliveries
    reports: Reports
    overview: Overview
    browsing: Browsing
    progress: ProgressOf
    tallies: Tallies
    spending: Spending
    purses: Purses
    holds: Holds
    troubles: Troubles
    facts: Facts
    warmings: Warmings
    recovered: Recovered
    steps: JobSteps
    refusals: Refusals
    retries: Retries
    notices: Notices
    amendments: Amendments
    pauses: Pauses
    turns: JobTurns
    retention: Retention
    measures: MeasuresOf
    sights: Sights
    agreements: Agreements
    workers: Workers
    calls: Calls
    breakers: Breakers
    database: Database
    installation: str
    """The tag of its wire ids, by which any result at the API tells whose it is; made with the database."""


Place = Path | str
"""Where the database is: a file of SQLite, whose folder must exist, or the URL of a PostgreSQL server's."""


def is_there(place: Place) -> bool:
    """Whether there is a database; of a server's that shows when it is opened."""
    return place.exists() if isinstance(place, Path) else True


def _of_postgresql() -> "type[PostgresqlDatabase]":
    try:
        from batchd.edges.store.postgresql.database import PostgresqlDatabase  # noqa: PLC0415  only where it is used
    except ImportError as error:
        raise Unusable(f"the setting store needs a package that is missing ({error.name}): {FLEET}") from error
    return PostgresqlDatabase


async def _said_nowhere(place: str) -> None: ...


@asynccontextmanager
async def open_store(place: Place, waits: Callable[[str], Awaitable[None]] = _said_nowhere) -> AsyncIterator[Store]:
    """Open the store, made or migrated where that is needed: the daemon's, under its lock.

    Args:
        place: Where it is.
        waits: Is told, once, that another daemon has the lock of the database, which this one waits for unless that
            raises; the lock of a file is that of the state folder.

    Raises:
        Unusable: It is no database of ours, damaged, or has other tables than this program works with.
        Unavailable: It cannot be reached, or it and its lock are lost.
    """
    if isinstance(place, Path):
        async with SqliteDatabase.open(place) as database:
            yield await _store(database)
    else:
        async with _of_postgresql().open(place, daemon=True, waits=waits) as on_server:
            yield await _store(on_server)


@asynccontextmanager
async def open_worker(
    place: str, waits: Callable[[str], Awaitable[None]] = _said_nowhere, *, workers: int, stalled: float
) -> AsyncIterator[tuple[Store, Membership]]:
    """Open the store for one of many workers: made where that is needed, and in a slot of its own.

    Args:
        place: The URL of the server's database.
        waits: Is told, once, that others have all slots, and this one waits for one.
        workers: How many slots there are.
        stalled: Seconds after which a worker that is not heard is given up.

    Raises:
        Unusable: It is no database of ours, or has other tables than this program works with.
        Unavailable: It cannot be reached, or it and the slot are lost.
    """
    opened = _of_postgresql().open(place, daemon=True, waits=waits, workers=workers, stalled=stalled)
    async with opened as database:
        yield await _store(database), database


@asynccontextmanager
async def write_to_store(place: Place) -> AsyncIterator[Store]:
    """Open a store that exists, to write beside a daemon; nothing is made or migrated.

    Raises:
        Unusable: It is no database of ours, may not be written, or is of another version.
    """
    if isinstance(place, Path):
        async with SqliteDatabase.open(place, migrate=False) as database:
            yield await _store(database)
    else:
        async with _of_postgresql().open(place, daemon=False) as on_server:
            yield await _store(on_server)


@asynccontextmanager
async def look_into_store(place: Place) -> AsyncIterator[Store]:
    """Open a store that exists, only to read from it: nothing is made or changed.

    Raises:
        Unusable: It is no database of ours, may not be read, or is of another version.
    """
    if isinstance(place, Path):
        async with SqliteDatabase.look(place) as database:
            yield await _store(database)
    else:
        async with _of_postgresql().look(place) as on_server:
            yield await _store(on_server)


async def _store(database: Database) -> Store:
    tag = await database.row("SELECT value FROM facts WHERE name = 'installation'")
    if tag is None:
        raise Unusable("the database does not say which installation it is: see docs/operations.md")
    return Store(
        Agenda(database),
        Arrivals(database),
        Jobs(database),
        Queue(database),
        Batches(database),
        Remotes(database),
        Resolutions(database),
        Trips(database),
        Deliveries(database),
        Reports(database),
        Overview(database),
        Browsing(database),
        ProgressOf(database),
        Tallies(database),
        Spending(database),
        Purses(database),
        Holds(database),
        Troubles(database),
        Facts(database),
        Warmings(database),
        Recovered(database),
        JobSteps(database),
        Refusals(database),
        Retries(database),
        Notices(database),
        Amendments(database),
        Pauses(database),
        JobTurns(database),
        Retention(database),
        MeasuresOf(database),
        Sights(database),
        Agreements(database),
        Workers(database),
        Calls(database),
        Breakers(database),
        database,
        str(tag["value"]),
    )
