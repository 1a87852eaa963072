"""Deliveries: whose a result is, and what became of it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from batchd.delivery import Delivery, Trip, Unsent
from batchd.edges.store import requests, trips
from batchd.edges.store.database import Database
from batchd.edges.store.requests import wishes_of
from batchd.edges.store.statements import AMONG, Row, Transaction, betas_of, many, update
from batchd.model import Batch, BatchId, Cost, JobId, Place, RequestId, Usage

if TYPE_CHECKING:
    from batchd.decisions.document.contents import Contents

LET_GO = "UPDATE jobs SET hold = NULL, held_from = NULL, hold_until = NULL, hold_room = NULL"
"""What waits for money is tried again."""


class Deliveries:
    """The seats of batches that have ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def trips(self, batch: BatchId, rows: Iterable[int], max_attempts: int) -> dict[int, Trip]:
        """Find whose some rows of a batch are.

        Args:
            batch: Its id.
            rows: Their numbers, some hundreds at the most; those that the batch does not have are left out.
            max_attempts: Sendings of one request, the first included.
        """
        found = await self._database.rows(
            f"""SELECT trips.row, trips.outcome, requests.id, job, jobs.name AS job_name, custom_id, requests.name,
                    model, wishes, cancel_wanted, claim, "offset", requests.size, max_tokens, requests.betas,
                    round, rounds, allowance, worst,
                    (SELECT total(output_tokens) FROM trips AS t WHERE t.request = requests.id
                     AND t.sending >= counts_from) AS written,
                    (SELECT count(*) FROM trips AS t WHERE t.request = requests.id
                     AND outcome = 'succeeded' AND stop_reason IS NULL AND t.sending >= counts_from) AS breaks,
                    (SELECT count(*) FROM trips AS t WHERE t.request = requests.id
                     AND (outcome IS NULL OR outcome <> 'succeeded')) - forgiven AS attempts
                FROM trips JOIN requests ON requests.id = trips.request JOIN jobs ON jobs.id = requests.job
                WHERE trips.batch = ? AND {AMONG.format("trips.row")}""",  # noqa: S608  own text
            batch,
            json.dumps(list(rows)),
        )
        return {
            r["row"]: Trip(
                row=r["row"],
                request=RequestId(r["id"]),
                job=JobId(r["job"]),
                job_name=r["job_name"],
                custom_id=r["custom_id"],
                name=r["name"],
                model=r["model"],
                wishes=wishes_of(r),
                attempts_left=max_attempts - r["attempts"],
                cancelled=bool(r["cancel_wanted"]),
                delivered=r["outcome"] is not None,
                first=Place(r["claim"], r["offset"], r["size"]),
                max_tokens=r["max_tokens"],
                betas=betas_of(r),
                round=r["round"],
                rounds=r["rounds"],
                allowance=r["allowance"],
                written=int(r["written"]),
                breaks=r["breaks"],
                attempts=r["attempts"],
                worst=r["worst"],
            )
            for r in found
        }

    async def results_lengths(self, jobs: Iterable[JobId]) -> dict[JobId, int]:
        """Say how many bytes of the `results.jsonl` of some jobs are acknowledged."""
        sql = f"SELECT id, results_length FROM jobs WHERE {AMONG.format('id')}"  # noqa: S608  own text
        rows = await self._database.rows(sql, json.dumps(list(jobs)))
        return {JobId(row["id"]): int(row["results_length"]) for row in rows}

    async def deliver(
        self, batch: Batch, deliveries: Sequence[Delivery], lengths: dict[JobId, int], *, now: float
    ) -> None:
        """Note what became of some seats, and how long the files they went to are now, in one commit.

        Args:
            batch: Theirs.
            deliveries: What became of them; a trip that was delivered before changes nothing.
            lengths: Bytes of each job's `results.jsonl`, all of them durable.
            now: Unix seconds, from which on a request that travels again waits.
        """

        async def step(db: Transaction) -> None:
            await trips.deliver(db, batch.id, deliveries)
            await requests.deliver(db, batch.id, deliveries, now=now)
            await many(
                db, "UPDATE jobs SET results_length = ? WHERE id = ?", ((size, job) for job, size in lengths.items())
            )
            # What cost less than its worst case may have made room for what waits for money.
            await update(db, LET_GO + " WHERE hold IS NOT NULL AND twin IS NULL")

        await self._database.write(step)

    async def note_cost(self, batch: Batch, usage: Usage, cost: Cost, *, bounded: bool) -> None:
        """Note what is known of the cost of a message that brought nothing; it counts once the trip is over.

        Args:
            batch: A message, under way.
            usage: Its tokens; where they were not told, a bound.
            cost: Of them.
            bounded: Whether its tokens of output are a bound.
        """
        await self._database.write(lambda db: trips.note_cost(db, batch.id, usage, cost, bounded=bounded))

    async def unsent(self, job: JobId) -> list[Unsent]:
        """List the requests of a job that got their verdict between two rounds, and nothing of their documents yet."""
        found = await self._database.values(
            _unsent,
            """SELECT id, name, round, wishes, document, filed FROM requests
               WHERE job = ? AND verdict IS NOT NULL AND round > 0 ORDER BY id""",
            job,
        )
        return [each for each in found if each is not None]

    async def continued(self, jobs: Iterable[JobId]) -> set[JobId]:
        """Say in which of some jobs a request had more than one round: its document may not be in their folders."""
        rows = await self._database.rows(
            f"SELECT DISTINCT job FROM requests WHERE {AMONG.format('job')} AND round > 0",  # noqa: S608  own text
            json.dumps(list(jobs)),
        )
        return {JobId(row["job"]) for row in rows}

    async def attach(self, contents: "Mapping[RequestId, Contents]") -> None:
        """Note where the documents of some requests are, all of them durable."""
        await self._database.write(lambda db: requests.attach(db, contents))

    async def undelivered(self, batch: BatchId) -> int:
        """Count the rows of a batch whose result was not delivered yet."""
        row = await self._database.row("SELECT count(*) AS n FROM trips WHERE batch = ? AND outcome IS NULL", batch)
        return 0 if row is None else int(row["n"])


def _unsent(row: Row) -> Unsent | None:
    """Read a request that has its verdict; None where all that was wanted of it is in its job's folder."""
    wishes = wishes_of(row)
    wanting = (wishes.documents and row["document"] is None) or (wishes.files and row["filed"] is None)
    return Unsent(RequestId(row["id"]), row["name"], row["round"], wishes) if wanting else None
