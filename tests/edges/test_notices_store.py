"""Notices in the store: written with what they are about, each once, and told until each sink has them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from batchd.decisions.money.budget import Bar, Hold, Limit, Purse
from batchd.edges.store import Arrival, NewRequest, Store, open_store
from batchd.edges.store.events import FLOOD, HOLD
from batchd.model import Intent, Job, Plan, RequestId
from batchd.notice import Kind, NewNotice, Notice, Why

pytestmark = pytest.mark.anyio
DAY = 86_400.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "batchd.sqlite") as opened:
        yield opened


async def accepted(store: Store, source: str = "legal/a.jsonl", notify: tuple[str, ...] = ()) -> Job:
    request = NewRequest("r", "r", "claude-haiku-4-5", 300, (), offset=0, size=9)
    name = source.removesuffix(".jsonl")
    return await store.arrivals.accept(
        Arrival(claim=source, name=name, source=source, received_at=0.0, total=1, requests=[request], notify=notify)
    )


async def held(store: Store, job: Job, *, bar: Bar = Bar.JOB, now: float = 0.0) -> None:
    await store.holds.hold({job.id: Hold("too dear", RequestId(1), bar)}, Purse(Limit(None), {}), now=now, tomorrow=DAY)


async def told(store: Store, now: float, sinks: tuple[str, ...] = ()) -> list[Notice]:
    """Address all that is due."""
    found: list[Notice] = []
    while due := await store.notices.due(now):
        await store.notices.address(due, dict.fromkeys((each.id for each in due.standing), sinks), now=now, filed=True)
        found += due.standing
    return found


async def test_a_hold_is_told_after_a_minute_once_for_its_reason(store: Store) -> None:
    job = await accepted(store)
    await held(store, job)
    assert await told(store, 59.0) == []
    await held(store, job, now=60.0)
    (notice,) = await told(store, 60.0)
    assert (notice.kind, notice.job, notice.queue) == (Kind.JOB_HELD, job.id, "legal")
    assert notice.data["reason"] == "job"
    await held(store, job, now=2 * HOLD)
    assert await told(store, 9 * HOLD) == []
    await held(store, job, bar=Bar.DAY, now=9 * HOLD)
    assert [each.data["reason"] for each in await told(store, 11 * HOLD)] == ["day"]


async def test_a_hold_that_was_let_go_is_not_told_and_the_next_one_is(store: Store) -> None:
    job = await accepted(store)
    await held(store, job)
    await store.holds.release(job.id)
    assert await told(store, HOLD) == []
    await store.jobs.cancel(job.id)
    assert await told(store, 2 * HOLD) == []
    other = await accepted(store, "b.jsonl")
    await held(store, other)
    await store.jobs.cancel(other.id)
    assert await told(store, 2 * HOLD) == []


async def test_a_hold_that_every_result_tries_anew_is_told_all_the_same(store: Store) -> None:
    """Each delivery lets all holds go for a moment, until the packer has looked again."""
    job = await accepted(store)
    await held(store, job)
    for second in range(59):
        await store.holds.counted(RequestId(1), 1)
        await held(store, job, now=float(second))
    await store.holds.counted(RequestId(1), 1)
    assert await told(store, HOLD) == [], "just now nothing says that it is held"
    await held(store, job, now=HOLD)
    assert len(await told(store, HOLD + 5)) == 1


async def test_a_held_batch_is_told_to_each_folder_whose_jobs_travel_in_it(store: Store) -> None:
    for source in ("legal/a.jsonl", "legal/b.jsonl", "sales/c.jsonl"):
        await accepted(store, source, ("team",) if source == "sales/c.jsonl" else ())
    waiting = await store.queue.waiting(9)
    await store.batches.plan([Plan(tuple(each.id for each in waiting), (), 9)], now=0.0, nonce=lambda: "n")
    (batch,) = await store.batches.unfinished()
    intended = await store.batches.intend(batch, Intent(3, None, 0.0))
    await store.batches.hold(intended, "nobody knows: an API's own words", Why.IN_DOUBT, now=5.0)
    notices = await told(store, 5.0 + HOLD)
    assert [(each.queue, each.data["requests"], each.data["job"]) for each in notices] == [
        ("legal", 2, None),
        ("sales", 1, "sales/c"),
    ]
    assert [each.named for each in notices] == [frozenset(), {"team"}]
    assert {each.data["reason"] for each in notices} == {"create_in_doubt"}
    assert "words" not in str(notices)


async def test_a_batch_that_a_person_decided_about_in_time_is_not_told(store: Store) -> None:
    await accepted(store)
    await store.batches.plan([Plan((RequestId(1),), (), 9)], now=0.0, nonce=lambda: "n")
    (batch,) = await store.batches.unfinished()
    held_ = await store.batches.hold(await store.batches.intend(batch, Intent(1, None, 0.0)), "why", now=0.0)
    await store.resolutions.drop(held_, "no")
    assert await told(store, HOLD) == []


def rejection(number: int, queue: str = "", at: float = 0.0) -> NewNotice:
    return NewNotice(Kind.FILE_REJECTED, f"claim {queue}{number}", at, {"file": str(number), "errors": 2}, queue=queue)


async def test_a_flood_of_a_folder_is_told_in_one_and_counted_right_however_often_it_is_noted(store: Store) -> None:
    for number in (*range(200), *range(100, 200)):
        await store.notices.note_rejection(rejection(number))
    for number in range(3):
        await store.notices.note_rejection(rejection(number, "quiet"))
    at_once = await told(store, 0.0)
    assert len(at_once) == FLOOD + 3
    (summary,) = await told(store, 600.0)
    assert (summary.data["files"], summary.data["errors"]) == (180, 360)
    await store.notices.note_rejection(rejection(1_000, at=700.0))
    assert len(await told(store, 700.0)) == 1


async def test_a_sink_that_is_gone_keeps_nothing_and_what_is_old_goes(store: Store) -> None:
    await store.notices.note(NewNotice(Kind.DIGEST, "day", 0.0))
    await told(store, 0.0, ("gone", "here"))
    await store.notices.forget(["here"], 0.0)
    assert [each.sink for each in await store.notices.latest(9) if each.failed] == ["gone"]
    assert await store.notices.next_at("here") == 0.0
    await store.notices.forget(["here"], 31 * DAY)
    assert await store.notices.latest(9) == []
    await store.notices.note(NewNotice(Kind.DIGEST, "next", 31 * DAY))
    (notice,) = await told(store, 31 * DAY)
    assert notice.id == 2, "an id that a receiver has seen names no other notice"


async def test_what_is_taken_back_while_it_is_addressed_stops_nobody(store: Store) -> None:
    await store.notices.note(NewNotice(Kind.INSTRUCTIONS, "one", 0.0), NewNotice(Kind.DIGEST, "day", 0.0))
    due = await store.notices.due(0.0)
    await store.notices.dissolve(Kind.INSTRUCTIONS, "one")
    await store.notices.address(due, dict.fromkeys((1, 2), ("team",)), now=0.0, filed=True)
    assert [each.notice.kind for each in await store.notices.waiting("team", 0.0)] == [Kind.DIGEST]


async def test_no_question_of_the_notifier_reads_what_lies_behind(store: Store) -> None:
    for sql in (
        "SELECT 1 FROM notices WHERE state = 'new'",
        "SELECT * FROM notices WHERE state = 'new' AND due_at <= 1 ORDER BY id LIMIT 5",
        "SELECT * FROM notices WHERE state = 'told' AND NOT filed ORDER BY id LIMIT 5",
        "SELECT min(next_at) FROM notice_deliveries WHERE sink = 'a' AND done_at IS NULL AND failed IS NULL",
    ):
        plan = "; ".join(str(row["detail"]) for row in await store.database.rows(f"EXPLAIN QUERY PLAN {sql}"))
        assert "INDEX notice" in plan, plan


async def test_another_life_of_a_state_numbers_its_notices_above_all_lost_ones(place: Path | str) -> None:
    async with open_store(place) as store:
        for epoch in (1, 1, 2):
            await store.facts.begin_restoring(epoch=epoch, intents=0)
            await store.notices.note(NewNotice(Kind.DIGEST, f"life {epoch}", float(epoch)))
        first, second = await told(store, 9.0)
        assert (first.id, second.id >> 40) == (1 << 40, 2)
        assert await store.notices.told_of(Kind.DIGEST, "job") == frozenset()
