"""Retries: which requests of a finished job a person wants sent again, and the opening of that job.

What was never charged goes on from where it is. What was paid for and is not whole goes anew, from its first round: its
answers so far are superseded, and what they cost stays in every sum.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial

from batchd.edges.store.database import Database
from batchd.edges.store.job_rows import job_of
from batchd.edges.store.requests import RETRIED, SLICE, take_up_again
from batchd.edges.store.statements import AMONG, Row, Step, Transaction, returning, update
from batchd.edges.store.steps import TO_RETRY
from batchd.model import Job, JobId, RequestId, Verdict

_ANEW = """verdict IN (SELECT value FROM json_each(?2)) AND NOT EXISTS (
    SELECT 1 FROM trips WHERE request = requests.id AND outcome IN ('dropped', 'lost'))"""
_LEFT = """SELECT requests.id FROM requests JOIN jobs ON jobs.id = job
    WHERE job = ?1 AND again IS NOT NULL AND NOT retry_wanted"""
"""What a command has marked that did not come to its end."""
_STEPS_ANEW = """UPDATE jobs SET step_hold = NULL, step_bar = NULL, steps_note = NULL,
    steps_left = max(steps_left, coalesce(json_array_length(steps, '$.steps') - 1 - (
        SELECT min(step) FROM requests WHERE job = jobs.id AND again IS NOT NULL), 0)) WHERE id = ?"""
"""What is made of other answers is made anew as far as it was not asked; what was asked stays as it is."""
_WORST = "coalesce(CAST(asked ->> 4 AS BIGINT), worst)"
_ONLY = "(CAST(?3 AS TEXT) IS NULL OR custom_id IN (SELECT value FROM json_each(?3)))"


@dataclass(frozen=True, slots=True)
class Again:
    """What a retry of a job would send."""

    on: int
    """Requests that were never charged, and go on from where they are."""
    anew: int
    """Requests that were paid for, and go from their first round."""
    worst: int | None
    """Picodollars that those may cost at the most; None where a price is not known."""
    unknown: tuple[str, ...]
    """Ids that were named, and are none of the job's."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """Answers that a retry takes out of a job's results."""

    failed: frozenset[str]
    """Requests whose failures go: they cost nothing."""
    paid: frozenset[str]
    """Requests whose answers go to `superseded.jsonl`."""
    documents: tuple[str, ...]
    """Files of theirs, relative to the job's folder."""

    def __or__(self, other: "Superseded") -> "Superseded":
        paid = self.paid | other.paid
        return Superseded((self.failed | other.failed) - paid, paid, (*self.documents, *other.documents))


class Retries:
    """The requests of finished jobs that travel again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def preview(self, job: JobId, also: Collection[Verdict] = (), only: Collection[str] | None = None) -> Again:
        """Say what a retry would send.

        Args:
            job: A finished one.
            also: Verdicts of what was paid for, that is to be sent anew.
            only: Ids of the requests that are meant; None for all.
        """
        given = _given(job, also, only)
        row = await self._database.row(
            f"""SELECT count(*) FILTER (WHERE {RETRIED}) AS "on", count(*) FILTER (WHERE {_ANEW}) AS anew,
                    sum(CASE WHEN {_ANEW} THEN {_WORST} ELSE 0 END) AS worst,
                    count(*) FILTER (WHERE {_ANEW} AND {_WORST} IS NULL) AS unpriced
                FROM requests WHERE job = ?1 AND {_ONLY}""",  # noqa: S608  own text
            *given,
        )
        unknown = await self._database.rows(
            """SELECT value FROM json_each(?3) WHERE value NOT IN (SELECT custom_id FROM requests WHERE job = ?1)
               AND CAST(?2 AS TEXT) IS NOT NULL""",
            *given,
        )
        if row is None:
            raise LookupError(f"no job {job}")
        worst = None if row["unpriced"] else int(row["worst"] or 0)
        return Again(row["on"], row["anew"], worst, tuple(each["value"] for each in unknown))

    async def want(self, job: JobId, also: Collection[Verdict] = (), only: Collection[str] | None = None) -> None:
        """Note that a person wants requests sent again; the daemon sees it within a second.

        Args:
            job: A finished one.
            also: Verdicts of what was paid for, that is to be sent anew.
            only: Ids of the requests that are meant; None for all.
        """
        given = _given(job, also, only)
        await self._mark(job, None, await self._ids(_LEFT, job))
        for again, chosen in (("on", RETRIED), ("anew", _ANEW)):
            sql = f"SELECT id FROM requests WHERE job = ?1 AND {_ONLY} AND {chosen} AND CAST(?2 AS TEXT) IS NOT NULL"  # noqa: S608  own text
            await self._mark(job, again, await self._ids(sql, *given))
        await self._database.write(
            lambda db: update(db, "UPDATE jobs SET retry_wanted = TRUE, cancel_wanted = FALSE WHERE id = ?", job)
        )

    async def _ids(self, sql: str, *parameters: object) -> list[RequestId]:
        return await self._database.values(lambda row: RequestId(row["id"]), sql, *parameters)

    async def _mark(self, job: JobId, again: str | None, those: list[RequestId]) -> None:
        """Note of requests that they are wanted again, some in each commit; none is before its job is."""
        sql = f"UPDATE requests SET again = ? WHERE job = ? AND verdict IS NOT NULL AND {AMONG.format('id')}"  # noqa: S608  own text
        for start in range(0, len(those), SLICE):
            some = json.dumps(those[start : start + SLICE])
            await self._database.write(partial(_update, sql=sql, values=(again, job, some)))

    async def wanted(self) -> list[Job]:
        """List the finished jobs of which a person wants requests sent again."""
        return [
            job_of(row)
            for row in await self._database.rows(
                f"SELECT * FROM jobs WHERE {TO_RETRY}"  # noqa: S608  own text
            )
        ]

    async def superseded(self, job: JobId) -> Superseded:
        """Say what of a job's results goes before its requests travel again."""
        rows = await self._database.rows(
            "SELECT custom_id, again, document, sections, filed FROM requests WHERE job = ? AND again IS NOT NULL", job
        )
        anew = [row for row in rows if row["again"] == "anew"]
        files = files_of(anew)
        paid = frozenset(row["custom_id"] for row in anew)
        return Superseded(frozenset(row["custom_id"] for row in rows) - paid, paid, tuple(sorted(files)))

    async def reopen(self, job: JobId, *, results_length: int, now: float, amend: Step[None] | None = None) -> None:
        """Let the requests of a finished job that are wanted again wait again.

        Args:
            job: Its id.
            results_length: Bytes of `results.jsonl` now that their lines were taken out.
            now: Unix seconds.
            amend: Puts others of them right, or adds some, in the same transaction.
        """

        async def some(db: Transaction) -> int:
            # None of a job that counts as delivered is sent: nobody meets one that is opened by half.
            if await returning(db, "SELECT 1 FROM jobs WHERE id = ? AND delivered", job) is None:
                return 0
            await update(db, _STEPS_ANEW, job)
            return await take_up_again(db, job, now=now)

        async def step(db: Transaction) -> None:
            await update(db, _STEPS_ANEW, job)
            while await take_up_again(db, job, now=now):
                pass
            if amend is not None:
                await amend(db)
            await update(
                db,
                """UPDATE jobs SET delivered = FALSE, finished_at = NULL, retry_wanted = FALSE,
                       results_length = ? WHERE id = ?""",
                results_length,
                job,
            )

        while await self._database.write(some):
            pass
        await self._database.write(step)


async def _update(db: Transaction, sql: str, values: tuple[object, ...]) -> None:
    await update(db, sql, *values)


def files_of(rows: Iterable[Row]) -> set[str]:
    """Name the files of the answers of some requests, relative to the job's folder."""
    files: set[str] = set()
    for row in rows:
        if row["document"] is not None:
            files.add(row["document"])
        files.update(file for _, file in json.loads(row["sections"] or "[]"))
        files.update(json.loads(row["filed"] or "[[], []]")[0])
    return files


def _given(job: JobId, also: Collection[Verdict], only: Collection[str] | None) -> tuple[object, ...]:
    chosen = None if only is None else json.dumps(sorted(only))
    return job, json.dumps([str(verdict) for verdict in also]), chosen
