"""What people want of a job under way: cancel it, try its failures again; together with restarts."""

import json

import anyio
import pytest
from batchd.app import serve
from batchd.edges.store import DATABASE, open_store

from tests.support.house import House

pytestmark = pytest.mark.anyio


async def wish(home: House, name: str, what: str) -> None:
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named(name)
        assert job is not None
        await store.jobs.want(job.id, what)


async def until(home: House, condition: str) -> None:
    """Wait until some row of the store fulfils a condition."""
    async with open_store(home.state / DATABASE) as store:
        while await store.database.row(f"SELECT 1 FROM {condition}") is None:  # noqa: ASYNC110, S608  another process would look, too
            await anyio.sleep(0.01)


async def test_a_cancelled_job_is_stopped_at_the_api_and_keeps_what_was_paid_for(home: House) -> None:
    home.drop("a.jsonl", ["quick", "[sandbox: take 4000] slow"])
    home.drop("b.jsonl", ["other [sandbox: take 30]"], model="claude-opus-4-8", max_tokens=100_000)

    async def cancel() -> None:
        await anyio.sleep(0.3)
        await until(home, "batches WHERE state = 'processing' AND count = 2")
        await anyio.sleep(0.2)
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
    with anyio.move_on_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_run_with_a_long_linger, home)
            await anyio.sleep(0.3)
            await until(home, "jobs")
            tasks.cancel_scope.cancel()
    await wish(home, "a", "cancel")
    assert not await home.run()
    assert home.server.ledger.batches() == []
    assert home.job("a")["state"] == "cancelled"
    assert home.job("a")["requests"]["canceled"] == 2


async def _run_with_a_long_linger(home: House) -> None:
    await serve(home.settings(batch__linger=5000.0), home.key, clock=home.clock)


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
