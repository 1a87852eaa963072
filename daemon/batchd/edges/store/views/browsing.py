"""What a person leafs through: jobs, a job's requests and batches, a page at a time and by id."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from batchd.edges.store.batches import OPEN
from batchd.edges.store.database import Database
from batchd.edges.store.job_rows import job_of
from batchd.edges.store.requests import FIRST
from batchd.edges.store.statements import AMONG, Row
from batchd.edges.store.sums import amount, exact
from batchd.edges.store.transitions import batch_of
from batchd.edges.store.views.progress import own_words
from batchd.model import Batch, Job, JobId, RequestId, Verdict

_SEEN = "(CAST(?1 AS TEXT) IS NULL OR queue IN (SELECT value FROM json_each(?1)))"
_MOST_WAITING = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """One request of a job."""

    id: RequestId
    number: int
    """Its place in the file, from 1."""
    custom_id: str
    model: str
    verdict: Verdict | None
    """None while it has none."""
    travelling: bool
    reason: str
    """Why it is not complete, in our own words alone."""
    stop_reason: str | None
    parts: int
    """How many rounds of its document are written."""
    document: str | None
    """Its file, relative to the job's folder."""
    output_tokens: int
    cost: int | None
    """Picodollars; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A batch with the jobs that travel in it."""

    batch: Batch
    jobs: tuple[tuple[JobId, str], ...]


class Browsing:
    """The store as people leaf through it.

    Of all of it only what came from some top folders of the inbox is there for whoever may see only those.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def jobs(self, folders: Sequence[str] | None, *, before: int | None, most: int) -> list[Job]:
        """List jobs, the newest first.

        Args:
            folders: Top folders that may be seen; None for all.
            before: Only those with a smaller id.
            most: How many.
        """
        rows = await self._database.rows(
            f"SELECT * FROM jobs WHERE {_SEEN} AND (CAST(?2 AS BIGINT) IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3",  # noqa: S608  own text
            _listed(folders),
            before,
            most,
        )
        return [job_of(row) for row in rows]

    async def job(self, folders: Sequence[str] | None, job: int) -> Job | None:
        """Find a job by its id, if it may be seen."""
        row = await self._database.row(
            f"SELECT * FROM jobs WHERE {_SEEN} AND id = ?2",  # noqa: S608  own text
            _listed(folders),
            job,
        )
        return None if row is None else job_of(row)

    async def waiting_for_a_person(self, folders: Sequence[str] | None) -> list[Job]:
        """List jobs that are held, travel in a held batch, or are kept by a defect; the oldest first, the first 50."""
        rows = await self._database.rows(
            f"""SELECT * FROM jobs WHERE {_SEEN} AND id IN (
                    SELECT id FROM jobs WHERE hold IS NOT NULL
                    UNION SELECT job FROM batches JOIN job_batches ON batch = batches.id
                        WHERE {OPEN} AND state = 'held' AND trips > 0
                    UNION SELECT job FROM troubles WHERE defect AND job IS NOT NULL)
                ORDER BY id LIMIT ?2""",  # noqa: S608  own text
            _listed(folders),
            _MOST_WAITING,
        )
        return [job_of(row) for row in rows]

    async def reserved(self, jobs: Sequence[JobId]) -> dict[JobId, int]:
        """Say what is reserved of jobs beside what they have cost, in picodollars."""
        rows = await self._database.rows(
            f"""SELECT job, sum(reserved_micro) AS reserved_micro, sum(reserved_pico) AS reserved_pico
               FROM jobs CROSS JOIN job_batches
               WHERE job = jobs.id AND NOT delivered AND {AMONG.format("jobs.id")} GROUP BY job""",  # noqa: S608  own text
            json.dumps(list(jobs)),
        )
        return {JobId(row["job"]): amount(row, "reserved") for row in rows}

    async def of_ticket(self, folders: Sequence[str] | None, ticket: str) -> Job | None:
        """Find the job of what was dropped under a ticket, if it may be seen."""
        row = await self._database.row(
            f"SELECT * FROM jobs WHERE {_SEEN} AND ticket = ?2",  # noqa: S608  own text
            _listed(folders),
            ticket,
        )
        return None if row is None else job_of(row)

    async def requests(self, job: JobId, *, after: int, most: int) -> list[Listed]:
        """List requests of a job in the order of its file.

        Args:
            after: Only those with a larger id.
            most: How many.
        """
        rows = await self._database.rows(
            f"""SELECT r.id, r.id - ({FIRST}) + 1 AS number, custom_id, model,
                   verdict, r.batch IS NOT NULL AS travelling, reason, r.stop_reason, round, document,
                   total(output_tokens) AS output, {exact("cost", "cost")},
                   coalesce(sum(unpriced), 0) AS unpriced
               FROM requests AS r LEFT JOIN trips ON trips.request = r.id WHERE r.id IN (
                   SELECT id FROM requests WHERE +job = ?1 AND id > max(?2, ({FIRST}) - 1)
                       AND id <= (SELECT max(id) FROM requests WHERE job = ?1) ORDER BY id LIMIT ?3)
               GROUP BY r.id ORDER BY r.id""",  # noqa: S608  own text
            job,
            after,
            most,
        )
        return [_listed_request(row) for row in rows]

    async def has_document(self, job: JobId, document: str) -> bool:
        """Whether a file is a document of a job, or a section of one."""
        named = PurePosixPath(document).parts[1:2]
        row = await self._database.row(
            """SELECT 1 FROM requests WHERE job = ?1 AND name IN (SELECT value FROM json_each(?3)) AND (document = ?2
                   OR (sections IS NOT NULL AND EXISTS (
                       SELECT 1 FROM json_each(sections) WHERE value ->> 1 = ?2))) LIMIT 1""",
            job,
            document,
            json.dumps([*named, *(PurePosixPath(each).stem for each in named)]),
        )
        return row is not None

    async def batches(self, folders: Sequence[str] | None, *, most: int) -> list[Carried]:
        """List the newest batches, each with the jobs that travelled in it."""
        rows = await self._database.rows(
            "SELECT * FROM batches ORDER BY id DESC LIMIT ?",
            most,
        )
        jobs: defaultdict[int, list[tuple[JobId, str]]] = defaultdict(list)
        for row in await self._database.rows(
            f"""SELECT job_batches.batch, jobs.id, jobs.name FROM job_batches JOIN jobs ON jobs.id = job
                WHERE job_batches.batch IN (SELECT CAST(value AS BIGINT) FROM json_each(?2)) AND trips > 0 AND {_SEEN}
                ORDER BY job_batches.batch, jobs.id""",  # noqa: S608  own text
            _listed(folders),
            json.dumps([row["id"] for row in rows]),
        ):
            jobs[row["batch"]].append((JobId(row["id"]), row["name"]))
        found = [Carried(batch_of(row), tuple(jobs[row["id"]])) for row in rows]
        return [each for each in found if each.jobs or folders is None]


def _listed(folders: Sequence[str] | None) -> str | None:
    return None if folders is None else json.dumps(list(folders))


def _listed_request(row: Row) -> Listed:
    return Listed(
        id=RequestId(row["id"]),
        number=row["number"],
        custom_id=row["custom_id"],
        model=row["model"],
        verdict=None if row["verdict"] is None else Verdict(row["verdict"]),
        travelling=bool(row["travelling"]),
        reason=own_words(row["reason"] or ""),
        stop_reason=row["stop_reason"],
        parts=row["round"],
        document=row["document"],
        output_tokens=int(row["output"]),
        cost=None if row["unpriced"] else amount(row, "cost"),
    )
