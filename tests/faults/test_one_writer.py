"""What relies on one writer at a time: of two that write to one server, the steps of one amid those of the other.

Each case is played twice: as it is, and without the lock that lets one step in at a time. Then it goes wrong: so it is
that lock which the case relies on.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import anyio
import pytest
from batchd.claude.batch_body import new_nonce
from batchd.delivery import Delivery
from batchd.edges.store import Arrival, NewRequest, Store, open_store, write_to_store
from batchd.edges.store.postgresql import database as on_server
from batchd.edges.store.postgresql.transaction import PostgresqlTransaction
from batchd.edges.store.statements import update
from batchd.model import Cost, Plan, RequestId, Usage, Verdict

from tests.support.house import NEVER
from tests.support.postgresql import Server

pytestmark = pytest.mark.anyio

Case = Callable[[Server, Store, Store], Awaitable[None]]


class Amid:
    """Stops the first statement of a step that has some text in it, until the other process has gone on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.reached, self.released = anyio.Event(), anyio.Event()

    async def before(self, sql: str) -> None:
        if self.text in sql and not self.reached.is_set():
            self.reached.set()
            await self.released.wait()


@asynccontextmanager
async def two(url: str) -> AsyncIterator[tuple[Store, Store]]:
    async with open_store(url) as one, write_to_store(url) as other:
        yield one, other


async def amid(server: Server, first: Awaitable[object], second: Awaitable[object], text: str) -> list[str]:
    """Let the second go on when the first stands before a statement; return what they raised."""
    stop, failed = Amid(text), list[str]()
    plain = {name: getattr(PostgresqlTransaction, name) for name in ("update", "rows", "many", "at_once")}

    async def told(step: Awaitable[object]) -> None:
        try:
            await step
        except Exception as error:  # noqa: BLE001  whatever it is, it is what is looked for
            failed.append(f"{type(error).__name__}: {error}")

    def stopping(name: str) -> Callable[..., Awaitable[Any]]:
        async def statement(self: PostgresqlTransaction, sql: str, *more: Any) -> Any:
            await stop.before(sql)
            return await plain[name](self, sql, *more)

        return statement

    done = anyio.Event()

    async def beside() -> None:
        await told(second)
        done.set()

    with pytest.MonkeyPatch.context() as patch, anyio.fail_after(NEVER):
        for name in plain:
            patch.setattr(PostgresqlTransaction, name, stopping(name))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(told, first)
            await stop.reached.wait()
            tasks.start_soon(beside)
            while not (done.is_set() or waits_for_a_lock(server)):  # noqa: ASYNC110  another program's state
                await anyio.sleep(0.01)
            stop.released.set()
    return failed


def waits_for_a_lock(server: Server) -> bool:
    return server.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0"


def arrival(claim: str, count: int = 3, name: str = "") -> Arrival:
    asked = [NewRequest(f"r{n}", f"r{n}", "claude-haiku-4-5", 100, (), n * 10, 9) for n in range(count)]
    name = name or claim
    return Arrival(claim=claim, name=name, source=name, received_at=1.0, total=count, requests=asked)


async def asked(store: Store, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await store.database.rows(sql)]


async def claims(server: Server, one: Store, other: Store) -> None:
    """The same claim, taken up by two: one job, which both are given."""
    twice = (one.arrivals.accept(arrival("c")), other.arrivals.accept(arrival("c")))
    assert await amid(server, *twice, "INSERT INTO jobs") == []
    assert await asked(one, "SELECT claim FROM jobs") == [("c",)]


async def ids(server: Server, one: Store, other: Store) -> None:
    """Two files at one time: each request has an id of its own, and those of a file are neighbours."""
    both = (one.arrivals.accept(arrival("c")), other.arrivals.accept(arrival("d")))
    assert await amid(server, *both, "INSERT INTO jobs") == []
    assert await asked(
        one,
        "SELECT claim, count(*), max(requests.id) - min(requests.id) FROM requests "
        "JOIN jobs ON jobs.id = job GROUP BY claim ORDER BY claim",
    ) == [("c", 3, 2), ("d", 3, 2)]


async def names(server: Server, one: Store, other: Store) -> None:
    """A further file of one name: what came before is seen, and held or noted by it."""

    def again(claim: str) -> Arrival:
        return replace(arrival(claim), digest="same", again_from=0.0)

    both = (one.arrivals.accept(again("c")), other.arrivals.accept(again("d")))
    assert await amid(server, *both, "FROM jobs AS new JOIN jobs AS old") == []
    assert await asked(one, "SELECT count(*) FROM jobs WHERE hold IS NOT NULL") == [(1,)]


async def cancelling(server: Server, one: Store, other: Store) -> None:
    """A job is cancelled while its requests are packed: each travels, or has its verdict, never both."""
    await one.arrivals.accept(arrival("c"))
    await one.database.write(lambda db: update(db, "UPDATE jobs SET cancel_wanted = TRUE"))
    plan = Plan(tuple(each.id for each in await one.queue.waiting(9)) or tuple(map(RequestId, (1, 2, 3))), (), 27)
    packing = one.batches.plan([plan], now=2.0, nonce=new_nonce)
    assert await amid(server, packing, other.jobs.cancel_waiting(), "max(row)") == []
    assert await asked(one, "SELECT count(*) FROM requests WHERE batch IS NOT NULL AND verdict IS NULL") == [(3,)]


async def lengths(server: Server, one: Store, other: Store) -> None:
    """A batch is delivered by two: what it has cost is summed once, and the length is that of the last."""
    job = await one.arrivals.accept(arrival("c"))
    plan = Plan(tuple(each.id for each in await one.queue.waiting(9)), (), 27)
    await one.batches.plan([plan], now=2.0, nonce=new_nonce)
    (batch,) = await one.batches.unfinished()
    cost = Cost(Decimal("0.5"), Decimal(1))
    some = [Delivery(0, plan.requests[0], "succeeded", Verdict.COMPLETE, "", "end_turn", Usage(5, 7), cost)]
    first, second = (each.deliveries.deliver(batch, some, {job.id: 100}, now=5.0) for each in (one, other))
    assert await amid(server, first, second, "UPDATE trips SET") == []
    assert (await one.tallies.of(job.id)).cost == cost
    assert await asked(one, "SELECT sum(answers), sum(cost_micro) FROM spent") == [(1, 500_000)]


CASES = (claims, ids, names, cancelling, lengths)


@pytest.mark.parametrize("case", CASES)
async def test_two_that_write_step_by_step(server: Server, case: Case) -> None:
    async with two(server.with_tables()) as stores:
        await case(server, *stores)


@pytest.mark.parametrize("case", CASES)
async def test_without_the_lock_it_goes_wrong(server: Server, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_server, "ONE_AT_A_TIME", b"SELECT 1")
    async with two(server.with_tables()) as stores:
        with pytest.raises(AssertionError):
            await case(server, *stores)
