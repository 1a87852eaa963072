"""The store: the only room that speaks SQL, and the only queue there is. It decides nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from batchd.edges.store.batches import Batches, CountTaken, Stale
from batchd.edges.store.database import Database
from batchd.edges.store.deliveries import Deliveries
from batchd.edges.store.jobs import Jobs, NewRequest
from batchd.edges.store.overview import JobStanding, Overview, Standing
from batchd.edges.store.queue import Queue
from batchd.edges.store.reports import Reports
from batchd.edges.store.resolutions import Answers, NotHeld
from batchd.edges.store.spending import GROUPS, Spending, Spent
from batchd.edges.store.troubles import Troubles

__all__ = [
    "DATABASE",
    "GROUPS",
    "CountTaken",
    "JobStanding",
    "NewRequest",
    "NotHeld",
    "Overview",
    "Spent",
    "Stale",
    "Standing",
    "Store",
    "look_into_store",
    "open_store",
    "write_to_store",
]

DATABASE = "batchd.sqlite"
"""The name of the file, in the state folder."""


@dataclass(frozen=True, slots=True)
class Store:
    """What is durable."""

    jobs: Jobs
    queue: Queue
    batches: Batches
    deliveries: Deliveries
    reports: Reports
    answers: Answers
    overview: Overview
    spending: Spending
    troubles: Troubles
    database: Database


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[Store]:
    """Open the store, made or migrated where that is needed: the daemon's, under its lock.

    Args:
        path: The database file; its folder must exist.

    Raises:
        Unusable: The file is no database of ours, damaged, or has other tables than this program works with.
    """
    async with Database.open(path) as database:
        yield _store(database)


@asynccontextmanager
async def write_to_store(path: Path) -> AsyncIterator[Store]:
    """Open a store that exists, to write beside a daemon; nothing is made or migrated.

    Args:
        path: The database file.

    Raises:
        Unusable: The file is no database of ours, may not be written, or is of another version.
    """
    async with Database.open(path, migrate=False) as database:
        yield _store(database)


@asynccontextmanager
async def look_into_store(path: Path) -> AsyncIterator[Store]:
    """Open a store that exists, only to read from it: nothing is made or changed.

    Args:
        path: The database file.

    Raises:
        Unusable: The file is no database of ours, may not be read, or is of another version.
    """
    async with Database.look(path) as database:
        yield _store(database)


def _store(database: Database) -> Store:
    return Store(
        Jobs(database),
        Queue(database),
        Batches(database),
        Deliveries(database),
        Reports(database),
        Answers(database),
        Overview(database),
        Spending(database),
        Troubles(database),
        database,
    )
