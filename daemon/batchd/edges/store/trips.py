"""Trips: which request travels in which row of which batch."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from batchd.claude.price import to_picodollars
from batchd.delivery import PARKED, Delivery
from batchd.edges.store.database import Database
from batchd.edges.store.rollup import in_step
from batchd.edges.store.statements import AMONG, Transaction, at_once, many, update
from batchd.model import BatchId, Cost, JobId, Place, RequestId, Sending, Usage, WireRow

_THOSE: Final = f"batch = ? AND {AMONG.format('row')}"


@dataclass(frozen=True, slots=True)
class Spooled:
    """What a batch sends of one job."""

    job: JobId
    name: str
    claim: str
    """The name of its spool file."""
    end: int
    """Bytes that the file must have."""


class Trips:
    """The trips of batches that are under way."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def body(self, batch: BatchId) -> list[WireRow]:
        """Say what each row sends and where its params lie, in the order of the rows."""
        return await self._database.values(
            lambda row: WireRow(
                Sending(RequestId(row["request"]), row["sending"]), Place(row["claim"], row["offset"], row["size"])
            ),
            """SELECT request, sending, claim, coalesce(sent_offset, requests."offset") AS "offset",
                   coalesce(sent_size, requests.size) AS size FROM trips
               JOIN requests ON requests.id = trips.request JOIN jobs ON jobs.id = requests.job
               WHERE trips.batch = ? ORDER BY trips.row""",
            batch,
        )

    async def spooled(self, batch: BatchId) -> list[Spooled]:
        """Say of which jobs a batch sends params, and how far these reach in their spool files."""
        rows = await self._database.rows(
            """SELECT jobs.id, jobs.name, claim,
                   max(coalesce(sent_offset, requests."offset") + coalesce(sent_size, requests.size)) AS reach
               FROM trips JOIN requests ON requests.id = trips.request JOIN jobs ON jobs.id = requests.job
               WHERE trips.batch = ? GROUP BY jobs.id""",
            batch,
        )
        return [Spooled(JobId(row["id"]), row["name"], row["claim"], row["reach"]) for row in rows]

    async def rows_of(self, batch: BatchId, sendings: Collection[Sending]) -> dict[Sending, int]:
        """Find the rows of a batch by what they send; what is not of this batch is left out.

        Args:
            batch: Its id.
            sendings: Some hundreds at the most.
        """
        rows = await self._database.rows(
            """SELECT row, request, sending FROM trips
               WHERE batch = ? AND request IN (SELECT CAST(value AS BIGINT) FROM json_each(?))""",
            batch,
            json.dumps([sending.request for sending in sendings]),
        )
        found = {Sending(RequestId(row["request"]), row["sending"]): int(row["row"]) for row in rows}
        return {sending: found[sending] for sending in sendings if sending in found}

    async def carries(self, batch: BatchId, sending: Sending) -> bool:
        """Whether a batch sends this, or did so before it was dissolved."""
        row = await self._database.row(
            """SELECT 1 FROM trips WHERE batch = ?1 AND request = ?2 AND sending = ?3
               UNION ALL SELECT 1 FROM given_up WHERE batch = ?1 AND request = ?2 AND sending = ?3""",
            batch,
            sending.request,
            sending.number,
        )
        return row is not None

    async def cancel_wanted(self, batch: BatchId) -> tuple[bool, bool]:
        """Say whether any, and whether every, job with a request in this batch has been cancelled."""
        row = await self._database.row(
            """SELECT max(cancel_wanted) AS any, min(cancel_wanted) AS every FROM jobs
               WHERE id IN (SELECT job FROM trips JOIN requests ON requests.id = request WHERE trips.batch = ?)""",
            batch,
        )
        return (False, False) if row is None else (bool(row["any"]), bool(row["every"]))

    async def jobs_in(self, batch: BatchId) -> list[str]:
        """Name the jobs that travel in a batch."""
        rows = await self._database.rows(
            """SELECT name FROM jobs WHERE id IN (
                   SELECT job FROM trips JOIN requests ON requests.id = request WHERE trips.batch = ?) ORDER BY id""",
            batch,
        )
        return [row["name"] for row in rows]

    async def jobs_open_in(self, batch: BatchId) -> list[str]:
        """Name the jobs of which a request travels in a batch and has not been delivered yet."""
        rows = await self._database.rows(
            """SELECT name FROM jobs WHERE id IN (
                   SELECT job FROM trips JOIN requests ON requests.id = request
                   WHERE trips.batch = ? AND outcome IS NULL) ORDER BY id""",
            batch,
        )
        return [row["name"] for row in rows]

    async def any_delivered(self, batch: BatchId) -> bool:
        """Whether some results of a batch have been delivered."""
        row = await self._database.row("SELECT 1 FROM trips WHERE batch = ? AND outcome IS NOT NULL LIMIT 1", batch)
        return row is not None


async def begin(db: Transaction, batch: BatchId, requests: Sequence[RequestId], start: int) -> None:
    """Put requests on a trip, in this order, each with its worst case reserved.

    Args:
        db: The connection that a step was given.
        batch: A new one.
        requests: Waiting ones, whose `sendings` count this trip already.
        start: The row of the first of them.
    """
    boarding = """INSERT INTO trips (batch, row, request, reserved, sending)
                  SELECT ?, wanted.key + ?, requests.id, worst, sendings
                  FROM json_each(?) AS wanted LEFT JOIN requests ON requests.id = CAST(wanted.value AS BIGINT)"""
    rows = range(start, start + len(requests))
    await in_step(db, batch, lambda db: update(db, boarding, batch, start, json.dumps(requests)), rows=rows)


async def end(db: Transaction, batch: BatchId, outcome: str, rows: Collection[int]) -> None:
    """End trips of a batch that have no result, whatever the API may have charged for them.

    Args:
        db: The connection that a step was given.
        batch: Theirs.
        outcome: What became of them, as if it were the type of a result.
        rows: Theirs.
    """
    ending = f"UPDATE trips SET outcome = ? WHERE {_THOSE} AND outcome IS NULL"  # noqa: S608  own text
    await in_step(db, batch, lambda db: update(db, ending, outcome, batch, json.dumps(list(rows))), rows=rows)


async def forget(db: Transaction, batch: BatchId, rows: Collection[int], *, sent: bool) -> None:
    """Take back trips of a batch that is dissolved; what an attempt that was given up may have sent stays known.

    Args:
        db: The connection that a step was given.
        batch: Theirs.
        rows: Theirs.
        sent: Whether an attempt to create it was given up, which may still show.
    """
    those = json.dumps(list(rows))
    if sent:
        await update(
            db,
            f"""INSERT INTO given_up (batch, request, sending)
                SELECT batch, request, sending FROM trips WHERE {_THOSE}""",  # noqa: S608  own text
            batch,
            those,
        )
    await in_step(db, batch, lambda db: update(db, f"DELETE FROM trips WHERE {_THOSE}", batch, those), rows=rows)  # noqa: S608  own text


async def note_cost(db: Transaction, batch: BatchId, usage: Usage, cost: Cost, *, bounded: bool) -> None:
    """Note what is known of the cost of trips under way, as `Deliveries.note_cost` says."""

    async def change(db: Transaction) -> None:
        await update(
            db,
            """UPDATE trips SET input_tokens = ?, output_tokens = ?, cache_read = ?, cache_write_5m = ?,
                   cache_write_1h = ?, cost = ?, standard_cost = ?, bounded = ?
               WHERE batch = ? AND outcome IS NULL""",
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_input_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            to_picodollars(cost.charged),
            to_picodollars(cost.standard),
            bounded,
            batch,
        )

    await in_step(db, batch, change)


async def deliver(db: Transaction, batch: BatchId, deliveries: Sequence[Delivery]) -> None:
    """Note what trips have brought and cost: one that was delivered before is passed over, one that is parked undone.

    Args:
        db: The connection that a step was given.
        batch: Theirs.
        deliveries: What became of them.
    """

    async def change(db: Transaction) -> None:
        await at_once(db, _DELIVER, _BROUGHT, [_brought(batch, each) for each in deliveries])
        if parked := [(batch, each.row) for each in deliveries if each.outcome == PARKED]:
            await many(db, "DELETE FROM trips WHERE batch = ? AND row = ?", parked)

    await in_step(db, batch, change, rows={d.row for d in deliveries})


_BROUGHT: Final = {
    "batch": "BIGINT",
    "row": "BIGINT",
    "outcome": "TEXT",
    "stop_reason": "TEXT",
    "input_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "cache_read": "BIGINT",
    "cache_write_5m": "BIGINT",
    "cache_write_1h": "BIGINT",
    "cost": "BIGINT",
    "standard_cost": "BIGINT",
    "cache_saved": "BIGINT",
    "bounded": "BOOLEAN",
}
_DELIVER: Final = f"""
    UPDATE trips SET {", ".join(f"{name} = new.{name}" for name in [*_BROUGHT][2:])} FROM {{rows}} AS new
    WHERE trips.batch = new.batch AND trips.row = new.row AND trips.outcome IS NULL"""  # noqa: S608  our own names


def _brought(batch: BatchId, delivery: Delivery) -> tuple[object, ...]:
    usage, cost = delivery.usage, delivery.cost
    return (
        batch,
        delivery.row,
        delivery.outcome,
        delivery.stop_reason,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_input_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        to_picodollars(cost.charged),
        to_picodollars(cost.standard),
        to_picodollars(delivery.saved),
        delivery.bounded,
    )
