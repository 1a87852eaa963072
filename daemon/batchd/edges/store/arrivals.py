"""Arrivals: files become jobs, each with all of its requests."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from batchd.decisions.twin import Before, twin_among
from batchd.edges.store.database import Database
from batchd.edges.store.events import note_hold
from batchd.edges.store.job_rows import job_of
from batchd.edges.store.requests import NewRequest, Stored, free_id, insert_all
from batchd.edges.store.statements import Transaction, fetch, many, returning, update
from batchd.model import Ceiling, Job, JobId, RowsForm, Steps, Turn


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
    uid: int | None = None
    """Of the user who dropped it; None where that is not known."""
    digest: str | None = None
    """Of what was dropped; None where nobody asks whether it came before."""
    again_from: float | None = None
    """A job of the same digest that has not finished before this moment (in unix seconds) holds it; None: none does."""
    ceiling: Ceiling | None = None
    """Of the instructions that it belongs to; None where it belongs to none."""
    steps: Steps | None = None
    """What follows its first request; None where nothing does."""
    notify: tuple[str, ...] = ()
    """The sinks that are told of it."""
    turn: Turn = field(default_factory=Turn)
    """Before whom it goes, and when, as its file says it."""


_INSERT: Final = """
    INSERT INTO jobs (claim, name, source, received_at, total, budget, cache, first_request, missing, ticket, rows,
                      rejected, uid, folder, folder_per_day, steps, steps_left, later, later_open, notify,
                      digest, priority, hours, sandbox)
    VALUES (:claim, :name, :source, :received_at, :total, :budget, :cache, :first_request, :missing, :ticket, :rows,
            :rejected, :uid, :folder, :folder_per_day, :steps, :steps_left, :later, :later_open, :notify,
            :digest, :priority, :hours,
            EXISTS (SELECT 1 FROM facts WHERE name = 'api' AND value = 'sandbox'))"""


class Arrivals:
    """What becomes a job, and what of its requests is still to come."""

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

        async def step(db: Transaction) -> list[Job]:
            known = await _of_claims(db, arrivals)
            for each in arrivals:
                if each.ticket is not None and (first := await _of_ticket(db, each.ticket)) is not None:
                    known[each.claim] = first
            base, new = await free_id(db), [each for each in arrivals if each.claim not in known]
            starts = dict(zip((each.claim for each in new), _bases(base, new), strict=True))
            await many(db, _INSERT, (_values(each, starts[each.claim]) for each in new))
            known |= await _of_claims(db, new)
            await insert_all(
                db,
                (Stored(known[each.claim].id, starts[each.claim], 0, each.received_at, each.requests) for each in new),
            )
            if await _say_what_came_before(db, {each.claim: each for each in new if each.again_from is not None}):
                known |= await _of_claims(db, new)
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

        async def step(db: Transaction) -> Job:
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


async def _of_ticket(db: Transaction, ticket: str) -> Job | None:
    row = await returning(db, "SELECT * FROM jobs WHERE ticket = ?", ticket)
    return None if row is None else job_of(row)


async def _of_claims(db: Transaction, arrivals: Sequence[Arrival]) -> dict[str, Job]:
    """Find the jobs that some files are already, by their claims."""
    claims = json.dumps([each.claim for each in arrivals])
    sql = "SELECT * FROM jobs WHERE claim IN (SELECT value FROM json_each(?))"
    return {row["claim"]: job_of(row) for row in await fetch(db, sql, claims)}


async def _say_what_came_before(db: Transaction, new: dict[str, Arrival]) -> bool:
    """Hold what was dropped a second time, or note that it was; whether there is any such thing."""
    found: dict[int, tuple[Arrival, list[Before]]] = {}
    if new:
        for row in await fetch(db, _BEFORE, json.dumps(list(new))):
            finished_at = row["finished_at"] if row["delivered"] else None
            before = Before(row["name"], row["received_at"], finished_at, bool(row["in_vain"]), row["twin"] is not None)
            found.setdefault(row["id"], (new[row["claim"]], []))[1].append(before)
    for job, (arrival, earlier) in found.items():
        twin = None if arrival.again_from is None else twin_among(earlier, arrival.again_from)
        if twin is not None and twin.held:
            hold = "UPDATE jobs SET hold = ?, twin = ?, held_from = first_request WHERE id = ?"
            await update(db, hold, twin.reason, twin.of, job)
            await note_hold(db, JobId(job), "duplicate", "", arrival.received_at)
        elif twin is not None:
            await update(db, "UPDATE jobs SET caution = ? WHERE id = ?", twin.reason, job)
    return bool(found)


_BEFORE: Final = """SELECT new.id, new.claim, old.name, old.received_at, old.finished_at, old.delivered, old.twin,
        old.cancel_wanted OR (old.delivered AND NOT EXISTS (
            SELECT 1 FROM requests WHERE job = old.id
            AND verdict IN ('complete', 'truncated', 'short', 'refused', 'paused'))) AS in_vain
    FROM jobs AS new JOIN jobs AS old ON old.digest = new.digest AND old.id < new.id
    WHERE new.claim IN (SELECT value FROM json_each(?)) AND NOT new.sandbox"""
"""Rehearsals repeat, and cost nothing."""


def _bases(free: int, arrivals: Iterable[Arrival]) -> Iterator[int]:
    """The id of the first request of each: those of a file that are to follow have theirs already."""
    for each in arrivals:
        yield free
        free += each.total


def _values(arrival: Arrival, first_request: int) -> dict[str, object]:
    ceiling = arrival.ceiling
    return {
        "claim": arrival.claim,
        "name": arrival.name,
        "source": arrival.source,
        "received_at": arrival.received_at,
        "total": arrival.total,
        "budget": arrival.budget,
        "cache": arrival.cache,
        "first_request": first_request,
        "missing": arrival.total - len(arrival.requests),
        "ticket": arrival.ticket,
        "rows": None if arrival.rows is None else msgspec.json.encode(arrival.rows).decode(),
        "rejected": arrival.rejected,
        "uid": arrival.uid,
        "digest": arrival.digest,
        "folder": None if ceiling is None else ceiling.folder,
        "notify": json.dumps(arrival.notify) if arrival.notify else None,
        "priority": arrival.turn.priority,
        "hours": arrival.turn.hours,
        "folder_per_day": None if ceiling is None else ceiling.budget,
        **_steps(arrival.steps),
    }


def _steps(steps: Steps | None) -> dict[str, object]:
    if steps is None:
        return {"steps": None, "steps_left": 0, "later": 0, "later_open": False}
    return {
        "steps": msgspec.json.encode(steps).decode(),
        "steps_left": len(steps.steps) - 1,
        "later": steps.counted_after(0),
        "later_open": steps.is_open_after(0),
    }
