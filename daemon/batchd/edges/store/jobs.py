"""Jobs and their requests: accepted, cancelled, retried, reported, delivered."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import aiosqlite
import msgspec

from batchd.delivery import Tally
from batchd.edges.store.requests import RETRIED, NewRequest, Stored, cancel_waiting, free_id, insert_all
from batchd.edges.store.sqlite.database import Database
from batchd.edges.store.sqlite.statements import Row, many, returning, update
from batchd.edges.store.sums import SPENT, tally_of
from batchd.model import Ceiling, Job, JobId, RowsForm

UNDELIVERED = """NOT delivered AND NOT retry_wanted AND missing = 0
    AND NOT EXISTS (SELECT 1 FROM requests WHERE job = jobs.id AND verdict IS NULL)"""
"""Of jobs whose every request has its verdict, but whose `job.json` is still to be written."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that is to be a job."""

    claim: str
    """The claim's id."""
    name: str
    """Its folder in the outbox; nobody else's."""
    source: str
    """Its path in the inbox."""
    received_at: float
    """Unix seconds."""
    total: int
    """How many requests there are."""
    requests: Sequence[NewRequest]
    """The first of them, or all."""
    budget: int | None = None
    """Picodollars that the job may cost; None for what the settings say."""
    cache: str | None = None
    """What was decided about the prompt cache, for a person; None where nobody asked."""
    ticket: str | None = None
    """Whoever dropped it gave it this one; None where they gave none."""
    rows: RowsForm | None = None
    """How its rows stand in its file; None where its requests are no rows."""
    rejected: int = 0
    """Requests of its file that were left out, for what is wrong with them."""
    ceiling: Ceiling | None = None
    """Of the instructions that it belongs to; None where it belongs to none."""


class Jobs:
    """The jobs of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, arrival: Arrival) -> Job:
        """Acknowledge a file, as `accept_all` does."""
        (job,) = await self.accept_all([arrival])
        return job

    async def accept_all(self, arrivals: Sequence[Arrival]) -> list[Job]:
        """Acknowledge files in one durable commit: from it on each file is a job, and all of its requests are.

        Those that do not fit into one commit follow by `add`, from what the spool keeps of them; the job cannot finish
        before.

        Args:
            arrivals: Files; accepting one twice gives the job of the first time.

        Returns:
            Their jobs, in the same order: that of another claim where its ticket was accepted before.
        """

        async def step(db: aiosqlite.Connection) -> list[Job]:
            known = await _of_claims(db, arrivals)
            for each in arrivals:
                if each.ticket is not None and (first := await _of_ticket(db, each.ticket)) is not None:
                    known[each.claim] = first
            base, new = await free_id(db), [each for each in arrivals if each.claim not in known]
            starts = dict(zip((each.claim for each in new), _bases(base, new), strict=True))
            await many(
                db,
                """INSERT INTO jobs (claim, name, source, received_at, total, budget, cache, first_request, missing,
                                     ticket, rows, rejected, folder, folder_per_day, sandbox)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
                           EXISTS (SELECT 1 FROM facts WHERE name = 'api' AND value = 'sandbox'))""",
                [
                    (
                        *(each.claim, each.name, each.source, each.received_at, each.total, each.budget, each.cache),
                        *(starts[each.claim], each.total - len(each.requests), each.ticket),
                        None if each.rows is None else msgspec.json.encode(each.rows).decode(),
                        each.rejected,
                        *((each.ceiling.folder, each.ceiling.budget) if each.ceiling else (None, None)),
                    )
                    for each in new
                ],
            )
            known |= await _of_claims(db, new)
            await insert_all(
                db,
                (Stored(known[each.claim].id, starts[each.claim], 0, each.received_at, each.requests) for each in new),
            )
            return [known[each.claim] for each in arrivals]

        return await self._database.write(step)

    async def add(self, job: Job, requests: Sequence[NewRequest], *, now: float) -> Job:
        """Store the next requests of a job that lacks some.

        Args:
            job: As it is now.
            requests: Of its file, from the first that is missing.
            now: Unix seconds, from which on they wait.

        Raises:
            LookupError: It lacks other requests than that.
        """

        async def step(db: aiosqlite.Connection) -> Job:
            row = await returning(
                db,
                "UPDATE jobs SET missing = missing - ? WHERE id = ? AND missing = ? RETURNING *",
                len(requests),
                job.id,
                job.missing,
            )
            if row is None:
                raise LookupError(f"job {job.id} does not lack {job.missing} requests")
            place = job.total - job.missing
            await insert_all(db, [Stored(job.id, row["first_request"], place, now, requests)])
            return job_of(row)

        return await self._database.write(step)

    async def arriving(self) -> list[Job]:
        """List the jobs of which requests are still to be stored."""
        return [job_of(row) for row in await self._database.rows("SELECT * FROM jobs WHERE missing > 0 ORDER BY id")]

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
            f"""SELECT 1 FROM jobs WHERE claim = ? AND (NOT delivered OR EXISTS (
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
               SELECT * FROM (SELECT * FROM jobs WHERE delivered ORDER BY finished_at DESC, id DESC LIMIT ?)
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

    async def undelivered(self) -> list[Job]:
        """List the jobs whose every request has its verdict, but whose `job.json` is still to be written."""
        rows = await self._database.rows(
            f"SELECT * FROM jobs WHERE {UNDELIVERED}"  # noqa: S608  own text
        )
        return [job_of(row) for row in rows]

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

        async def step(db: aiosqlite.Connection) -> list[Job]:
            sql = f"UPDATE jobs SET finished_at = coalesce(finished_at, ?) WHERE {_AMONG.format('id')} RETURNING *"  # noqa: S608  own text
            rows = await db.execute_fetchall(sql, (finished_at, json.dumps(list(jobs))))
            return sorted(map(job_of, rows), key=lambda job: job.id)

        return await self._database.write(step)

    async def deliver(self, *jobs: JobId) -> None:
        """Note that the `job.json` of some jobs is in the outbox, in one commit."""

        async def step(db: aiosqlite.Connection) -> None:
            await many(db, "UPDATE jobs SET delivered = 1 WHERE id = ?", [(job,) for job in jobs])

        await self._database.write(step)

    async def cancel(self, job: JobId) -> None:
        """Note that a person wants a job cancelled; the daemon sees it within a second.

        Of a finished one the wish is taken back to ask anew for what was paid for; what failed ends as cancelled.
        """

        async def step(db: aiosqlite.Connection) -> None:
            await update(db, "UPDATE requests SET again = NULL WHERE job = ? AND again = 'anew'", job)
            await update(
                db,
                """UPDATE jobs SET retry_wanted = retry_wanted AND EXISTS (
                       SELECT 1 FROM requests WHERE job = jobs.id AND again IS NOT NULL) WHERE id = ?""",
                job,
            )
            await update(db, "UPDATE jobs SET cancel_wanted = 1 WHERE id = ? AND (NOT delivered OR retry_wanted)", job)

        await self._database.write(step)

    async def held(self) -> list[Job]:
        """List the jobs that wait for money."""
        rows = await self._database.rows("SELECT * FROM jobs WHERE hold IS NOT NULL ORDER BY id")
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

    async def tally(self, job: JobId) -> Tally:
        """Count how the requests of a job stand, and what they have cost.

        Args:
            job: Its id.
        """
        return (await self.tallies([job]))[job]

    async def tallies(self, jobs: Sequence[JobId]) -> dict[JobId, Tally]:
        """Count how the requests of each of some jobs stand, and what they have cost."""
        among = json.dumps(list(jobs))
        counts: dict[int, list[Row]] = {job: [] for job in jobs}
        for row in await self._database.rows(
            f"""SELECT job, verdict, batch IS NOT NULL AS travelling, count(*) AS n FROM requests
                WHERE {_AMONG.format("job")} GROUP BY job, verdict, travelling
                UNION ALL SELECT id, NULL, 0, missing FROM jobs WHERE {_AMONG.format("id")}""",  # noqa: S608  own text
            among,
            among,
        ):
            counts[row["job"]].append(row)
        sums = await self._database.rows(
            f"""SELECT job, {SPENT} FROM requests JOIN trips ON trips.request = requests.id
                WHERE {_AMONG.format("job")} GROUP BY job""",  # noqa: S608  own text
            among,
        )
        spent = {row["job"]: row for row in sums}
        models: dict[int, dict[str, int]] = {job: {} for job in jobs}
        for row in await self._database.rows(
            f"""SELECT job, model, count(*) AS n FROM requests WHERE {_AMONG.format("job")}
                GROUP BY job, model ORDER BY model""",  # noqa: S608  own text
            among,
        ):
            models[row["job"]][row["model"]] = row["n"]
        return {job: tally_of(counts[job], spent.get(job), models[job]) for job in jobs}

    async def batches_of(self, job: JobId) -> list[str]:
        """Name the batches of the API that a job travelled in, in the order of their making.

        Args:
            job: Its id.
        """
        return (await self.batches_of_all([job]))[job]

    async def batches_of_all(self, jobs: Sequence[JobId]) -> dict[JobId, list[str]]:
        """Name the batches of the API that each of some jobs travelled in, in the order of their making."""
        found: dict[JobId, list[str]] = {job: [] for job in jobs}
        for row in await self._database.rows(
            f"""SELECT DISTINCT job, batches.id, remote_id, twin FROM requests
                JOIN trips ON trips.request = requests.id JOIN batches ON batches.id = trips.batch
                WHERE {_AMONG.format("job")} AND remote_id IS NOT NULL ORDER BY batches.id""",  # noqa: S608  own text
            json.dumps(list(jobs)),
        ):
            found[row["job"]] += (remote for remote in (row["remote_id"], row["twin"]) if remote is not None)
        return found


_AMONG = "{} IN (SELECT value FROM json_each(?))"


async def _of_ticket(db: aiosqlite.Connection, ticket: str) -> Job | None:
    async with db.execute("SELECT * FROM jobs WHERE ticket = ?", (ticket,)) as cursor:
        row = await cursor.fetchone()
    return None if row is None else job_of(row)


async def _of_claims(db: aiosqlite.Connection, arrivals: Sequence[Arrival]) -> dict[str, Job]:
    """Find the jobs that some files are already, by their claims."""
    claims = json.dumps([each.claim for each in arrivals])
    sql = "SELECT * FROM jobs WHERE claim IN (SELECT value FROM json_each(?))"
    return {row["claim"]: job_of(row) for row in await db.execute_fetchall(sql, (claims,))}


def _bases(free: int, arrivals: Iterable[Arrival]) -> Iterator[int]:
    """The id of the first request of each: those of a file that are to follow have theirs already."""
    for each in arrivals:
        yield free
        free += each.total


def job_of(row: Row) -> Job:
    """Read a row of `jobs`."""
    # What a person has cancelled waits for no money, whatever was noted of it before.
    hold = None if row["cancel_wanted"] or row["delivered"] else row["hold"]
    return Job(
        id=JobId(row["id"]),
        claim=row["claim"],
        name=row["name"],
        source=row["source"],
        received_at=row["received_at"],
        total=row["total"],
        finished_at=row["finished_at"],
        delivered=bool(row["delivered"]),
        cancel_wanted=bool(row["cancel_wanted"]),
        retry_wanted=bool(row["retry_wanted"]),
        hold=hold,
        hold_until=None if hold is None else row["hold_until"],
        released=bool(row["released"]),
        released_up_to=row["released_up_to"],
        cache=row["cache"],
        results_length=row["results_length"],
        missing=row["missing"],
        rejected=row["rejected"],
        rows=None if row["rows"] is None else msgspec.json.decode(row["rows"], type=RowsForm),
        sandbox=bool(row["sandbox"]),
    )
