"""The store: the only room that speaks SQL, and the only queue there is. It decides nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.edges.store.batches import Batches, BodyRow, CountTaken, Stale
from daemon.edges.store.database import Database
from daemon.edges.store.jobs import AGAIN, Jobs, NewRequest, Tally

__all__ = ["AGAIN", "BodyRow", "CountTaken", "NewRequest", "Stale", "Store", "Tally", "open_store"]


@dataclass(frozen=True, slots=True)
class Store:
    """What is durable."""

    jobs: Jobs
    batches: Batches
    database: Database


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[Store]:
    """Open the store, made or migrated where that is needed.

    Args:
        path: The database file; its folder must exist.

    Raises:
        Unusable: The file is no database of ours, damaged, or of a newer version.
    """
    async with Database.open(path) as database:
        yield Store(Jobs(database), Batches(database), database)
