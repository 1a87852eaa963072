"""What was spent or is reserved, by job and by day; and the jobs that wait for money."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import aiosqlite

from batchd.decisions.money.budget import Hold, Limit, Purse
from batchd.edges.store.database import Database, Row, betas_of, update
from batchd.edges.store.deliveries import LET_GO
from batchd.edges.store.jobs import Jobs
from batchd.model import Held, Job, JobId, Lane, Place, RequestId

_COMMITTED = "coalesce(sum(CASE WHEN outcome IS NULL THEN reserved ELSE cost END), 0)"
"""A trip under way counts with its worst case, one that has come back with what it cost."""
_PROMISED = """(SELECT coalesce(sum(worst), 0) FROM requests
    WHERE batch IS NULL AND verdict IS NULL AND promised AND {})"""
"""What further rounds of unfinished documents can cost, while they wait for their trip."""

GROUPS: Mapping[str, str] = {
    "day": "date(batches.planned_at, 'unixepoch')",
    "job": "jobs.name",
    "model": "requests.model",
}
"""By what spending can be told; days are UTC, and a batch belongs to the day it was made."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one day, job or model has cost."""

    group: str
    requests: int
    """Answers that were charged."""
    input_tokens: int
    """Cached ones included."""
    output_tokens: int
    cost: int
    """Picodollars, of those whose price is known."""
    standard_cost: int
    """The same tokens at the synchronous price."""
    reserved: int
    """The worst case of what is under way."""
    unpriced: int
    """Answers whose price is not known."""


class Spending:
    """The money side of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs = Jobs(database)

    async def purse(
        self, jobs: Collection[JobId], *, per_job: int | None, per_day: int | None, midnight: float
    ) -> Purse:
        """Say what may be spent just now.

        Args:
            jobs: Those that want to spend.
            per_job: Picodollars that a job may cost which does not say itself; None for any amount.
            per_day: Picodollars for all jobs of a day; None for any amount.
            midnight: When the day began, in unix seconds.
        """
        today = await self._database.row(
            f"""SELECT {_COMMITTED} + {_PROMISED.format("true")} AS spent
                FROM trips JOIN batches ON id = batch WHERE planned_at >= ?""",  # noqa: S608  our own text
            midnight,
        )
        rows = await self._database.rows(
            f"""SELECT jobs.id, budget, released, (
                    SELECT {_COMMITTED} FROM trips WHERE request IN (SELECT id FROM requests WHERE job = jobs.id)
                ) + {_PROMISED.format("job = jobs.id")} AS spent
                FROM jobs WHERE id IN (SELECT value FROM json_each(?))""",  # noqa: S608  our own text
            json.dumps(list(jobs)),
        )
        return Purse(
            today=Limit(per_day, 0 if today is None else today["spent"]),
            jobs={
                JobId(row["id"]): Limit(per_job if row["budget"] is None else row["budget"], row["spent"])
                for row in rows
            },
            released=frozenset(JobId(row["id"]) for row in rows if row["released"]),
        )

    async def limited(self) -> bool:
        """Whether any job or request that is under way has a budget of its own."""
        row = await self._database.row(
            """SELECT 1 FROM jobs WHERE NOT delivered AND (budget IS NOT NULL OR EXISTS (
                   SELECT 1 FROM requests WHERE job = jobs.id AND verdict IS NULL AND budget IS NOT NULL)) LIMIT 1"""
        )
        return row is not None

    async def hold(self, holds: Mapping[JobId, Hold], *, tomorrow: float) -> None:
        """Keep jobs from sending more.

        Args:
            holds: Which, and why.
            tomorrow: When the next day begins, in unix seconds.
        """

        async def step(db: aiosqlite.Connection) -> None:
            for job, hold in holds.items():
                until = tomorrow if hold.until_tomorrow else None
                await update(
                    db,
                    "UPDATE jobs SET hold = ?, held_from = ?, hold_until = ? WHERE id = ?",
                    hold.reason,
                    hold.first,
                    until,
                    job,
                )

        await self._database.write(step)

    async def held(self) -> list[Job]:
        """List the jobs that wait for money."""
        return await self._jobs.where("hold IS NOT NULL")

    async def uncounted(self, most: int) -> list[Held]:
        """List the requests by which jobs are held, if their tokens were not counted yet.

        Args:
            most: Requests of one job that are counted in all.
        """
        return await self._database.values(
            _held,
            """SELECT r.id, model, max_tokens, r.betas, rounds, allowance, lane, worst, claim,
                   coalesce(sent_offset, offset) AS offset, coalesce(sent_size, size) AS size
               FROM jobs JOIN requests AS r ON r.id = held_from
               WHERE hold IS NOT NULL AND worst IS NOT NULL AND NOT counted AND verdict IS NULL AND batch IS NULL
                 AND (SELECT count(*) FROM requests WHERE job = jobs.id AND counted) < ?""",
            most,
        )

    async def counted(self, request: RequestId, worst: int) -> None:
        """Note what a held request can cost, now that its tokens are counted; its job is tried again.

        Args:
            request: Its id.
            worst: Picodollars.
        """

        async def step(db: aiosqlite.Connection) -> None:
            await update(db, "UPDATE requests SET counted = 1, worst = ? WHERE id = ?", worst, request)
            await update(db, f"{LET_GO} WHERE hold IS NOT NULL AND held_from = ?", request)

        await self._database.write(step)

    async def let_go(self, now: float) -> None:
        """Try those again whose day has come.

        Args:
            now: Unix seconds.
        """

        async def step(db: aiosqlite.Connection) -> None:
            await update(db, f"{LET_GO} WHERE hold IS NOT NULL AND hold_until <= ?", now)

        if await self._database.row("SELECT 1 FROM jobs WHERE hold IS NOT NULL AND hold_until <= ? LIMIT 1", now):
            await self._database.write(step)

    async def release(self, job: JobId) -> None:
        """Let a job go, whatever it costs.

        Args:
            job: Its id.
        """

        async def step(db: aiosqlite.Connection) -> None:
            await update(db, f"{LET_GO}, released = 1 WHERE id = ?", job)

        await self._database.write(step)

    async def by(self, group: str, *, since: float = 0.0) -> list[Spent]:
        """Tell what was spent, in groups.

        Args:
            group: One of `GROUPS`.
            since: Unix seconds; batches made before do not count.
        """
        rows = await self._database.rows(
            f"""SELECT {GROUPS[group]} AS label, count(*) FILTER (WHERE outcome = 'succeeded') AS requests,
                    total(input_tokens + cache_read + cache_write_5m + cache_write_1h) AS input,
                    total(output_tokens) AS output, coalesce(sum(cost), 0) AS cost,
                    coalesce(sum(standard_cost), 0) AS standard,
                    coalesce(sum(reserved) FILTER (WHERE outcome IS NULL), 0) AS reserved,
                    count(*) FILTER (WHERE outcome = 'succeeded' AND cost IS NULL) AS unpriced
                FROM trips JOIN batches ON batches.id = trips.batch JOIN requests ON requests.id = trips.request
                JOIN jobs ON jobs.id = requests.job
                WHERE batches.planned_at >= ? GROUP BY label ORDER BY label""",  # noqa: S608  one of three texts of ours
            since,
        )
        return [
            Spent(
                group=row["label"],
                requests=row["requests"],
                input_tokens=int(row["input"]),
                output_tokens=int(row["output"]),
                cost=row["cost"],
                standard_cost=row["standard"],
                reserved=row["reserved"],
                unpriced=row["unpriced"],
            )
            for row in rows
        ]

    async def lengths(self, model: str, least: int, most: int, *, newest: int) -> list[int]:
        """List how many tokens the answers to finished requests had, all rounds of each together.

        Args:
            model: Of which model.
            least: Of the `max_tokens` that they were sent with at first.
            most: The same.
            newest: How many at the most, the newest ones.
        """
        # A round that continues overwrites max_tokens; what it was at first follows from the allowance that is left,
        # the answers that were taken off it (neither the first nor the last), and the number of rounds there were.
        return await self._database.values(
            lambda row: int(row["output"]),
            """SELECT (SELECT total(output_tokens) FROM trips WHERE request = r.id) AS output FROM requests AS r
               WHERE model = ? AND verdict IS NOT NULL
                 AND EXISTS (SELECT 1 FROM trips WHERE request = r.id AND outcome = 'succeeded')
                 AND CASE WHEN round = 0 THEN max_tokens ELSE (
                     allowance + (SELECT total(output_tokens) FROM (
                         SELECT output_tokens, row_number() OVER (ORDER BY batch) AS part FROM trips
                         WHERE request = r.id AND outcome = 'succeeded') WHERE part BETWEEN 2 AND r.round)
                 ) / (rounds + round) END BETWEEN ? AND ?
               ORDER BY id DESC LIMIT ?""",
            model,
            least,
            most,
            newest,
        )

    async def of_sandbox(self) -> bool:
        """Whether it was the sandbox that the daemon worked with last."""
        row = await self._database.row("SELECT 1 FROM facts WHERE name = 'api' AND value = 'sandbox'")
        return row is not None


def _held(row: Row) -> Held:
    return Held(
        id=RequestId(row["id"]),
        model=row["model"],
        max_tokens=row["max_tokens"],
        rounds=row["rounds"],
        allowance=row["allowance"],
        lane=Lane(row["lane"]),
        betas=betas_of(row),
        worst=row["worst"],
        place=Place(row["claim"], row["offset"], row["size"]),
    )
