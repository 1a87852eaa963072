"""What the lookout asks of the store: budgets, old batches, and how the day was."""

import json
from dataclasses import dataclass
from typing import Final

from batchd.decisions.notices.looking import OldBatch
from batchd.edges.store.batches import OPEN
from batchd.edges.store.database import Database
from batchd.edges.store.facts import SANDBOX

_PICO: Final = 1e-12
_COST: Final = "(total(cost_micro) * 1e6 + total(cost_pico))"
_USED: Final = "(total(cost_micro + reserved_micro) * 1e6 + total(cost_pico + reserved_pico))"
_OF_API: Final = f"sandbox = EXISTS (SELECT 1 FROM facts WHERE name = 'api' AND value = '{SANDBOX}')"  # noqa: S608  own text
_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class Day:
    """How things went since a moment, and how they stand."""

    jobs: dict[str, int]
    """That have finished, by state."""
    rejected: int
    held_jobs: tuple[str, ...]
    """The first of those that wait for money, or for a person."""
    held_batches: tuple[int, ...]
    held: int
    cost: float
    """USD, of all that ever was."""
    reserved: float


class Sights:
    """The store as the lookout sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def old_batches(self, before: float) -> list[OldBatch]:
        """List the batches that were sent before a moment, and whose results are not collected."""
        rows = await self._database.rows(
            f"""SELECT id, count, submitted_at, state FROM batches
                WHERE {OPEN} AND lane = 'batch' AND remote_id IS NOT NULL AND submitted_at <= ? ORDER BY id""",  # noqa: S608  own text
            before,
        )
        return [OldBatch(row["id"], row["count"], row["submitted_at"], row["state"] == "processing") for row in rows]

    async def used(self, since: float) -> dict[str, float]:
        """Sum up what is spent or reserved since a day began, by folder, in USD."""
        rows = await self._database.rows(
            f"SELECT queue, {_USED} AS pico FROM spent WHERE day >= ? AND {_OF_API} GROUP BY queue",  # noqa: S608  own text
            int(since // 86_400),
        )
        return {row["queue"]: float(row["pico"]) * _PICO for row in rows}

    async def barred(self, since: float) -> set[tuple[str, str]]:
        """Name the limits that have held jobs since a moment, each with the folder of the job."""
        rows = await self._database.rows(
            "SELECT DISTINCT data ->> 'reason' AS bar, queue FROM notices WHERE kind = 'job.held' AND at >= ?", since
        )
        return {(row["bar"], row["queue"]) for row in rows}

    async def last_digest(self) -> tuple[float, float] | None:
        """Say when there was a digest last, and what had been spent by then in all, in USD."""
        row = await self._database.row(
            "SELECT at, data ->> 'total_usd' AS total FROM notices WHERE kind = 'digest' ORDER BY id DESC LIMIT 1"
        )
        return None if row is None else (row["at"], float(row["total"] or 0.0))

    async def day(self, since: float) -> Day:
        """Say how things went since a moment."""
        finished = await self._database.rows(
            """SELECT data ->> 'state' AS state, count(*) AS n FROM notices
               WHERE kind = 'job.finished' AND at >= ? GROUP BY 1""",
            since,
        )
        row = await self._database.row(
            f"""SELECT (SELECT count(*) FROM notices WHERE kind = 'file.rejected' AND at >= ?1
                            AND data ->> 'summary' IS NULL) AS rejected,
                       (SELECT json_group_array(name) FROM (SELECT name FROM jobs WHERE hold IS NOT NULL
                            AND NOT cancel_wanted ORDER BY id LIMIT {_NAMED}) AS first) AS jobs,
                       (SELECT json_group_array(id) FROM (SELECT id FROM batches WHERE {OPEN} AND state = 'held'
                            ORDER BY id LIMIT {_NAMED}) AS first) AS batches,
                       (SELECT count(*) FROM jobs WHERE hold IS NOT NULL AND NOT cancel_wanted)
                           + (SELECT count(*) FROM batches WHERE {OPEN} AND state = 'held') AS held,
                       (SELECT {_COST} FROM spent WHERE {_OF_API}) AS cost,
                       (SELECT {_USED} FROM spent WHERE {_OF_API}) AS used""",  # noqa: S608  own text
            since,
        )
        if row is None:
            raise LookupError("a SELECT without FROM has a row")
        return Day(
            jobs={each["state"]: each["n"] for each in finished},
            rejected=row["rejected"],
            held_jobs=tuple(json.loads(row["jobs"])),
            held_batches=tuple(json.loads(row["batches"])),
            held=row["held"],
            cost=float(row["cost"]) * _PICO,
            reserved=max(float(row["used"]) - float(row["cost"]), 0.0) * _PICO,
        )
