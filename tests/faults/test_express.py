"""The sync lane: answered at once, and under every fault whole, continued, or left to a person."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.edges.store import DATABASE, open_store

from tests.support.house import House, at_work, house, run_and_kill, run_until, until

pytestmark = pytest.mark.anyio


def drop(home: House, name: str, prompts: list[str], *, job: dict[str, Any] | None = None, **params: Any) -> None:
    settings = {"lane": "sync", "model": "claude-haiku-4-5", "max_tokens": 2000, **(job or {})}
    lines = [
        {"custom_id": f"r{n}", "params": {"messages": [{"role": "user", "content": prompt}], **params}}
        for n, prompt in enumerate(prompts)
    ]
    (home.inbox / name).write_text("\n".join(map(json.dumps, [{"job": settings}, *lines])))


def messages(home: House) -> Counter[str]:
    """How each message at the API ended."""
    return Counter(each.status for each in home.server.ledger.messages())


async def held(home: House) -> list[int]:
    async with open_store(home.state / DATABASE) as store:
        return list(await store.answers.held())


async def test_it_answers_at_once_with_the_same_files_at_the_full_price(home: House) -> None:
    prompts = [f"Say number {n}. [sandbox: words 40]" for n in range(10)]
    drop(home, "now.jsonl", prompts)
    drop(home, "later.jsonl", prompts, job={"lane": "batch"})
    assert await home.run()
    now, later = home.job("now"), home.job("later")
    assert now["state"] == later["state"] == "done"
    assert now["usage"] == later["usage"]
    assert now["cost_usd"] == now["standard_cost_usd"] == later["standard_cost_usd"] == 2 * later["cost_usd"]
    for line in home.lines("now", "report.jsonl"):
        text = (home.outbox / "now" / line["document"]).read_text("utf-8")
        assert text == (home.outbox / "later" / line["document"]).read_text("utf-8")
    assert all(each.startswith("msg_") for each in now["batches"])
    assert sum(entry.count for entry in home.server.ledger.batches()) == 10
    assert messages(home) == {"whole": 10}
    home.assert_nothing_of_messages_twice()
    assert not list((home.state / "streams").iterdir())


async def test_only_so_many_are_under_way_at_one_time(home: House) -> None:
    drop(home, "a.jsonl", [f"{n} [sandbox: take 0.3]" for n in range(8)])
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            seen: list[int] = []
            tasks.start_soon(watch_messages, home, seen)
            assert await home.run(sync__concurrency=3)
            tasks.cancel_scope.cancel()
    assert max(seen) == 3
    assert messages(home) == {"whole": 8}


async def watch_messages(home: House, seen: list[int]) -> None:
    while True:
        under_way = [each for each in home.server.ledger.messages() if each.status == "cut"]
        seen.append(len(under_way))
        await anyio.sleep(0.01)


@pytest.mark.parametrize("kind", ["cut", "error_event", "unfinished"])
async def test_an_answer_that_breaks_off_is_continued_to_the_same_text(home: House, kind: str) -> None:
    prompt = "Write at length. [sandbox: words 600]"
    drop(home, "whole.jsonl", [prompt], job={"lane": "batch"})
    home.fault("message", kind, at=4_000, status=529)
    drop(home, "broken.jsonl", [prompt])
    assert await home.run()
    assert (home.outbox / "broken/documents/r0.md").read_text() == (home.outbox / "whole/documents/r0.md").read_text()
    (line,) = home.lines("broken", "report.jsonl")
    assert line["rounds"] == 2
    assert line["chain"][0]["stop_reason"] is None
    assert messages(home) == {"cut": 1, "whole": 1} if kind == "cut" else messages(home).total() == 2
    home.assert_nothing_of_messages_twice()


async def test_an_answer_that_breaks_off_and_may_not_go_on_is_called_truncated(home: House) -> None:
    home.fault("message", "cut", at=4_000)
    drop(home, "a.jsonl", ["Write at length. [sandbox: words 600]"], job={"continue": 0})
    assert not await home.run()
    (line,) = home.lines("a", "report.jsonl")
    assert line["verdict"] == "truncated"
    assert "broke off" in line["reason"]
    assert line["output_tokens"] > 100
    assert (home.outbox / "a" / line["document"]).stat().st_size > 500


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 529},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 429, "retry_after": 2.0},
        {"kind": "error_event", "status": 529, "at": 0},
        {"kind": "spend_cap"},
        {"kind": "status", "status": 401},
    ],
)
async def test_what_the_api_says_it_did_not_do_is_done_later(home: House, fault: dict[str, Any]) -> None:
    home.fault("message", times=2, **fault)
    drop(home, "a.jsonl", ["Hello"])
    assert await home.run(seconds=60)
    assert home.job("a")["state"] == "done"
    assert sum(each.status == "whole" for each in home.server.ledger.messages()) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "close_late"},
        {"kind": "reset"},
        {"kind": "silence", "seconds": 0.1},
        {"kind": "status", "status": 504},
        {"kind": "html", "status": 502},
        {"kind": "cut", "at": 300},
    ],
)
async def test_what_nobody_can_know_is_left_to_a_person_and_keeps_no_other(home: House, fault: dict[str, Any]) -> None:
    home.fault("message", **fault)
    drop(home, "a.jsonl", ["Hello [sandbox: words 50]"])
    drop(home, "b.jsonl", ["Hello you [sandbox: words 50]"], job={"lane": "batch"})
    assert not await home.run()
    assert home.job("b")["state"] == "done"
    (batch,) = await held(home)
    told = json.loads((home.outbox / "a" / "held.json").read_text())
    assert "first word" in told["reason"]
    assert told["batches"][0]["answers"] == [f"batchd resolve {batch} --resend", f"batchd resolve {batch} --drop"]
    before = len(home.server.ledger.messages())
    assert not await home.run()
    assert len(home.server.ledger.messages()) == before
    async with open_store(home.state / DATABASE) as store:
        await store.answers.resend((await store.batches.get((await store.answers.held())[0])).id, now=home.clock.now())
    assert await home.run()
    assert home.job("a")["state"] == "done"
    assert not (home.outbox / "a" / "held.json").exists()


async def test_a_refusal_is_the_requests_own(home: House) -> None:
    drop(home, "a.jsonl", ["[sandbox: fail invalid_request_error 9]", "Hello"])
    assert not await home.run()
    assert home.job("a")["requests"]["complete"] == 1
    assert home.job("a")["requests"]["errored"] == 1


async def test_what_was_written_when_the_daemon_ended_is_kept_and_continued(tmp_path: Path) -> None:
    prompt = "Write at length. [sandbox: words 900] [sandbox: take 3]"
    async with house(tmp_path) as home:
        drop(home, "a.jsonl", [prompt])

        def half() -> bool:
            streams = list((home.state / "streams").glob("*")) if (home.state / "streams").exists() else []
            return any(each.stat().st_size > 4_000 for each in streams)

        await run_until(home, half)
        assert await home.run()
        (line,) = home.lines("a", "report.jsonl")
        assert line["verdict"] == "complete"
        assert line["rounds"] == 2
        assert messages(home) == {"cut": 1, "whole": 1}
        home.assert_nothing_of_messages_twice()
        drop(home, "b.jsonl", [prompt], job={"lane": "batch"})
        assert await home.run()
        whole = (home.outbox / "b/documents/r0.md").read_text()
        assert (home.outbox / "a/documents/r0.md").read_text() == whole


async def test_a_cancelled_job_sends_nothing_more(home: House) -> None:
    drop(home, "a.jsonl", [f"{n} [sandbox: take 1]" for n in range(12)])

    async def cancel() -> None:
        async with open_store(home.state / DATABASE) as store:
            job = await store.jobs.named("a")
            assert job is not None
            await store.jobs.want(job.id, "cancel")

    async with at_work(home):
        await until(home.server.ledger.messages)
        await cancel()
    job = home.job("a")
    assert job["state"] == "cancelled"
    assert 0 < job["requests"]["complete"] < 12
    assert len(home.server.ledger.messages()) == job["requests"]["complete"]


async def test_a_budget_holds_for_both_lanes(home: House) -> None:
    job = {"budget": 0.0060, "continue": 0}  # each may cost $0.0100 by itself, and half of that in a batch
    drop(home, "a.jsonl", ["Hello", "Hello you"], job=job)
    drop(home, "b.jsonl", ["Hello", "Hello you"], job={**job, "lane": "batch"})
    assert not await home.run()
    assert home.job("b")["state"] == "done"
    assert messages(home) == {}
    held = json.loads((home.outbox / "a" / "held.json").read_text())
    assert "the next request may cost $0.0101" in held["reason"]


async def test_the_real_process_is_killed_mid_stream_and_sends_nothing_twice(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        drop(home, "a.jsonl", [f"Write. {n} [sandbox: words 400] [sandbox: take 2]" for n in range(6)])
        for seconds in (2.0, 2.5, 3.0, 3.5):
            await run_and_kill(home, seconds, sync__concurrency=3)
        assert messages(home)["cut"] >= 3
        while not (home.outbox / "a/job.json").exists():
            await home.run()
            async with open_store(home.state / DATABASE) as store:
                for batch in await store.answers.held():
                    await store.answers.drop(batch, "nobody knows")
        home.assert_nothing_of_messages_twice()
        requests = home.job("a")["requests"]
        assert requests["complete"] + requests["canceled"] == requests["total"] == 6
        assert requests["complete"] >= 3


async def test_a_deadline_decides(home: House) -> None:
    drop(home, "soon.jsonl", ["Hello"], job={"lane": "auto", "needed_by": "2026-01-01T00:00:00Z"})
    drop(home, "late.jsonl", ["Hello you"], job={"lane": "auto", "needed_by": "2099-01-01T00:00:00Z"})
    assert await home.run()
    assert home.job("soon")["batches"][0].startswith("msg_")
    assert home.job("late")["batches"][0].startswith("msgbatch_")
