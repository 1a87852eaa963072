"""What there is to do: one query says it, and one is all that a look costs which finds nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from batchd.edges.store import Arrival, Batches, Due, NewRequest, Store, open_store
from batchd.edges.store.arrivals import Arrivals
from batchd.edges.store.holds import Holds
from batchd.edges.store.jobs import Jobs
from batchd.edges.store.retries import Retries
from batchd.edges.store.warmings import Warmings
from batchd.model import Intent, Job, Lane, Plan, RequestId

from tests.support.house import house

NOTHING = Due(
    live=frozenset(),
    arriving=False,
    waiting=False,
    behind=False,
    cancelled=False,
    undelivered=False,
    to_retry=False,
    stepping=False,
    held=False,
    to_tell=False,
)
pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "batchd.sqlite") as opened:
        yield opened


def what(due: Due) -> set[str]:
    """The kinds that there is something of."""
    return {name for name in Due.__dataclass_fields__ if getattr(due, name)}


def request(*, first: int | None = None) -> NewRequest:
    return NewRequest("r", "r", "claude-haiku-4-5", 300, (), offset=0, size=9, first=first)


async def accepted(store: Store, *, first: int | None = None) -> Job:
    return await store.arrivals.accept(
        Arrival(claim="c", name="a", source="a.jsonl", received_at=0.0, total=1, requests=[request(first=first)])
    )


async def planned(store: Store) -> None:
    (waiting,) = await store.queue.waiting(9)
    await store.batches.plan([Plan((RequestId(waiting.id),), (), 9)], now=0.0, nonce=lambda: "n")


async def test_an_empty_store_has_nothing_to_do(store: Store) -> None:
    assert await store.agenda.due() == NOTHING


async def test_a_request_that_waits_is_told_until_it_travels(store: Store) -> None:
    await accepted(store)
    assert what(await store.agenda.due()) == {"waiting"}
    await planned(store)
    assert what(await store.agenda.due()) == {"live"}


async def test_a_job_that_lacks_requests_is_told_and_is_not_finished_before_they_are_here(store: Store) -> None:
    job = await store.arrivals.accept(
        Arrival(claim="c", name="a", source="a.jsonl", received_at=0.0, total=1, requests=[])
    )
    assert what(await store.agenda.due()) == {"arriving"}
    await store.arrivals.add(job, [request()], now=0.0)
    assert what(await store.agenda.due()) == {"waiting"}


async def test_those_that_share_a_beginning_are_told(store: Store) -> None:
    await accepted(store, first=0)
    assert what(await store.agenda.due()) == {"waiting", "behind"}


async def test_a_cancelled_job_is_told_until_it_is_delivered_and_a_finished_one_when_it_is_asked_for_again(
    store: Store,
) -> None:
    job = await accepted(store)
    await store.jobs.cancel(job.id)
    assert what(await store.agenda.due()) == {"waiting", "cancelled"}
    await store.jobs.cancel_waiting()
    assert what(await store.agenda.due()) == {"cancelled", "undelivered"}
    await store.jobs.close(job.id, 1.0)
    await store.jobs.deliver(job.id)
    assert await store.agenda.due() == NOTHING
    await store.retries.want(job.id)
    assert what(await store.agenda.due()) == {"to_retry"}


async def test_a_batch_that_waits_for_a_person_is_told_and_needs_no_courier(store: Store) -> None:
    await accepted(store)
    await planned(store)
    (batch,) = (await store.agenda.due()).live
    intended = await store.batches.intend(await store.batches.get(batch), Intent(1, None, 0.0))
    assert what(await store.agenda.due()) == {"live"}
    await store.batches.hold(intended, "nobody knows")
    assert what(await store.agenda.due()) == {"held", "to_tell"}
    assert (await store.batches.get(batch)).lane is Lane.BATCH


@pytest.mark.parametrize(
    ("room", "question"),
    [
        (Arrivals, "arriving"),
        (Jobs, "cancel_waiting"),
        (Jobs, "held"),
        (Retries, "wanted"),
        (Batches, "held"),
        (Batches, "to_cancel"),
        (Holds, "uncounted"),
        (Warmings, "cold"),
    ],
)
async def test_what_is_not_on_the_agenda_is_not_asked_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: type, question: str
) -> None:
    async def asked(*_: object) -> None:
        raise AssertionError(f"{question}: nothing said that there is any")

    monkeypatch.setattr(room, question, asked)
    async with house(tmp_path) as home:
        home.drop("a.jsonl", ["one", "two", "three"])
        assert await home.run()
