"""Amendments: what puts finished jobs right, from the commit that acknowledges it to the one that opens the job again.

Between the two its requests lie in the spool, so that the second is one transaction however many there are.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from batchd.edges.store.database import Database
from batchd.edges.store.job_rows import job_of
from batchd.edges.store.requests import NewRequest, free_id
from batchd.edges.store.retries import Superseded, files_of
from batchd.edges.store.statements import Transaction, fetch, many, update
from batchd.model import Job, JobId, RequestId, Verdict


@dataclass(frozen=True, slots=True)
class Amendment:
    """What somebody gave to put a job right."""

    claim: str
    """By which its requests are called in the spool."""
    job: JobId
    number: int
    """Of those of its job, from 1."""


class Change(NamedTuple):
    """One request of an amendment, as the spool keeps it until it is applied."""

    request: NewRequest
    replaces: int | None = None
    """The id of a request; None where it is one more."""
    left_out: int | None = None
    """The place of one that was left out of the job."""
    place: int | None = None
    record: str | None = None


class Amendments:
    """The amendments of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, job: JobId, ids: Sequence[str]) -> dict[str, tuple[RequestId, Verdict]]:
        """Find the requests of a finished job that have some ids: some hundreds at the most."""
        rows = await self._database.rows(
            """SELECT id, custom_id, verdict FROM requests
               WHERE job = ? AND custom_id IN (SELECT value FROM json_each(?)) AND verdict IS NOT NULL""",
            job,
            json.dumps(ids),
        )
        return {row["custom_id"]: (RequestId(row["id"]), Verdict(row["verdict"])) for row in rows}

    async def names(self, job: JobId, names: Sequence[str]) -> frozenset[str]:
        """Say which names of documents a job has already; in small letters."""
        rows = await self._database.rows(
            "SELECT name FROM requests WHERE job = ? AND name IN (SELECT value FROM json_each(?))",
            job,
            json.dumps(names),
        )
        return frozenset(row["name"].casefold() for row in rows)

    async def only(self, job: JobId) -> str | None:
        """Name the request of a job that has but one."""
        rows = await self._database.rows("SELECT custom_id FROM requests WHERE job = ? LIMIT 2", job)
        return str(rows[0]["custom_id"]) if len(rows) == 1 else None

    async def behind(self, job: JobId, least: int) -> int:
        """Say where the next row goes that is added behind the others."""
        row = await self._database.row(
            "SELECT max(place) AS last FROM requests WHERE job = ? AND place >= ?", job, least
        )
        return least if row is None or row["last"] is None else int(row["last"]) + 1

    async def reach(self, job: JobId) -> int:
        """Say up to which byte the requests of a job reach in its spool file."""
        row = await self._database.row(
            """SELECT max(max("offset" + size, coalesce(sent_offset + sent_size, 0))) AS n
               FROM requests WHERE job = ?""",
            job,
        )
        return 0 if row is None or row["n"] is None else int(row["n"])

    async def accept(self, claim: str, job: Job, ticket: str | None) -> Amendment | None:
        """Acknowledge an amendment: from this commit on it will be applied.

        Args:
            claim: The id of its claim.
            job: As it was when the amendment was read.
            ticket: With which it came; None where it has none.

        Returns:
            It; None where the job is not any more what it was then.
        """

        async def step(db: Transaction) -> Amendment | None:
            changed = await update(
                db,
                """UPDATE jobs SET retry_wanted = TRUE, cancel_wanted = FALSE
                   WHERE id = ? AND (delivered OR step_hold IS NOT NULL) AND NOT retry_wanted
                     AND coalesce(finished_at, -1) = coalesce(?, -1) AND results_length = ?""",
                job.id,
                job.finished_at,
                job.results_length,
            )
            if not changed:
                return None
            (others,) = await fetch(db, "SELECT count(*) AS n FROM amendments WHERE job = ?", job.id)
            number = int(others["n"]) + 1
            await update(
                db,
                "INSERT INTO amendments (claim, job, number, ticket) VALUES (?, ?, ?, ?)",
                *(claim, job.id, number, ticket),
            )
            return Amendment(claim, job.id, number)

        return await self._database.write(step)

    async def of_claim(self, claim: str) -> tuple[Amendment, Job] | None:
        """Find what a claim amends."""
        row = await self._database.row(
            "SELECT * FROM amendments JOIN jobs ON jobs.id = amendments.job WHERE amendments.claim = ?", claim
        )
        return None if row is None else (Amendment(claim, JobId(row["job"]), row["number"]), job_of(row))

    async def of_ticket(self, ticket: str) -> Job | None:
        """Find the job that was amended by what came with a ticket."""
        row = await self._database.row(
            "SELECT * FROM jobs WHERE id = (SELECT job FROM amendments WHERE ticket = ?)", ticket
        )
        return None if row is None else job_of(row)

    async def to_apply(self, job: JobId) -> Amendment | None:
        """Find the amendment of a job that is still to be applied."""
        row = await self._database.row("SELECT * FROM amendments WHERE job = ? AND NOT applied", job)
        return None if row is None else Amendment(row["claim"], job, row["number"])

    async def needs_params(self, claim: str) -> bool:
        """Whether what the spool has of a claim is still to be applied."""
        row = await self._database.row("SELECT 1 FROM amendments WHERE claim = ? AND NOT applied", claim)
        return row is not None

    async def superseded(self, requests: Sequence[int]) -> Superseded:
        """Say what of a job's results goes when these of its requests are asked anew: some hundreds at the most."""
        rows = await self._database.rows(
            """SELECT custom_id, document, sections, filed,
                   EXISTS (SELECT 1 FROM trips WHERE request = requests.id AND outcome = 'succeeded') AS paid
               FROM requests WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))""",
            json.dumps(requests),
        )
        paid = frozenset(row["custom_id"] for row in rows if row["paid"])
        return Superseded(frozenset(row["custom_id"] for row in rows) - paid, paid, tuple(sorted(files_of(rows))))


async def apply(
    db: Transaction,
    amendment: Amendment,
    changes: Callable[[], Iterator[Change]],
    begin: int,
    *,
    now: float,
) -> None:
    """Make the requests of an amendment those of its job.

    Args:
        db: The connection that a step was given.
        changes: Reads them, each time from the first.
        begin: Where their params begin in the job's spool file.
        now: Unix seconds, from which on they wait.
    """
    base = await free_id(db)
    await many(db, _REPLACE, (_values(each, begin, now) for each in changes() if each.replaces is not None))
    added = (each for each in changes() if each.replaces is None)
    inserted = (
        {
            **_values(each, begin, now),
            "id": id_,
            "job": amendment.job,
            "custom_id": each.request.custom_id,
            "name": each.request.name,
        }
        for id_, each in enumerate(added, base)
    )
    await many(db, _INSERT, inserted)
    left_out = sum(each.left_out is not None for each in changes())
    await update(
        db,
        """UPDATE jobs SET total = (SELECT count(*) FROM requests WHERE job = jobs.id), rejected = max(rejected - ?, 0)
           WHERE id = ?""",
        left_out,
        amendment.job,
    )
    # As after a retry: what is made of answers that are asked anew is made anew as far as it was not asked.
    await update(
        db,
        """UPDATE jobs SET steps_left = max(steps_left, coalesce(json_array_length(steps, '$.steps') - 1 - (
               SELECT min(step) FROM requests WHERE job = jobs.id AND verdict IS NULL), 0)) WHERE id = ?""",
        amendment.job,
    )
    await update(db, "UPDATE amendments SET applied = TRUE WHERE claim = ?", amendment.claim)


_SAID = (
    "model",
    "max_tokens",
    "betas",
    "version",
    "offset",
    "size",
    "worst",
    "budget",
    "rounds",
    "allowance",
    "wishes",
    "lane",
    "since",
)
_INSERT = f"""INSERT INTO requests (id, job, custom_id, name, {", ".join(_SAID)}, place, record)
    VALUES (:id, :job, :custom_id, :name, {", ".join(f":{name}" for name in _SAID)}, :place, :record)"""  # noqa: S608  own names
_REPLACE = f"""UPDATE requests SET {", ".join(f"{name} = :{name}" for name in _SAID)},
        record = coalesce(:record, record), round = 0, sent_offset = NULL, sent_size = NULL, asked = NULL,
        counts_from = sendings + 1, counted = FALSE, promised = FALSE, first = NULL, cohort = '', again = NULL,
        verdict = NULL, reason = NULL, stop_reason = NULL, document = NULL, sections = NULL, filed = NULL,
        forgiven = (SELECT count(*) FROM trips WHERE request = requests.id AND outcome <> 'succeeded')
    WHERE id = :replaces"""  # noqa: S608  own names


def _values(change: Change, begin: int, now: float) -> dict[str, object]:
    request = change.request
    return {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "betas": ",".join(request.betas),
        "version": request.version,
        "offset": begin + request.offset,
        "size": request.size,
        "worst": request.worst,
        "budget": request.budget,
        "rounds": request.rounds,
        "allowance": request.rounds * request.max_tokens,
        "wishes": msgspec.json.encode(request.wishes).decode(),
        "lane": request.wishes.lane,
        "since": now,
        "place": change.place,
        "record": change.record,
        "replaces": change.replaces,
    }
