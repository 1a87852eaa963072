"""A file of more requests than one commit takes: one commit acknowledges it, the rest follows, whatever is killed."""

import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from batchd.edges.store import DATABASE, Arrival, NewRequest, Store, open_store, requests
from batchd.edges.store.facts import FLOOR_BITS
from batchd.edges.store.statements import Violation
from batchd.model import Job

from tests.faults.test_wishes import stored
from tests.support.house import House, house, run_until

pytestmark = pytest.mark.anyio

REQUESTS = 10
SLICE = 3
DYING = f"""
import os, signal, sys
from batchd.edges.store.arrivals import Arrivals
from batchd.journey import accepting, spooling
accepting.SLICE = spooling.SLICE = {SLICE}
where, left = sys.argv.pop(1), int(sys.argv.pop(1))
name = where.removeprefix("before ").removeprefix("after ")
real = getattr(Arrivals, name)
async def dying(*args, **kwargs):
    global left
    left -= 1
    if left < 0 and where.startswith("before"):
        os.kill(os.getpid(), signal.SIGKILL)
    done = await real(*args, **kwargs)
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return done
setattr(Arrivals, name, dying)
from batchd.__main__ import main
main()
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / DATABASE) as opened:
        yield opened


def new(numbers: range, **more: object) -> list[NewRequest]:
    return [NewRequest(f"r{n}", f"r{n}", "claude-haiku-4-5", 100, (), n * 10, 9, **more) for n in numbers]  # type: ignore[arg-type]  # by name


async def run_dying(home: House, where: str, calls: int) -> int:
    """Run the real command, which kills itself at a call of the store; its exit code."""
    sets = {"inbox": home.inbox, "outbox": home.outbox, "state": home.state, "api.base_url": home.server.base_url}
    flags = [word for name, value in {**sets, "intake.settle": 0}.items() for word in ("--set", f"{name}={value}")]
    words = [sys.executable, "-c", DYING, where, str(calls), "run", "--once", "--quiet", *flags]
    done = await anyio.run_process(words, env={**os.environ, "ANTHROPIC_API_KEY": home.key}, check=False)
    return done.returncode


@pytest.mark.parametrize(
    ("where", "calls"),
    [("before accept", 0), ("after accept", 0)]
    + [(f"{side} add", calls) for side in ("before", "after") for calls in range(3)],
)
async def test_killed_at_any_slice_the_file_is_one_job_with_all_its_requests(
    tmp_path: Path, where: str, calls: int
) -> None:
    async with house(tmp_path) as home:
        home.drop("a.jsonl", [f"ask {n}" for n in range(REQUESTS)])
        assert await run_dying(home, where, calls) == -signal.SIGKILL
        await home.run()
        assert home.job("a")["requests"] == {
            "total": REQUESTS, "complete": REQUESTS, "incomplete": 0, "errored": 0, "expired": 0, "canceled": 0,
            "rejected": 0,
        }  # fmt: skip
        assert home.results("a") == {f"r{n}": "succeeded" for n in range(REQUESTS)}
        assert sorted(path.name for path in home.outbox.iterdir() if path.is_dir() and path.name[0] != ".") == ["a"]
        home.assert_nothing_twice()
        assert not list((home.state / "spool").iterdir())


async def accept_first(store: Store, first: int = 2, total: int = 6) -> Job:
    requests = new(range(first), first=total - 1)
    return await store.arrivals.accept(
        Arrival(claim="large", name="large", source="large", received_at=1.0, total=total, requests=requests)
    )


async def test_requests_keep_the_order_of_their_file_whatever_is_accepted_between(store: Store, tmp_path: Path) -> None:
    large = await accept_first(store)
    await store.arrivals.accept(
        Arrival(claim="b", name="b", source="b", received_at=2.0, total=2, requests=new(range(2)))
    )
    for start in (2, 4):
        large = await store.arrivals.add(large, new(range(start, start + 2), first=5), now=3.0)
    assert large.missing == 0
    with sqlite3.connect(tmp_path / DATABASE) as looking:
        rows = looking.execute("SELECT id, custom_id, first, job FROM requests ORDER BY id").fetchall()
        primers = looking.execute("SELECT first, primer FROM warmings").fetchall()
    looking.close()
    base = rows[0][0]
    assert rows[:6] == [(base + n, f"r{n}", base + 5, large.id) for n in range(6)]
    assert [row[0] for row in rows[6:]] == [base + 6, base + 7]
    assert primers == [(base + 5, base + 5)]


async def test_the_same_slice_is_never_stored_twice(store: Store) -> None:
    large = await accept_first(store)
    await store.arrivals.add(large, new(range(2, 4)), now=3.0)
    with pytest.raises(LookupError):
        await store.arrivals.add(large, new(range(4, 6)), now=3.0)
    assert [job.missing for job in await store.arrivals.arriving()] == [2]


async def test_a_restored_state_gives_requests_that_follow_no_id_of_its_lost_life(store: Store) -> None:
    await store.facts.begin_restoring(epoch=1, intents=0)
    large = await accept_first(store)
    await store.arrivals.add(large, new(range(2, 6)), now=3.0)
    assert min(each.id for each in await store.queue.waiting(9)) >= 1 << FLOOR_BITS


async def test_what_has_not_arrived_waits_and_keeps_its_job_from_finishing(store: Store, tmp_path: Path) -> None:
    large = await accept_first(store)
    with sqlite3.connect(tmp_path / DATABASE) as settling:
        settling.execute("UPDATE requests SET verdict = 'errored'")
    settling.close()
    assert (await store.tallies.of(large.id)).waiting == 4
    (standing,) = (await store.overview.read(finished=9)).jobs
    assert standing.tally.waiting == 4
    assert await store.jobs.undelivered() == []
    with pytest.raises(Violation):  # the database itself holds it
        await store.jobs.close(large.id, 9.0)
    assert await store.facts.claim_for("one")
    assert not await store.facts.claim_for("another")


async def test_a_cancelled_job_of_many_requests_is_cancelled_slice_by_slice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "SLICE", 2)
    large = await accept_first(store, 5)
    await store.jobs.cancel(large.id)
    assert await store.jobs.cancel_waiting() == 5
    await store.arrivals.add(large, new(range(5, 6)), now=3.0)
    assert await store.jobs.cancel_waiting() == 1
    assert [job.id for job in await store.jobs.undelivered()] == [large.id]


async def test_a_large_file_leaves_no_large_log_behind(tmp_path: Path) -> None:
    log = tmp_path / "state" / f"{DATABASE}-wal"
    async with house(tmp_path) as home:
        home.drop("a.jsonl", [f"ask {n}" for n in range(3 * requests.SLICE)])
        await run_until(
            home,
            lambda: stored(home, "jobs WHERE missing = 0") and log.stat().st_size < 100_000,
            batch__linger=90_000.0,
        )
