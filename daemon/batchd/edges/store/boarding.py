"""Boarding: requests come aboard a batch, and leave one that is over, some in one commit and the next in another.

A batch may carry 100,000. Until all are aboard it is none: it is dissolved, and what is aboard is leaving. So
wherever a crash comes, what is left leaves at the next look, as the column `leaving` says.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from batchd.edges.store import requests, trips
from batchd.edges.store.database import Database
from batchd.edges.store.requests import SLICE
from batchd.edges.store.statements import Row, Transaction, fetch, insert, many, returning, update
from batchd.lifecycle import State
from batchd.model import BatchId, Plan, RequestId, Verdict


class Leaving(StrEnum):
    """What becomes of the rows that are still aboard a batch that is over."""

    WAITING = "waiting"
    """They were not sent, and wait for another trip."""
    RESENT = "resent"
    """They may have been charged, and wait for another trip."""
    DROPPED = "dropped"
    """They may have been charged, and a person has given them up."""


_BEGINNING: Final = 5
"""How many requests coming aboard take as long as the beginning of a batch."""
_UNKNOWN: Final[Mapping[RequestId, int]] = MappingProxyType({})


async def board_all(database: Database, plans: Sequence[Plan], *, now: float, nonce: Callable[[], str]) -> None:
    """Make batches of waiting requests; one that has got its verdict in between stays behind.

    Args:
        database: Theirs.
        plans: Which travel together.
        now: Unix seconds.
        nonce: Makes a new one.
    """
    for some in _together(plans):

        async def step(db: Transaction, some: Sequence[Plan] = some) -> list[BatchId]:
            return [await _begin(db, plan, now, nonce()) for plan in some]

        (*_, last) = await database.write(step)
        await fill(database, last, some[-1].requests[SLICE:], {"state": State.PLANNED})


async def fill(
    database: Database,
    batch: BatchId,
    them: Sequence[RequestId],
    becomes: Mapping[str, object],
    numbers: Mapping[RequestId, int] = _UNKNOWN,
) -> None:
    """Bring the rest of its requests aboard a batch that has begun, and make it one.

    Args:
        database: Its.
        batch: Its id.
        them: The requests that are not aboard yet.
        becomes: Columns of the batch, once all are.
        numbers: Which of its sendings each of them is; that after its last where it is not said.
    """
    for start in range(0, len(them), SLICE):
        some, last = them[start : start + SLICE], start + SLICE >= len(them)

        async def step(db: Transaction, some: Sequence[RequestId] = some, last: bool = last) -> None:  # noqa: FBT001  of this turn
            await _aboard(db, batch, some, numbers)
            if last:
                await _become(db, batch, becomes)

        await database.write(step)


async def leave(database: Database, batch: BatchId, *, now: float | None = None) -> None:
    """Let all rows leave that are still aboard a batch that is over.

    Args:
        database: Its.
        batch: Its id.
        now: Unix seconds, from which on what waits again waits; None for as long as it has.
    """
    while await database.write(lambda db: _some_leave(db, batch, now)):
        pass


async def let_leave(database: Database) -> None:
    """Let the rows leave that a crash has kept aboard of batches that are over, or never began."""
    for row in await database.rows("SELECT id FROM batches WHERE leaving IS NOT NULL"):
        await leave(database, BatchId(row["id"]))


def _together(plans: Sequence[Plan]) -> Iterator[Sequence[Plan]]:
    """Those that one commit begins: small ones as many as it takes, a large one at their end or alone."""
    some: list[Plan] = []
    for plan in plans:
        if some and sum(_BEGINNING + len(each.requests) for each in [*some, plan]) > SLICE:
            yield some
            some = []
        some.append(plan)
    if some:
        yield some


async def _begin(db: Transaction, plan: Plan, now: float, nonce: str) -> BatchId:
    batch = await begin(
        db,
        lane=plan.lane,
        betas=",".join(plan.betas),
        version=plan.version,
        account=plan.account,
        count=len(plan.requests),
        size=plan.size,
        nonce=nonce,
        planned_at=now,
    )
    await _aboard(db, batch, plan.requests[:SLICE], _UNKNOWN)
    if len(plan.requests) <= SLICE:
        await _become(db, batch, {"state": State.PLANNED})
    return batch


async def begin(db: Transaction, **values: object) -> BatchId:
    """Begin a batch, given column by column, which is none until it is filled."""
    return BatchId(await insert(db, "batches", state=State.DISSOLVED, leaving=Leaving.WAITING, **values))


async def _aboard(db: Transaction, batch: BatchId, them: Sequence[RequestId], numbers: Mapping[RequestId, int]) -> None:
    if await _leaving(db, batch) is None:
        return
    if numbers:
        before = ((numbers[each] - 1, each) for each in them)
        await many(db, "UPDATE requests SET sendings = ? WHERE id = ?", before)
    aboard = await requests.board(db, batch, them)
    (row,) = await fetch(db, "SELECT coalesce(max(row) + 1, 0) AS next FROM trips WHERE batch = ?", batch)
    await trips.begin(db, batch, [each for each in them if each in aboard], row["next"])


async def _become(db: Transaction, batch: BatchId, columns: Mapping[str, object]) -> None:
    (row,) = await fetch(db, "SELECT count(*) AS n FROM trips WHERE batch = ?", batch)
    changes = {**columns, "count": row["n"]} if row["n"] else {}
    names = ", ".join(f"{name} = ?" for name in (*changes, "leaving"))
    await update(
        db,
        f"UPDATE batches SET {names} WHERE id = ? AND leaving IS NOT NULL",  # noqa: S608  own names
        *changes.values(),
        None,
        batch,
    )


async def _leaving(db: Transaction, batch: BatchId) -> Row | None:
    """What becomes of the rows aboard; nobody else sees to them until the commit."""
    return await returning(
        db,
        """UPDATE batches SET leaving = leaving WHERE id = ? AND leaving IS NOT NULL
           RETURNING leaving, doubts, trouble""",
        batch,
    )


async def _some_leave(db: Transaction, batch: BatchId, now: float | None) -> bool:
    """Let some rows leave, and say whether there may be more."""
    found = await _leaving(db, batch)
    if found is None:
        return False
    some = await fetch(
        db, "SELECT row, request FROM trips WHERE batch = ? AND outcome IS NULL ORDER BY row LIMIT ?", batch, SLICE
    )
    rows, them = [row["row"] for row in some], [RequestId(row["request"]) for row in some]
    match Leaving(found["leaving"]):
        case Leaving.WAITING:
            await trips.forget(db, batch, rows, sent=found["doubts"] > 0)
            await requests.free(db, batch, them)
        case Leaving.RESENT:
            await trips.end(db, batch, "resent", rows)
            await requests.free(db, batch, them, now=now)
        case Leaving.DROPPED:
            await trips.end(db, batch, "dropped", rows)
            await requests.give_verdict(db, batch, them, Verdict.CANCELED, found["trouble"])
    if len(some) == SLICE:
        return True
    await update(db, "UPDATE batches SET leaving = NULL WHERE id = ?", batch)
    return False
