"""No commit is long: whatever is done to however many requests, one commit changes a few hundred of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import aiosqlite
import pytest
from batchd.claude.batch_body import new_nonce
from batchd.decisions.batch.plan import halves
from batchd.edges.store import Arrival, NewRequest, Store, open_store
from batchd.edges.store.requests import SLICE
from batchd.edges.store.sqlite import database
from batchd.errors import Unavailable
from batchd.lifecycle import State
from batchd.model import Batch, Counts, Evidence, Intent, Job, Plan, RemoteBatch, RemoteId, Sending

pytestmark = pytest.mark.anyio

MANY = 3 * SLICE + 7
A_REQUEST = 5
"""Rows that one request comes to: its own, its trip, what that adds to sums, what is known of it."""
INTENT = Intent(MANY, RemoteId("m0"), 5.0, "https://api", "org")


class Commits:
    """What each commit has changed, as SQLite counts it."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.fails_at: int | None = None

    def let_fail(self, after: int) -> None:
        """Let the disk be full, once, after so many commits more."""
        self.fails_at = len(self.rows) + after


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> Commits:
    counted, commit = Commits(), database._commit  # noqa: SLF001  where a group becomes one

    async def watched(db: aiosqlite.Connection, group: Sequence[Any]) -> Sequence[Any]:
        if counted.fails_at == len(counted.rows):
            counted.fails_at = None
            raise aiosqlite.OperationalError("database or disk is full")
        before = db.total_changes
        done = await commit(db, group)
        counted.rows.append(db.total_changes - before)
        return done

    monkeypatch.setattr(database, "_commit", watched)
    return counted


@pytest.fixture
async def store(tmp_path: Path, commits: Commits) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "batchd.sqlite") as opened:
        yield opened
        assert commits.rows
        assert max(commits.rows) <= A_REQUEST * SLICE


async def accepted(store: Store) -> Job:
    requests = [NewRequest(f"r{n}", f"r{n}", "claude-haiku-4-5", 9, (), n * 10, 9, worst=100) for n in range(MANY)]
    arrival = Arrival(claim="c", name="a", source="a", received_at=1.0, total=MANY, requests=requests[:SLICE])
    job = await store.arrivals.accept(arrival)
    for start in range(SLICE, MANY, SLICE):
        job = await store.arrivals.add(job, requests[start : start + SLICE], now=1.0)
    return job


async def planned(store: Store) -> Batch:
    waiting = await store.queue.waiting(MANY)
    await store.batches.plan([Plan(tuple(each.id for each in waiting), (), 18)], now=2.0, nonce=new_nonce)
    (batch,) = await store.batches.unfinished()
    assert (batch.state, batch.count) == (State.PLANNED, MANY)
    assert [wire.sending.request for wire in await store.trips.body(batch.id)] == [each.id for each in waiting]
    return batch


async def held(store: Store) -> Batch:
    batch = await store.batches.intend(await planned(store), INTENT)
    batch = await store.batches.adopt(batch, RemoteId("m1"), Evidence.COUNT, now=6.0, next_poll_at=7.0)
    return await store.batches.hold(batch, "why")


async def everybody_waits(store: Store) -> bool:
    return len(await store.queue.waiting(2 * MANY)) == MANY and not await store.batches.unfinished()


def asked(folder: Path, sql: str) -> list[Any]:
    with closing(connect(folder / "batchd.sqlite")) as raw:
        return [row[0] for row in raw.execute(sql)]


async def test_a_large_batch_is_planned_and_dissolved(store: Store, tmp_path: Path) -> None:
    await accepted(store)
    over = await store.batches.dissolve(await planned(store))
    assert over.state is State.DISSOLVED
    assert await everybody_waits(store)
    assert asked(tmp_path, "SELECT committed_micro + committed_pico FROM jobs") == [0]
    assert asked(tmp_path, "SELECT count(*) FROM given_up") == [0]


async def test_what_was_given_up_may_still_show(store: Store, tmp_path: Path) -> None:
    await accepted(store)
    batch = await store.batches.intend(await planned(store), INTENT)
    await store.batches.dissolve(await store.batches.give_up_looking(batch))
    assert asked(tmp_path, "SELECT count(*) FROM given_up") == [MANY]


async def test_a_large_batch_is_parted(store: Store) -> None:
    await accepted(store)
    batch = await store.batches.intend(await planned(store), INTENT)
    await store.batches.part(batch, halves(batch.count))
    waiting = await store.queue.waiting(2 * MANY)
    first, second = halves(MANY)
    assert [each.cohort for each in waiting] == [f"batch {batch.id} a"] * len(first) + [f"batch {batch.id} b"] * len(
        second
    )


async def test_a_large_batch_is_sent_again(store: Store, tmp_path: Path) -> None:
    await accepted(store)
    await store.resolutions.send_rest_again(await held(store), now=9.0)
    assert await everybody_waits(store)
    assert {each.since for each in await store.queue.waiting(MANY)} == {9.0}
    assert asked(tmp_path, "SELECT DISTINCT outcome FROM trips") == ["resent"]
    assert asked(tmp_path, "SELECT committed_micro * 1000000 + committed_pico FROM jobs") == [100 * MANY]


async def test_a_large_batch_is_dropped_and_its_job_opened_again(store: Store, tmp_path: Path) -> None:
    job = await accepted(store)
    await store.resolutions.drop(await held(store), "given up")
    assert asked(tmp_path, "SELECT DISTINCT verdict || ' ' || reason FROM requests") == ["canceled given up"]
    await store.recovered.finished(job.id, finished_at=8.0, results_length=0)
    await store.retries.want(job.id)
    assert asked(tmp_path, "SELECT count(*) FROM requests WHERE again IS NOT NULL") == [0]  # it may have been charged


@asynccontextmanager
async def finished(store: Store) -> AsyncIterator[Job]:
    job = await accepted(store)
    told = [(each.id, "errored", "", None) for each in await store.queue.waiting(MANY)]
    for start in range(0, MANY, SLICE):
        await store.recovered.settle_as_reported(told[start : start + SLICE])
    await store.recovered.finished(job.id, finished_at=8.0, results_length=0)
    yield job


async def test_a_large_job_is_opened_again(store: Store, commits: Commits) -> None:
    async with finished(store) as job:
        await store.retries.want(job.id)
        assert [each.id for each in await store.retries.wanted()] == [job.id]
        commits.let_fail(after=3)
        with pytest.raises(Unavailable):
            await store.retries.reopen(job.id, results_length=0, now=9.0)
        assert await store.queue.waiting(MANY) == []  # half of them would be sent of a job that is not open
        await store.retries.reopen(job.id, results_length=0, now=9.0)
        assert await everybody_waits(store)
        assert await store.retries.wanted() == []


async def test_what_an_interrupted_command_has_marked_is_not_wanted(store: Store, commits: Commits) -> None:
    async with finished(store) as job:
        commits.let_fail(after=3)
        with pytest.raises(Unavailable):
            await store.retries.want(job.id)
        assert await store.retries.wanted() == []
        await store.retries.want(job.id, only=["r1"])
        assert (await store.retries.superseded(job.id)).failed == {"r1"}


async def test_what_the_api_has_of_a_lost_life_is_adopted(store: Store) -> None:
    await accepted(store)
    told = RemoteBatch(RemoteId("m7"), "ended", Counts(succeeded=MANY), 6.0, ended_at=8.0, results_url="/r")
    await store.recovered.keep(told, [Sending(each.id, 3) for each in await store.queue.waiting(MANY)], "")
    assert await store.recovered.adopt(new_nonce) == 1
    (batch,) = await store.batches.unfinished()
    assert (batch.state, batch.count, batch.remote_id) == (State.ENDED, MANY, "m7")
    assert {wire.sending.number for wire in await store.trips.body(batch.id)} == {3}


@pytest.mark.parametrize("after", [1, 3])
async def test_a_batch_that_is_not_all_aboard_is_none(
    store: Store, commits: Commits, tmp_path: Path, after: int
) -> None:
    await accepted(store)
    commits.let_fail(after)
    with pytest.raises(Unavailable):
        await planned(store)
    assert await store.batches.unfinished() == []
    await store.batches.let_leave()
    assert await everybody_waits(store)
    assert asked(tmp_path, "SELECT count(*) FROM trips") == [0]
    assert (await planned(store)).count == MANY


@pytest.mark.parametrize("after", [1, 3])
async def test_what_a_person_has_decided_holds_for_all_of_a_batch(
    store: Store, commits: Commits, tmp_path: Path, after: int
) -> None:
    await accepted(store)
    batch = await held(store)
    commits.let_fail(after)
    with pytest.raises(Unavailable):
        await store.resolutions.drop(batch, "given up")
    await store.batches.let_leave()
    assert asked(tmp_path, "SELECT DISTINCT verdict || ' ' || reason FROM requests") == ["canceled given up"]
    assert asked(tmp_path, "SELECT DISTINCT outcome FROM trips") == ["dropped"]


async def test_a_request_that_is_cancelled_meanwhile_stays_behind(store: Store) -> None:
    await accepted(store)
    waiting = await store.queue.waiting(MANY)
    await store.recovered.settle_as_reported([(waiting[SLICE].id, "canceled", "", None)])
    await store.batches.plan([Plan(tuple(each.id for each in waiting), (), 18)], now=2.0, nonce=new_nonce)
    (batch,) = await store.batches.unfinished()
    sent = [wire.sending.request for wire in await store.trips.body(batch.id)]
    assert sent == [each.id for each in waiting if each.id != waiting[SLICE].id]
    assert batch.count == len(sent)


async def test_small_batches_begin_together(store: Store, commits: Commits) -> None:
    await accepted(store)
    ids = [each.id for each in await store.queue.waiting(MANY)]
    before = len(commits.rows)
    plans = [Plan((each,), (), 18) for each in ids[:SLICE]]
    await store.batches.plan(plans, now=2.0, nonce=new_nonce)
    assert len(await store.batches.unfinished()) == SLICE
    assert len(commits.rows) - before < SLICE / 50
