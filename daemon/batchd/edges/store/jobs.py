"""Jobs: found, listed, cancelled, closed, delivered."""

import json
from collections.abc import Container, Iterable, Sequence

from batchd.edges.store.database import Database
from batchd.edges.store.events import note_ends
from batchd.edges.store.job_rows import job_of
from batchd.edges.store.requests import RETRIED, cancel_waiting
from batchd.edges.store.statements import AMONG, Transaction, fetch, many, update
from batchd.model import Job, JobId
from batchd.notice import NewNotice

UNDELIVERED = """NOT delivered AND NOT retry_wanted AND missing = 0 AND (steps_left = 0 OR cancel_wanted)
    AND NOT EXISTS (SELECT 1 FROM requests WHERE job = jobs.id AND verdict IS NULL)"""
"""Of jobs whose every request has its verdict, but whose `job.json` is still to be written."""


class Jobs:
    """The jobs of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_claim(self, claim: str) -> Job | None:
        """Find the job of a claimed file.

        Args:
            claim: The claim's id.
        """
        row = await self._database.row("SELECT * FROM jobs WHERE claim = ?", claim)
        return None if row is None else job_of(row)

    async def of_ticket(self, ticket: str) -> Job | None:
        """Find the job of what came with a ticket."""
        row = await self._database.row("SELECT * FROM jobs WHERE ticket = ?", ticket)
        return None if row is None else job_of(row)

    async def needs_params(self, claim: str) -> bool:
        """Whether the params of a claimed file's requests may still be sent, or reported.

        Args:
            claim: The claim's id; one that is no job needs none: it is read again.
        """
        row = await self._database.row(
            f"""SELECT 1 FROM jobs WHERE claim = ? AND (NOT delivered OR steps_left > 0 OR EXISTS (
                    SELECT 1 FROM requests WHERE job = jobs.id
                    AND ({RETRIED} OR verdict IN ('truncated', 'short', 'refused', 'paused'))))""",  # noqa: S608  own text
            claim,
        )
        return row is not None

    async def named(self, name: str) -> Job | None:
        """Find a job by its name.

        Args:
            name: Its folder in the outbox.
        """
        row = await self._database.row("SELECT * FROM jobs WHERE name = ?", name)
        return None if row is None else job_of(row)

    async def taken(self, names: Iterable[str]) -> frozenset[str]:
        """Say which of some names jobs have, whatever the case of their letters.

        Args:
            names: Any.
        """
        rows = await self._database.rows(
            "SELECT value AS name FROM json_each(?) WHERE EXISTS (SELECT 1 FROM jobs WHERE name = value)",
            json.dumps(list(names)),
        )
        return frozenset(row["name"] for row in rows)

    async def get(self, job: JobId) -> Job:
        """Read a job.

        Args:
            job: Its id.
        """
        row = await self._database.row("SELECT * FROM jobs WHERE id = ?", job)
        if row is None:
            raise LookupError(f"no job {job}")
        return job_of(row)

    async def recent(self, finished: int) -> list[Job]:
        """List every job that is under way, and the last finished ones, oldest first.

        Args:
            finished: How many finished ones.
        """
        rows = await self._database.rows(
            """SELECT * FROM jobs WHERE NOT delivered
               UNION ALL
               SELECT * FROM (SELECT * FROM jobs WHERE delivered ORDER BY finished_at DESC, id DESC LIMIT ?) AS finished
               ORDER BY id""",
            finished,
        )
        return [job_of(row) for row in rows]

    async def since(self, moment: float) -> list[Job]:
        """List every job that is under way, or was received or has finished since a moment, oldest first.

        Args:
            moment: Unix seconds.
        """
        rows = await self._database.rows(
            "SELECT * FROM jobs WHERE NOT delivered OR received_at >= ?1 OR finished_at >= ?1 ORDER BY id", moment
        )
        return [job_of(row) for row in rows]

    async def undelivered(self, *, but: Container[JobId | None] = ()) -> list[Job]:
        """List the jobs whose every request has its verdict, but whose `job.json` is still to be written.

        Args:
            but: Those that are passed over, since somebody is at work on them.
        """
        rows = await self._database.rows(
            f"SELECT * FROM jobs WHERE {UNDELIVERED}"  # noqa: S608  own text
        )
        return [job_of(row) for row in rows if row["id"] not in but]

    async def all_delivered(self) -> bool:
        """Whether no job is under way, nor asked to be."""
        row = await self._database.row("SELECT 1 FROM jobs WHERE NOT delivered OR retry_wanted LIMIT 1")
        return row is None

    async def close(self, job: JobId, finished_at: float) -> Job:
        """Fix the moment at which a job finished; a second call changes nothing.

        Args:
            job: Its id.
            finished_at: Unix seconds.
        """
        (closed,) = await self.close_all([job], finished_at)
        return closed

    async def close_all(self, jobs: Sequence[JobId], finished_at: float) -> list[Job]:
        """Fix the moment at which some jobs finished, in one commit, as `close` does; they come by their ids."""

        async def step(db: Transaction) -> list[Job]:
            sql = f"UPDATE jobs SET finished_at = coalesce(finished_at, ?) WHERE {AMONG.format('id')} RETURNING *"  # noqa: S608  own text
            closed = await fetch(db, sql, finished_at, json.dumps(list(jobs)))
            return sorted(map(job_of, closed), key=lambda job: job.id)

        return await self._database.write(step)

    async def deliver(self, *jobs: JobId, notices: Iterable[NewNotice] = ()) -> None:
        """Note that the `job.json` of some jobs is in the outbox, in one commit with the notices of it."""
        told = list(notices)

        async def step(db: Transaction) -> None:
            await many(db, "UPDATE jobs SET delivered = TRUE WHERE id = ?", [(job,) for job in jobs])
            await note_ends(db, told)

        await self._database.write(step)

    async def cancel(self, job: JobId) -> None:
        """Note that a person wants a job cancelled; the daemon sees it within a second.

        Of a finished one the wish is taken back to ask anew for what was paid for; what failed ends as cancelled.
        """

        async def step(db: Transaction) -> None:
            await update(db, "UPDATE requests SET again = NULL WHERE job = ? AND again = 'anew'", job)
            await update(
                db,
                """UPDATE jobs SET retry_wanted = retry_wanted AND EXISTS (
                       SELECT 1 FROM requests WHERE job = jobs.id AND again IS NOT NULL
                       UNION ALL SELECT 1 FROM amendments WHERE job = jobs.id AND NOT applied) WHERE id = ?""",
                job,
            )
            await update(
                db, "UPDATE jobs SET cancel_wanted = TRUE WHERE id = ? AND (NOT delivered OR retry_wanted)", job
            )

        await self._database.write(step)

    async def held(self) -> list[Job]:
        """List the jobs that wait for money, or for a person to say how they go on."""
        rows = await self._database.rows(
            "SELECT * FROM jobs WHERE hold IS NOT NULL UNION SELECT * FROM jobs WHERE step_hold IS NOT NULL ORDER BY id"
        )
        return [job_of(row) for row in rows]

    async def waiting(self) -> list[Job]:
        """List the jobs of which a request has neither a batch nor a verdict, oldest first."""
        rows = await self._database.rows(
            """SELECT * FROM jobs WHERE EXISTS (
                   SELECT 1 FROM requests WHERE job = jobs.id AND batch IS NULL AND verdict IS NULL) ORDER BY id"""
        )
        return [job_of(row) for row in rows]

    async def cancel_waiting(self) -> int:
        """Give every waiting request of a cancelled job its verdict, and say how many there were."""
        count = 0
        while some := await self._database.write(cancel_waiting):
            count += some
        return count
