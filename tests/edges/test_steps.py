"""Steps in the store: one is taken once, for a job that still stands as it did when that was decided."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from batchd.edges.store import Arrival, NewRequest, Store, open_store
from batchd.edges.store.statements import update
from batchd.edges.store.steps import Taken
from batchd.model import Answered, Job, Step, StepBar, Steps

pytestmark = pytest.mark.anyio

STEPS = Steps(steps=(Step(name="outline"), Step(name="chapters", each=("outline", "chapters")), Step(name="book")))


def request(name: str, step: int) -> NewRequest:
    return NewRequest(name, name, "claude-haiku-4-5", 300, (), offset=0, size=9, step=step)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "batchd.sqlite") as opened:
        yield opened


async def answered(store: Store) -> Job:
    """A job whose outline is complete."""
    job = await store.arrivals.accept(
        Arrival(
            claim="c", name="a", source="a.job", received_at=0.0, total=1, requests=[request("outline", 0)], steps=STEPS
        )
    )
    assert not await store.steps.due()
    await store.database.write(lambda db: update(db, "UPDATE requests SET verdict = 'complete'"))
    return job


CHAPTERS = Taken(left=1, later=0, open=False, requests=[request("chapters/1", 1), request("chapters/2", 1)])


async def test_a_step_is_taken_once(store: Store) -> None:
    job = await answered(store)
    assert [each.id for each in await store.steps.due()] == [job.id]
    assert await store.steps.take(job, CHAPTERS, now=1.0)
    assert not await store.steps.take(job, CHAPTERS, now=1.0), "it stands otherwise by now"
    assert not await store.steps.due()
    assert await store.steps.standing(job.id) == {0: Answered(1, 1, 0), 1: Answered(2, 0, 2)}
    now = await store.jobs.get(job.id)
    assert (now.total, now.steps_left) == (3, 1)
    assert not await store.jobs.undelivered()


@pytest.mark.parametrize("wish", ["cancel", "hold", "retry"])
async def test_what_a_person_wants_meanwhile_comes_first(store: Store, wish: str) -> None:
    job = await answered(store)
    if wish == "cancel":
        await store.jobs.cancel(job.id)
    elif wish == "retry":
        await store.retries.want(job.id, only=["outline"])
    else:
        assert await store.steps.hold(job, "why", StepBar.ANSWERS, now=1.0)
    assert not await store.steps.take(job, CHAPTERS, now=1.0)
    assert not await store.steps.due()


async def test_a_release_lets_pass_what_was_begun(store: Store) -> None:
    job = await answered(store)
    assert await store.steps.take(job, CHAPTERS, now=1.0)
    job = await store.jobs.get(job.id)
    for bar, passed in ((StepBar.MONEY, 0), (StepBar.ANSWERS, 2), (StepBar.PROMPTS, 3)):
        assert await store.steps.hold(job, "why", bar, now=1.0)
        assert (await store.jobs.get(job.id)).step_bar is bar
        await store.steps.release(job.id)
        found = await store.jobs.get(job.id)
        assert (found.step_bar, found.hold, found.steps_passed) == (None, None, passed)
    assert not await store.steps.hold(replace(job, total=9), "why", StepBar.MONEY, now=1.0)
