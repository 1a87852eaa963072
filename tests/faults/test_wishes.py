"""What people want of a job under way: cancel it, try its failures again; together with restarts."""

import json
import sqlite3
from contextlib import closing

import anyio
import pytest
from batchd.edges.store import DATABASE, open_store

from tests.support.house import House, run_until, until

pytestmark = pytest.mark.anyio


async def wish(home: House, name: str, what: str) -> None:
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named(name)
        assert job is not None
        await (store.retries.want if what == "retry" else store.jobs.cancel)(job.id)


def stored(home: House, condition: str) -> bool:
    """Whether some row of the store fulfils a condition."""
    if not (home.state / DATABASE).exists():
        return False
    with closing(sqlite3.connect(home.state / DATABASE)) as database:
        try:
            return database.execute(f"SELECT 1 FROM {condition}").fetchone() is not None  # noqa: S608  our own text
        except sqlite3.OperationalError:
            return False  # it is just being made


async def test_a_cancelled_job_is_stopped_at_the_api_and_keeps_what_was_paid_for(home: House) -> None:
    home.drop("a.jsonl", ["quick", "[sandbox: take 4000] slow"])
    home.drop("b.jsonl", ["other [sandbox: take 30]"], model="claude-opus-4-8", max_tokens=100_000)

    async def cancel() -> None:
        await until(lambda: stored(home, "batches WHERE state = 'processing' AND count = 2"))
        await wish(home, "a", "cancel")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cancel)
        assert not await home.run()
    home.assert_nothing_twice()
    assert home.job("a")["state"] == "cancelled"
    assert set(home.results("a")) == {"r0", "r1"}
    assert home.results("a")["r1"] == "canceled"
    assert home.job("b")["state"] == "done"
    assert sum(entry.canceled for entry in home.server.ledger.batches()) == 1


async def test_a_job_cancelled_while_nobody_runs_is_never_sent(home: House) -> None:
    home.drop("a.jsonl", ["one", "two"])
    await run_until(home, lambda: stored(home, "jobs"), batch__linger=5_000.0)
    await wish(home, "a", "cancel")
    assert not await home.run()
    assert home.server.ledger.batches() == []
    assert home.job("a")["state"] == "cancelled"
    assert home.job("a")["requests"]["canceled"] == 2


async def test_failures_are_tried_again_in_place(home: House) -> None:
    home.drop("a.jsonl", ["[sandbox: fail overloaded_error 3] one", "two", "[sandbox: truncate] three"])
    assert not await home.run()
    before = home.lines("a")
    assert home.results("a") == {"r0": "errored", "r1": "succeeded", "r2": "succeeded"}
    await wish(home, "a", "retry")
    assert not await home.run()
    assert home.results("a") == {"r0": "succeeded", "r1": "succeeded", "r2": "succeeded"}
    assert [line for line in home.lines("a") if line["custom_id"] != "r0"] == [
        line for line in before if line["custom_id"] != "r0"
    ]
    job = home.job("a")
    assert (job["state"], job["requests"]["complete"], job["requests"]["incomplete"]) == ("partial", 2, 1)
    (left,) = home.lines("a", "failures.jsonl")
    assert left["failure"]["verdict"] == "truncated"
    assert max(home.server.ledger.billed().values()) == 1
    assert sum(json.loads(line)["attempts"] for line in (home.outbox / "a/report.jsonl").read_text().splitlines()) == 6
