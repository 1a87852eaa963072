"""The store on a real SQLite file: what is acknowledged is there, and what must not be cannot be stored."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, nullcontext
from decimal import Decimal
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.claude.batch_body import new_nonce
from batchd.decisions.batch.plan import halves
from batchd.delivery import Delivery, Filed
from batchd.edges.store import Arrival, CountTaken, NewRequest, Place, Stale, Store, open_store
from batchd.edges.store.postgresql import database as postgresql_rooms
from batchd.edges.store.sqlite import database as sqlite_rooms
from batchd.edges.store.sqlite.database import LONG
from batchd.edges.store.statements import Transaction, Violation, update
from batchd.edges.store.views import reports
from batchd.errors import Defect, Unavailable, Unusable
from batchd.lifecycle import STEPS, State
from batchd.model import (
    BatchId,
    Cost,
    Counts,
    Evidence,
    Intent,
    Job,
    JobId,
    Plan,
    RemoteBatch,
    RemoteId,
    RequestId,
    Usage,
    Verdict,
)
from batchd.text.strictjson import encode

pytestmark = pytest.mark.anyio

of_sqlite = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
"""Of a test that looks into the file itself."""
INTENT = Intent(1, None, 1.0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    async with open_store(place) as opened:
        yield opened


def requests(count: int) -> list[NewRequest]:
    return [NewRequest(f"r{n}", f"r{n}", "claude-haiku-4-5", 100, (), n * 10, 9) for n in range(count)]


async def accept(store: Store, count: int = 3, claim: str = "claim-1", name: str = "nightly/a") -> Job:
    return await store.arrivals.accept(
        Arrival(
            claim=claim, name=name, source=f"{name}.jsonl", received_at=1000.0, total=count, requests=requests(count)
        )
    )


async def plan_all(store: Store) -> None:
    waiting = await store.queue.waiting(1000)
    plan = Plan(tuple(each.id for each in waiting), (), sum(each.size for each in waiting))
    await store.batches.plan([plan], now=1001.0, nonce=new_nonce)


async def test_a_file_is_accepted_once_with_all_its_requests(store: Store) -> None:
    first, again = await accept(store), await accept(store)
    assert first == again
    assert len(await store.queue.waiting(10)) == 3
    tally = await store.tallies.of(first.id)
    assert (tally.waiting, tally.travelling, tally.settled) == (3, 0, 0)


async def test_a_job_of_which_one_request_cannot_be_stored_is_not_stored_at_all(store: Store) -> None:
    twice = [*requests(2), requests(1)[0]]
    with pytest.raises(Violation):
        await store.arrivals.accept(Arrival(claim="c", name="n", source="s", received_at=0.0, total=3, requests=twice))
    assert await store.jobs.of_claim("c") is None
    assert await store.queue.waiting(10) == []


async def test_two_jobs_never_share_a_folder_whatever_the_case(store: Store) -> None:
    await accept(store)
    with pytest.raises(Violation):
        await accept(store, claim="claim-2", name="NIGHTLY/A")


async def test_one_failing_step_does_not_fail_those_that_share_its_commit(store: Store) -> None:
    await accept(store)
    failed = []

    async def clash() -> None:
        try:
            await accept(store, claim="claim-2")
        except Violation as error:
            failed.append(error)

    async with anyio.create_task_group() as tasks:
        for n in range(5):
            tasks.start_soon(clash)
            tasks.start_soon(accept, store, 2, f"claim-x{n}", f"name-{n}")
    assert len(failed) == 5
    assert all([await store.jobs.named(f"name-{n}") for n in range(5)])


async def test_a_planned_request_waits_no_more_and_sits_in_one_batch(store: Store) -> None:
    await accept(store)
    await plan_all(store)
    assert await store.queue.waiting(10) == []
    assert await store.queue.queued() == {"": 3}
    await store.batches.plan([Plan((RequestId(1),), (), 9)], now=0.0, nonce=new_nonce)
    assert await store.queue.queued() == {"": 3}


async def test_a_batch_moves_only_along_the_table_and_only_from_where_it_is(store: Store) -> None:
    await accept(store)
    await plan_all(store)
    (batch,) = await store.batches.unfinished()
    with pytest.raises(ValueError, match="never becomes"):
        await store.batches.settle(batch)
    moved = await store.batches.intend(batch, INTENT)
    with pytest.raises(Stale):
        await store.batches.intend(batch, INTENT)
    assert (await store.batches.get(batch.id)) == moved


@of_sqlite
async def test_the_database_itself_refuses_what_must_not_be(store: Store, tmp_path: Path) -> None:
    await accept(store)
    await plan_all(store)
    db = sqlite3.connect(tmp_path / "batchd.sqlite")
    for change in (
        "UPDATE batches SET state = 'lost'",
        "UPDATE batches SET state = 'processing'",
        "UPDATE batches SET state = 'intended'",
        "UPDATE batches SET remote_id = 'msgbatch_1'",
        "UPDATE requests SET verdict = 'complete'",
        "UPDATE requests SET batch = NULL, verdict = 'fine'",
        "UPDATE jobs SET delivered = 1",
        "UPDATE jobs SET total = 0",
        "UPDATE requests SET size = 'many'",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(change)
    db.close()


async def test_two_unresolved_batches_never_share_a_count(store: Store) -> None:
    await accept(store, count=2)
    await accept(store, count=2, claim="claim-2", name="b")
    for requests_ in ((1, 2), (3, 4)):
        plan = Plan(tuple(map(RequestId, requests_)), (), 18)
        await store.batches.plan([plan], now=0.0, nonce=new_nonce)
    first, second = await store.batches.unfinished()
    first = await store.batches.intend(first, INTENT)
    assert await store.batches.count_taken(second)
    assert not await store.batches.count_taken(first)
    with pytest.raises(CountTaken):
        await store.batches.intend(second, INTENT)
    first = await store.batches.adopt(first, RemoteId("m1"), Evidence.COUNT, now=1.0, next_poll_at=2.0)
    second = await store.batches.intend(second, INTENT)
    ended = await store.batches.end(first, RemoteBatch(RemoteId("m1"), "ended", Counts(), 1.0))
    gave_back = await store.batches.give_back(ended)
    assert (gave_back.state, second.state) == (State.INTENDED, State.INTENDED)


async def test_a_refused_batch_is_cut_in_two_until_the_bad_request_stands_alone(store: Store) -> None:
    job = await accept(store, count=3)
    await plan_all(store)
    (batch,) = await store.batches.unfinished()
    batch = await store.batches.intend(batch, INTENT)
    await store.batches.part(batch, halves(batch.count))
    waiting = await store.queue.waiting(10)
    assert [each.cohort for each in waiting] == ["batch 1 a", "batch 1 b", "batch 1 b"]
    await store.batches.plan([Plan((waiting[0].id,), (), 9)], now=0.0, nonce=new_nonce)
    (alone,) = await store.batches.unfinished()
    alone = await store.batches.intend(alone, INTENT)
    await store.batches.refuse(alone, "invalid_request_error: no")
    assert (await store.tallies.of(job.id)).verdicts == {Verdict.ERRORED: 1}
    assert len(await store.queue.waiting(10)) == 2


async def test_a_delivery_counts_once_and_money_sums_exactly(store: Store) -> None:
    job = await accept(store)
    await plan_all(store)
    (batch,) = await store.batches.unfinished()
    cost = Cost(Decimal("0.000001234567"), Decimal("0.1"))
    delivery = Delivery(0, RequestId(1), "succeeded", Verdict.COMPLETE, "", "end_turn", Usage(5, 7, 1, 2, 3), cost)
    lost = Delivery(1, RequestId(2), "expired", None, "")
    for _ in range(2):
        await store.deliveries.deliver(batch, [delivery, lost], {job.id: 100}, now=5.0)
    tally = await store.tallies.of(job.id)
    assert (tally.waiting, tally.travelling, tally.verdicts) == (1, 1, {Verdict.COMPLETE: 1})
    assert tally.cost == cost
    assert tally.usage == Usage(5, 7, 1, 2, 3)
    assert await store.deliveries.undelivered(batch.id) == 1
    trips = await store.deliveries.trips(batch.id, [0, 1, 2, 99], 3)
    assert {row: trip.delivered for row, trip in trips.items()} == {0: True, 1: True, 2: False}
    assert trips[2].attempts_left == 2


async def test_an_unknown_price_makes_the_sum_unknown_and_never_zero(store: Store) -> None:
    job = await accept(store)
    await plan_all(store)
    (batch,) = await store.batches.unfinished()
    known = Delivery(0, RequestId(1), "succeeded", Verdict.COMPLETE, "", cost=Cost(Decimal(1), Decimal(2)))
    unknown = Delivery(1, RequestId(2), "succeeded", Verdict.COMPLETE, "")
    await store.deliveries.deliver(batch, [known, unknown], {}, now=5.0)
    assert (await store.tallies.of(job.id)).cost == Cost(None, None)


async def test_a_newer_database_and_one_that_is_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.sqlite"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 999")
    db.close()
    for file, said in ((path, "newer batchd"), (Path(__file__), "cannot be used")):
        with pytest.raises(ExceptionGroup) as raised:
            async with anyio.create_task_group(), open_store(file):
                pass
        assert raised.group_contains(Unusable, match=said)


LANDED = {
    "001.sql": "4c49c02d53c3e44dee02bb154e4bb043c8499a7e137db81fb7dd70e837197965",
    "002.sql": "fe374cc1dc092203e551d0c7e9aff896a291e518e6103d194e353b4c7b0627b0",
    "003.sql": "7e7467d1a6918fb512a2c9faea38066b2c02b937bc69fa0e517320c1fe7bb851",
}
"""Migrations that some installation has run, by their SHA-256: a change to one would reach new installations only."""


def test_a_migration_that_has_landed_is_never_rewritten() -> None:
    folder = files("batchd.edges.store") / "migrations"
    assert {name: sha256((folder / name).read_bytes()).hexdigest() for name in LANDED} == LANDED


STATES_OF_001 = """
    INSERT INTO jobs (claim, name, source, received_at, total) VALUES ('c', 'a', 'a.jsonl', 1.0, 6);
    INSERT INTO batches (id, state, betas, count, size, nonce, attempt, planned_at, body_sha256, baseline_id,
                         baseline_time, doubted_at, remote_id, evidence, submitted_at, expires_at, next_poll_at)
    VALUES (1, 'planned', '', 1, 9, 'n1', 1, 1.0, 'x', 'b0', 1.0, 2.0, NULL, NULL, 3.0, 4.0, 5.0),
           (2, 'intended', '', 1, 9, 'n2', 1, 1.0, 'x', NULL, 1.0, 2.0, NULL, NULL, 3.0, 4.0, 5.0),
           (3, 'processing', '', 1, 9, 'n3', 1, 1.0, 'x', 'b0', 1.0, 2.0, 'm3', 'answer', 3.0, 4.0, 5.0),
           (4, 'ended', '', 1, 9, 'n4', 1, 1.0, 'x', 'b0', 1.0, 2.0, 'm4', 'count', 3.0, 4.0, 5.0),
           (5, 'held', '', 1, 9, 'n5', 1, 1.0, 'x', 'b0', 1.0, 2.0, NULL, NULL, 3.0, 4.0, 5.0),
           (6, 'settled', '', 1, 9, 'n6', 1, 1.0, 'x', 'b0', 1.0, 2.0, 'm6', 'nonce', 3.0, 4.0, 5.0);
    INSERT INTO requests (id, job, custom_id, name, model, max_tokens, betas, documents, offset, size, since, batch)
    SELECT id, 1, 'r' || id, 'r' || id, 'm', 9, '', 1, 0, 9, 1.0, id FROM batches;
    INSERT INTO trips (batch, row, request) SELECT id, 0, id FROM batches;
    INSERT INTO disproved (batch, remote_id) VALUES (2, 'm9');
"""


async def test_a_state_of_the_first_schema_with_work_under_way_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "batchd.sqlite"
    db = sqlite3.connect(path)
    db.executescript((files("batchd.edges.store") / "migrations" / "001.sql").read_text("utf-8"))
    db.executescript(STATES_OF_001)
    db.execute("PRAGMA user_version = 1")
    db.close()
    async with open_store(path) as store:
        batches = {batch.id: batch for batch in await store.batches.unfinished()}
        assert [str(batches[BatchId(n)].state) for n in range(1, 6)] == [
            "planned", "intended", "processing", "ended", "held"
        ]  # fmt: skip
        assert [batches[BatchId(n)].remote_id for n in range(1, 6)] == [None, None, "m3", "m4", None]
        assert [batches[BatchId(n)].next_poll_at for n in range(1, 6)] == [None, None, 5.0, None, None]
        intent = batches[BatchId(1)].intent
        assert intent is not None
        assert intent.baseline_id == "b0"
        assert await store.remotes.disproved(BatchId(2)) == {"m9"}
        assert [row.place.size for row in await store.trips.body(BatchId(2))] == [9]


ASKED = {
    "documents": False,
    "lane": "sync",
    "cache": "auto",
    "files": True,
    "expect": {"ends_with": "\u00fc, 'end'", "json": {"enum": [None, 1.5]}},
    "budget": 0.5,
}


async def test_what_was_asked_of_a_request_of_the_first_schema_is_still_asked(tmp_path: Path) -> None:
    path = tmp_path / "batchd.sqlite"
    db = sqlite3.connect(path)
    db.executescript((files("batchd.edges.store") / "migrations" / "001.sql").read_text("utf-8"))
    db.executescript("""
        INSERT INTO jobs (claim, name, source, received_at, total) VALUES ('c', 'a', 'a.jsonl', 1.0, 2);
        INSERT INTO requests (job, custom_id, name, model, max_tokens, betas, documents, offset, size, since, verdict)
        VALUES (1, 'bare', 'bare', 'm', 9, '', 1, 0, 9, 1.0, 'errored'),
               (1, 'all', 'all', 'm', 9, 'b,c', 0, 0, 9, 1.0, 'errored')
    """)
    db.execute(
        """UPDATE requests SET lane = 'sync', cache = 1, files = 1, expect = ?, budget = 500000000000, rounds = 2,
               filed = '[["a.md"], []]' WHERE id = 2""",
        (encode(ASKED["expect"]).decode(),),
    )
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    async with open_store(path) as store:
        pages = [page async for page in store.reports.read(JobId(1))]
        assert [row.settings for row in pages[0]] == [{"continue": 0}, {"continue": 2, "betas": ["b", "c"], **ASKED}]
        assert list(pages[0][1].settings) == ["continue", "betas", *ASKED]
        assert [row.filed for row in pages[0]] == [None, Filed(("a.md",))]


@of_sqlite
async def test_a_report_reads_each_request_once_in_the_order_of_the_file_however_many_pages_it_has(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "PAGE", 2)
    for name in "ab":
        await accept(store, 5, f"claim-{name}", name)
    with closing(sqlite3.connect(tmp_path / "batchd.sqlite")) as database, database:
        database.execute("UPDATE requests SET verdict = 'complete'")
        # As the requests of two files lie that are stored by turns.
        database.execute(
            "UPDATE requests SET job = 3 - job, custom_id = custom_id || '-' || job, name = id WHERE id IN (2, 7, 9)"
        )
    pages = [[row.custom_id for row in page] async for page in store.reports.read(JobId(1))]
    assert pages == [["r0", "r2"], ["r3", "r4"], ["r1-2", "r3-2"]]
    plan = await store.database.rows(
        f"EXPLAIN QUERY PLAN {reports.READ.format(reports.BY_ID, 'id')}",
        *(1, 1, 9, 2),
    )
    (within, *_) = [row["detail"] for row in plan]
    assert within.startswith("SEARCH requests USING INTEGER PRIMARY KEY"), "no page sorts the whole job"


async def test_several_processes_may_make_the_same_database_at_one_time(tmp_path: Path) -> None:
    """Found by generated histories: a command that looked while the daemon started for the first time."""
    opened = []

    async def open_one() -> None:
        async with open_store(tmp_path / "new.sqlite") as store:
            opened.append(await store.jobs.all_delivered())

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(open_one)
    assert opened == [True] * 8


@of_sqlite
async def test_a_database_that_another_holds_makes_the_work_wait_and_not_fail(store: Store, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "batchd.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        await accept(store)
    other.execute("ROLLBACK")
    other.close()
    assert (await accept(store)).id == JobId(1)


@of_sqlite
async def test_the_log_is_given_back_unless_another_process_reads(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "batchd.sqlite-wal"
    await accept(store, count=500)
    assert log.stat().st_size
    with sqlite3.connect(tmp_path / "batchd.sqlite") as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM requests").fetchone() == (500,)
        await accept(store, count=1, claim="claim-2", name="b")
        assert not await store.database.give_back_log()
        await accept(store, count=1, claim="claim-3", name="c")
        other.rollback()
    assert await store.database.give_back_log()
    assert not log.stat().st_size
    assert await store.jobs.named("c")


def test_every_step_of_the_table_has_its_reason() -> None:
    assert all(why for following in STEPS.values() for why in following.values())


async def test_what_is_stored_for_many_at_once_is_each_ones_own(store: Store, place: Place) -> None:
    """More than fit one statement, and not a multiple of what does."""
    count = 64 + 2 * 8 + 3
    nul = "\0" if isinstance(place, Path) else ""  # there is none in a text of PostgreSQL
    job = await accept(store, count=count)
    waiting = await store.queue.waiting(count)
    assert [each.id for each in waiting] == list(range(1, count + 1))
    plan = Plan(tuple(each.id for each in reversed(waiting)), (), 1)
    await store.batches.plan([plan], now=1001.0, nonce=new_nonce)
    (batch,) = await store.batches.unfinished()
    sent = [row.sending for row in await store.trips.body(batch.id)]
    assert [each.request for each in sent] == list(plan.requests)
    assert {each.number for each in sent} == {1}
    deliveries = [
        Delivery(
            row,
            request,
            "succeeded",
            Verdict.COMPLETE,
            f"because {request}",
            usage=Usage(row, 2 * row),
            document=f"documents/{request}{nul}.md",
        )
        for row, request in enumerate(plan.requests)
    ]
    await store.deliveries.deliver(batch, deliveries, {job.id: 7}, now=1002.0)
    rows = await store.database.rows(
        """SELECT row, request, outcome, input_tokens, output_tokens, reason, document, requests.batch, verdict
           FROM trips JOIN requests ON requests.id = request ORDER BY row"""
    )
    assert [tuple(row) for row in rows] == [
        (n, r, "succeeded", n, 2 * n, f"because {r}", f"documents/{r}{nul}.md", None, "complete")
        for n, r in enumerate(plan.requests)
    ]


async def test_a_step_that_fails_leaves_nothing_whether_it_is_alone_or_not(store: Store) -> None:
    async def begin(db: Transaction) -> None:
        await update(db, "INSERT INTO facts VALUES ('begun', 'x')")
        raise LookupError("planted")

    async def note(db: Transaction) -> None:
        await update(db, "INSERT INTO facts VALUES ('noted', 'x')")

    with pytest.raises(LookupError, match="planted"):
        await store.database.write(begin)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.database.write, note)

        async def fails() -> None:
            with pytest.raises(LookupError, match="planted"):
                await store.database.write(begin)

        tasks.start_soon(fails)
    rows = await store.database.rows("SELECT name FROM facts WHERE name IN ('begun', 'noted')")
    assert [row["name"] for row in rows] == ["noted"]


async def test_steps_that_are_long_share_no_commit(store: Store) -> None:
    came: list[str] = []

    async def write(number: int) -> None:
        async def step(db: Transaction) -> None:
            came.append(f"began {number}")
            await update(db, "INSERT INTO facts VALUES (?, 'x')", f"step {number}")
            await anyio.sleep(LONG)

        await store.database.write(step)
        came.append(f"stored {number}")

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(write, number)
    assert came.index("stored 0") < came.index("began 3")
    rows = await store.database.rows("SELECT name FROM facts WHERE name LIKE 'step %'")
    assert sorted(row["name"] for row in rows) == [f"step {number}" for number in range(4)]


@pytest.mark.parametrize("when", ["before", "behind"])
async def test_a_defect_of_a_commit_is_told_to_those_who_wait_for_it_and_stops_no_other(
    place: Place, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """What was committed before it is not told to have failed."""
    rooms = sqlite_rooms if isinstance(place, Path) else postgresql_rooms
    commit, behind = vars(rooms)["_commit"], when == "behind"

    async def commit_with_a_defect(*given: Any) -> Any:
        monkeypatch.setattr(rooms, "_commit", commit)
        if behind:
            await commit(*given)
        raise KeyError

    async def note(db: Transaction) -> None:
        await update(db, "INSERT INTO facts (name, value) VALUES ('noted', '1')")

    async with open_store(place) as store:
        monkeypatch.setattr(rooms, "_commit", commit_with_a_defect)
        with nullcontext() if behind else pytest.raises(Defect, match="KeyError"):
            await store.database.write(note)
        assert await store.facts.number("noted") == int(behind)
        await store.facts.note_settings("wrong")
        assert await store.facts.wrong_settings() == "wrong"
