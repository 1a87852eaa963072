"""Turns: which jobs go before others, and which are sent in some hours alone."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from batchd.edges.store.database import Database
from batchd.edges.store.statements import Row
from batchd.model import BatchId, JobId, Turn


@dataclass(frozen=True, slots=True)
class JobTurn:
    """What is said of the turn of an unfinished job."""

    job: JobId
    queue: str
    """The top folder that its file came in by; empty where it lay in none."""
    priority: int | None
    """Its own; None where its file says nothing, and its folder counts."""
    hours: str | None
    """The same."""

    def within(self, folders: Mapping[str, Turn]) -> Turn:
        """Its turn, given what top folders say of theirs."""
        folder = folders.get(self.queue, Turn())
        priority = folder.priority if self.priority is None else self.priority
        return Turn(priority, folder.hours if self.hours is None else self.hours)


class JobTurns:
    """The turns of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, queues: Collection[str]) -> list[JobTurn]:
        """List the unfinished jobs that say something of their turn, and those of some folders."""
        found = await self._database.rows(
            """SELECT id, queue, priority, hours FROM jobs
               WHERE NOT delivered AND (priority IS NOT NULL OR hours IS NOT NULL)"""
        )
        if queues:
            found += await self._database.rows(
                """SELECT id, queue, priority, hours FROM jobs WHERE NOT delivered AND priority IS NULL
                   AND hours IS NULL AND queue IN (SELECT value FROM json_each(?))""",
                json.dumps(list(queues)),
            )
        return [_turn_of(row) for row in found]

    async def in_queues(self, queues: Collection[str]) -> dict[JobId, str]:
        """Name the unfinished jobs of some top folders, each with its own."""
        rows = await self._database.rows(
            "SELECT id, queue FROM jobs WHERE NOT delivered AND queue IN (SELECT value FROM json_each(?))",
            json.dumps(list(queues)),
        )
        return {JobId(row["id"]): row["queue"] for row in rows}

    async def jobs_in(self, batch: BatchId) -> frozenset[JobId]:
        """Name the jobs that travel in a batch."""
        rows = await self._database.rows(
            "SELECT DISTINCT job FROM trips JOIN requests ON requests.id = request WHERE trips.batch = ?", batch
        )
        return frozenset(JobId(row["job"]) for row in rows)


def _turn_of(row: Row) -> JobTurn:
    return JobTurn(JobId(row["id"]), row["queue"], row["priority"], row["hours"])
