"""What is spent or reserved, on a real SQLite file: counted once, never as nothing, and never by reading it all."""

import json
import random
import sqlite3
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from batchd.claude.batch_body import new_nonce
from batchd.claude.price import from_picodollars
from batchd.decisions.money.budget import Bar, Hold, Purse, Share
from batchd.delivery import PARKED, Delivery
from batchd.edges.store import GROUPS, Arrival, NewRequest, QueueBudget, Store, open_store, rollup
from batchd.edges.store.sqlite.database import SqliteDatabase
from batchd.model import Batch, BatchId, Ceiling, Cost, Intent, Job, JobId, Plan, RequestId, Usage

pytestmark = pytest.mark.anyio

DOLLAR = 10**12
QUEUE = QueueBudget(per_day=3)
DAY = 86_400.0
UNKNOWN = Cost(None, None)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "batchd.sqlite") as opened:
        yield opened


async def accept(
    store: Store, name: str = "a", count: int = 3, worst: int | None = DOLLAR, ceiling: Ceiling | None = None
) -> Job:
    made = [NewRequest(f"r{n}", f"r{n}", "claude-haiku-4-5", 100, (), n * 10, 9, worst) for n in range(count)]
    return await store.arrivals.accept(
        Arrival(name, name, f"{name}.jsonl", received_at=0.0, total=count, requests=made, ceiling=ceiling)
    )


async def plan(store: Store, *, now: float = 10.0, most: int = 1_000) -> BatchId:
    waiting = await store.queue.waiting(most)
    whole = Plan(tuple(each.id for each in waiting), (), sum(each.size for each in waiting))
    await store.batches.plan([whole], now=now, nonce=new_nonce)
    return max(batch.id for batch in await store.batches.unfinished())


async def purse(store: Store, *jobs: JobId, midnight: float = 0.0) -> Purse:
    return await store.purses.purse(jobs, per_job=None, per_day=None, midnight=midnight)


async def deliver(store: Store, batch: BatchId, row: int, outcome: str, cost: Cost) -> None:
    (waiting,) = [each for each in await store.batches.unfinished() if each.id == batch]
    trip = (await store.deliveries.trips(batch, [row], 3))[row]
    done = Delivery(row, trip.request, outcome, None, "", usage=Usage(1, 1), cost=cost)
    await store.deliveries.deliver(waiting, [done], {}, now=20.0)


def usd(amount: str) -> Cost:
    return Cost(Decimal(amount), Decimal(amount) * 2)


@pytest.mark.parametrize(
    ("outcome", "cost", "counts"),
    [
        ("succeeded", usd("0.25"), "0.25"),
        ("succeeded", usd("0"), "0"),
        ("succeeded", UNKNOWN, "1"),
        ("lost", UNKNOWN, "1"),
        ("a kind of tomorrow", UNKNOWN, "1"),
        ("errored", UNKNOWN, "0"),
        ("expired", usd("0"), "0"),
        ("canceled", UNKNOWN, "0"),
    ],
)
async def test_what_may_have_been_charged_counts_with_its_reservation(
    store: Store, outcome: str, cost: Cost, counts: str
) -> None:
    job = await accept(store)
    batch = await plan(store)
    assert (await purse(store, job.id)).today.committed == 3 * DOLLAR
    await deliver(store, batch, 1, outcome, cost)
    found = await purse(store, job.id)
    assert from_picodollars(found.today.committed) == 2 + Decimal(counts)
    assert from_picodollars(found.jobs[job.id].committed) == 2 + Decimal(counts)
    (spent,) = await store.spending.by("day")
    assert spent.reserved + spent.cost == found.today.committed
    tally = await store.tallies.of(job.id)
    unknown = outcome not in {"errored", "expired", "canceled"} and cost == UNKNOWN
    assert (tally.cost.charged is None) == unknown
    assert spent.unpriced == unknown


@pytest.mark.parametrize("answer", ["resend", "drop"])
async def test_what_a_person_gives_up_or_sends_again_may_have_been_charged(store: Store, answer: str) -> None:
    job = await accept(store, count=2)
    batch = await plan(store)
    await deliver(store, batch, 0, "succeeded", usd("0.5"))
    (held,) = await store.batches.unfinished()
    held = await store.batches.intend(held, Intent(2, None, 1.0))
    held = await store.batches.hold(held, "nobody knows")
    if answer == "resend":
        await store.resolutions.send_rest_again(held, now=30.0)
    else:
        await store.resolutions.drop(held, "dropped")
    assert (await purse(store, job.id)).jobs[job.id].committed == 3 * DOLLAR // 2
    assert (await store.tallies.of(job.id)).cost.charged is None


async def test_what_was_surely_not_created_reserves_nothing(store: Store) -> None:
    job = await accept(store)
    await plan(store)
    (batch,) = await store.batches.unfinished()
    await store.batches.dissolve(batch)
    found = await purse(store, job.id)
    assert (found.today.committed, found.jobs[job.id].committed) == (0, 0)


def assert_rolled_up(path: Path) -> None:
    """Both roll-ups are what one would get by reading every trip, and jobs stand as their requests do."""
    columns, sums = ", ".join(rollup.COLUMNS), ", ".join(f"sum({each})" for each in rollup.COLUMNS)
    with sqlite3.connect(path) as raw:
        for table, key in (("spent", "day, sandbox, queue, model, lane"), ("job_batches", "batch, job")):
            kept = raw.execute(f"SELECT {key}, {columns} FROM {table} WHERE trips > 0")  # noqa: S608
            read = raw.execute(f"SELECT {key}, {sums} FROM charges GROUP BY {key}")  # noqa: S608
            assert {_exactly(row) for row in kept} == {_exactly(row) for row in read}
            empty = raw.execute(f"SELECT {columns} FROM {table} WHERE trips = 0").fetchall()  # noqa: S608
            assert all(not any(_exactly(row)) for row in empty)
        every = json.dumps([job for (job,) in raw.execute("SELECT id FROM jobs")])
        counted = raw.execute("SELECT job, verdict, batch IS NOT NULL, count(*) FROM requests GROUP BY 1, 2, 3")
        assert {row for row in raw.execute(rollup.COUNTS_OF_JOBS, (every,)) if row[3]} == set(counted)


def _exactly(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Money in one part: how a sum is divided between the two depends on the order in which it was made."""
    counts, money = row[:-8], row[-8:]
    return (*counts, *(micro * 1_000_000 + pico for micro, pico in zip(money[::2], money[1::2], strict=True)))


async def _made_nothing(store: Store, batch: Batch, *, refused: bool) -> None:
    if refused:
        await store.batches.refuse(await store.batches.intend(batch, Intent(batch.count, None, 1.0)), "so it was")
    else:
        await store.batches.dissolve(batch)


async def test_sums_are_those_of_the_trips_whatever_happens_to_them(store: Store, tmp_path: Path) -> None:
    draw = random.Random(7)  # noqa: S311  a history, no secret
    folders = (Ceiling("q", None), Ceiling("q", DOLLAR), None)
    jobs = [
        await accept(store, name, count=12, worst=draw.randrange(1, 10**13), ceiling=ceiling)
        for name, ceiling in zip(("q/a", "q/r/b", "c"), folders, strict=True)
    ]
    for turn in range(8):
        batch = await plan(store, now=turn * DAY / 3 + 1, most=9)
        (waiting,) = [each for each in await store.batches.unfinished() if each.id == batch]
        if draw.random() < 0.3:
            await _made_nothing(store, waiting, refused=draw.random() < 0.5)
            continue
        for row in range(waiting.count):
            outcome = draw.choice(["succeeded", "succeeded", "errored", "lost", PARKED])
            cost = UNKNOWN if draw.random() < 0.3 else usd(f"0.{draw.randrange(10**12):012}")
            await deliver(store, batch, row, outcome, cost)
        assert_rolled_up(tmp_path / "batchd.sqlite")
    with sqlite3.connect(tmp_path / "batchd.sqlite") as raw:
        by_job = dict(
            raw.execute("SELECT job, sum(committed) FROM trips JOIN requests ON requests.id = request GROUP BY job")
        )
        by_day = dict(
            raw.execute(
                """SELECT CAST(planned_at / 86400 AS INTEGER), sum(committed) FROM trips
                   JOIN batches ON batches.id = batch GROUP BY 1"""
            )
        )
        of_folder = dict(
            raw.execute(
                """SELECT CAST(planned_at / 86400 AS INTEGER), sum(committed) FROM trips
                   JOIN batches ON batches.id = trips.batch JOIN requests ON requests.id = request
                   JOIN jobs ON jobs.id = requests.job WHERE folder = 'q' GROUP BY 1"""
            )
        )
    assert sum(by_day.values()) >= sum(of_folder.values()) > 0
    for job in jobs:
        assert (await purse(store, job.id)).jobs[job.id].committed == by_job.get(job.id, 0)
    for day in range(4):
        assert (await purse(store, midnight=day * DAY)).today.committed == by_day.get(day, 0)
        found = await purse(store, *(job.id for job in jobs), midnight=day * DAY)
        assert found.folders.get("q", 0) == of_folder.get(day, 0)
        assert found.ceilings == {jobs[0].id: folders[0], jobs[1].id: folders[1]}
    whole = await store.purses.purse(
        [jobs[0].id, jobs[2].id], per_job=None, per_day=None, midnight=DAY, per_month=7, month=0.0, queues={"q": QUEUE}
    )
    by_queue = {each.group: each.cost + each.reserved for each in await store.spending.by("folder")}
    assert whole.pots[Bar.QUEUE_MONTH, "q"] == by_queue["q"]
    assert whole.pots[Bar.MONTH, ""] == sum(by_queue.values())
    assert whole.pots[Bar.QUEUE_DAY, "q"] < by_queue["q"]
    assert whole.shares[jobs[0].id] == (
        Share(Bar.QUEUE_DAY, "q", 3), Share(Bar.QUEUE_MONTH, "q", None), Share(Bar.MONTH, "", 7)
    )  # fmt: skip
    assert whole.shares[jobs[2].id] == (Share(Bar.MONTH, "", 7),)


async def test_what_a_message_cost_that_brought_nothing_is_in_the_sums(store: Store, tmp_path: Path) -> None:
    await accept(store, count=1)
    await plan(store)
    (batch,) = await store.batches.unfinished()
    await store.deliveries.note_cost(batch, Usage(7, 9), usd("0.5"), bounded=True)
    assert_rolled_up(tmp_path / "batchd.sqlite")
    (spent,) = await store.spending.by("folder")
    assert (spent.group, spent.input_tokens, spent.cost, spent.bounded) == ("", 7, DOLLAR // 2, 1)
    assert (spent.requests, spent.reserved) == (0, 0)


async def test_every_group_comes_to_the_same(store: Store) -> None:
    for name in ("legal/a", "legal/deep/b", "press/c", "d"):
        await accept(store, name)
    batch = await plan(store)
    for row in range(12):
        await deliver(store, batch, row, "succeeded", usd(f"0.{row:012}1"))
    sums = {}
    for group in GROUPS:
        found = await store.spending.by(group)
        sums[group] = (sum(each.cost for each in found), sum(each.requests for each in found))
    assert len(set(sums.values())) == 1
    assert [each.group for each in await store.spending.by("folder")] == ["", "legal", "press"]
    assert await store.spending.by("day", since=DAY) == []


async def test_the_sums_of_a_year_are_read_at_once(store: Store, tmp_path: Path) -> None:
    names, values = ", ".join(rollup.COLUMNS), ", ".join("17" for _ in rollup.COLUMNS)
    with sqlite3.connect(tmp_path / "batchd.sqlite") as raw:
        raw.execute(
            f"""WITH RECURSIVE d(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM d WHERE value < 364),
                q(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM q WHERE value < 20)
                INSERT INTO spent (day, sandbox, queue, model, lane, {names})
                SELECT d.value, 0, 'queue ' || q.value, m.value, 'batch', {values} FROM d, q,
                json_each('["sonnet", "haiku"]') AS m"""  # noqa: S608
        )
    for group in ("day", "folder", "model"):
        least = min([await _seconds(store, group) for _ in range(3)])
        assert least < 0.25, f"{group}: {least:.3f} s, which is 0.02 s on a machine that does nothing else"


async def _seconds(store: Store, group: str) -> float:
    begun = time.perf_counter()
    assert await store.spending.by(group, since=275 * DAY)
    return time.perf_counter() - begun


async def test_more_money_than_an_integer_holds_is_summed_all_the_same(store: Store) -> None:
    worst = 4_000_000 * DOLLAR
    job = await accept(store, count=6, worst=worst)
    batch = await plan(store)
    assert (await purse(store, job.id)).today.committed == 6 * worst
    await deliver(store, batch, 0, "lost", UNKNOWN)
    for row in range(1, 6):
        await deliver(store, batch, row, "succeeded", usd("4000000"))
    assert (await purse(store, job.id)).jobs[job.id].committed == 6 * worst
    (spent,) = await store.spending.by("job")
    assert (spent.cost, spent.reserved) == (5 * worst, worst)
    assert (await store.tallies.of(job.id)).usage.input_tokens == 6


async def test_a_release_during_the_packers_look_stands(store: Store) -> None:
    job = await accept(store)
    hold = {job.id: Hold("too dear", RequestId(1), Bar.JOB)}
    before = await purse(store, job.id)
    await store.holds.release(job.id, up_to=DOLLAR)
    await store.holds.hold(hold, before, now=0.0, tomorrow=DAY)
    assert (await store.jobs.get(job.id)).hold is None
    now = await purse(store, job.id)
    assert now.released == {job.id: DOLLAR}
    await store.holds.release(job.id, up_to=2 * DOLLAR)
    await store.holds.hold(hold, now, now=0.0, tomorrow=DAY)
    assert (await store.jobs.get(job.id)).hold is None
    await store.holds.hold(hold, await purse(store, job.id), now=0.0, tomorrow=DAY)
    held = await store.jobs.get(job.id)
    assert (held.hold, held.released, held.released_up_to) == ("too dear", True, 2 * DOLLAR)


async def test_no_look_reads_what_lies_behind(store: Store, tmp_path: Path) -> None:
    asked: list[str] = []
    await store.database.row("SELECT 1")
    job = await accept(store)
    assert isinstance(store.database, SqliteDatabase)
    reader = store.database._reader  # noqa: SLF001  only to hear what it is asked
    await reader.set_trace_callback(asked.append)
    await purse(store, job.id)
    await store.purses.limited()
    assert len(asked) >= 4
    told = list(asked)
    with sqlite3.connect(tmp_path / "batchd.sqlite") as raw:
        for sql in told:
            steps = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}")]
            assert not [
                step
                for step in steps
                if step.startswith("SCAN")
                and " USING " not in step
                and "json_each" not in step
                and "CONSTANT" not in step
            ], (sql, steps)
            assert not [step for step in steps if "trips" in step], (sql, steps)


async def test_a_state_from_before_has_its_sums(tmp_path: Path) -> None:
    path = tmp_path / "batchd.sqlite"
    with sqlite3.connect(path) as old:
        old.executescript((files("batchd.edges.store") / "migrations" / "001.sql").read_text("utf-8"))
        old.executescript(
            """INSERT INTO jobs (id, claim, name, source, received_at, total) VALUES (1, 'c', 'a', 'a', 0, 3);
               INSERT INTO requests (id, job, custom_id, name, model, max_tokens, betas, documents, offset, size, since)
                   SELECT value, 1, value, value, 'm', 1, '', 1, 0, 1, 0 FROM json_each('[1,2,3]');
               INSERT INTO batches (id, state, betas, count, size, nonce, planned_at)
                   VALUES (1, 'planned', '', 3, 3, 'n', 90000);
               INSERT INTO trips (batch, row, request, outcome, reserved, cost) VALUES
                   (1, 0, 1, NULL, 500, NULL), (1, 1, 2, 'succeeded', 500, 30), (1, 2, 3, 'lost', 500, NULL);
               PRAGMA user_version = 1;"""
        )
    async with open_store(path) as store:
        found = await purse(store, JobId(1), midnight=DAY)
        assert (found.today.committed, found.jobs[JobId(1)].committed) == (1030, 1030)
        (day,) = await store.spending.by("day")
        assert (day.group, day.requests, day.cost, day.reserved, day.unpriced) == ("1970-01-02", 1, 30, 1000, 1)
    assert_rolled_up(path)
