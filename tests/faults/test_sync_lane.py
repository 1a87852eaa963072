"""The sync lane: answered soon, and under every fault whole, continued, or left to a person."""

import json
import sys
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.edges.store import DATABASE, open_store
from batchd.model import BatchId

from tests.support.house import NEVER, House, at_work, command, house, run_and_kill_when, run_until, until

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


async def held(home: House) -> list[BatchId]:
    async with open_store(home.state / DATABASE) as store:
        return [batch.id for batch in await store.batches.held()]


async def test_it_answers_soon_with_the_same_files_at_the_full_price(home: House) -> None:
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
    with anyio.fail_after(NEVER):
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
        {"kind": "error_text", "at": 0},
        {"kind": "spend_cap"},
        {"kind": "status", "status": 401},
        {"kind": "html", "status": 429},
        {"kind": "html", "status": 503},
        {"kind": "html", "status": 529},
        {"kind": "status", "status": 504},
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
        await store.resolutions.send_rest_again((await store.batches.held())[0], now=home.clock.now())
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


async def cancel(home: House, name: str) -> None:
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named(name)
        assert job is not None
        await store.jobs.cancel(job.id)


def streams(home: House, least: int = 0) -> set[str]:
    """The transcripts of at least so many bytes."""
    found = set()
    for each in (home.state / "streams").glob("*"):
        with suppress(FileNotFoundError):  # it was delivered just now
            if each.stat().st_size >= least:
                found.add(each.name)
    return found


async def test_cancel_ends_what_is_being_streamed_and_delivers_what_has_come(home: House) -> None:
    drop(home, "a.jsonl", [f"Write. {n} [sandbox: words 900] [sandbox: take 50]" for n in range(6)])
    with anyio.fail_after(NEVER):
        async with at_work(home):
            await until(lambda: len(streams(home, 3_000)) == 4)
            await cancel(home, "a")
    job = home.job("a")
    assert job["state"] == "cancelled"
    assert len(home.server.ledger.messages()) == 4
    told = [line for line in home.lines("a", "report.jsonl") if line["verdict"] == "truncated"]
    assert len(told) == 4
    assert all("cancelled" in line["reason"] and line["cost_usd"] > 0 for line in told)
    assert all((home.outbox / "a" / line["document"]).stat().st_size > 500 for line in told)


async def test_a_message_that_was_cancelled_before_its_first_word_is_not_left_to_a_person(home: House) -> None:
    drop(home, "a.jsonl", ["[sandbox: thinking 900] Think. [sandbox: take 50]"], max_tokens=2_000)
    with anyio.fail_after(NEVER):
        async with at_work(home):
            await until(lambda: streams(home, 1_000))
            await cancel(home, "a")
    (line,) = home.lines("a", "report.jsonl")
    assert line["verdict"] == "truncated"
    assert line["input_tokens"] > 0
    assert line["output_tokens"] == 2_000, "what it has thought is not known, and bounded"


async def test_a_message_of_which_nothing_had_come_may_have_been_charged(home: House) -> None:
    home.fault("message", "only_pings", at=0, seconds=0.05)
    drop(home, "a.jsonl", ["Hello"])
    with anyio.fail_after(NEVER):
        async with at_work(home):
            await until(lambda: streams(home, 100))
            await cancel(home, "a")
    (line,) = home.lines("a", "report.jsonl")
    assert line["verdict"] == "canceled"
    assert "whether it was charged is not known" in line["reason"]
    assert line["cost_usd"] is None
    assert home.job("a")["cost_usd"] is None
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named("a")
        assert job is not None
        assert await store.purses.committed(job.id) > 0, "it counts with what it may have cost"
        assert not (await store.retries.preview(job.id)).on, "what may have been charged is not sent again by itself"


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
        for _ in range(4):
            seen = streams(home)
            await run_and_kill_when(home, partial(_further, home, seen), sync__concurrency=3)
        assert messages(home)["cut"] >= 4
        while not (home.outbox / "a/job.json").exists():
            await home.run()
            async with open_store(home.state / DATABASE) as store:
                for batch in await store.batches.held():
                    await store.resolutions.drop(batch, "nobody knows")
        home.assert_nothing_of_messages_twice()
        requests = home.job("a")["requests"]
        assert requests["complete"] + requests["canceled"] == requests["total"] == 6
        assert requests["complete"] >= 3


def _further(home: House, seen: set[str]) -> bool:
    """Whether a message that was not under way before has come into its text."""
    return bool(streams(home, 2_500) - seen)


async def test_a_deadline_decides(home: House) -> None:
    drop(home, "soon.jsonl", ["Hello"], job={"lane": "auto", "needed_by": "2026-01-01T00:00:00Z"})
    drop(home, "late.jsonl", ["Hello you"], job={"lane": "auto", "needed_by": "2099-01-01T00:00:00Z"})
    assert await home.run()
    assert home.job("soon")["batches"][0].startswith("msg_")
    assert home.job("late")["batches"][0].startswith("msgbatch_")


WHOLE = (
    "no_stop",
    "done",
    "half_pairs",
    "latin_1",
    "two_data_lines",
    "null_index",
    "usage_list",
    "usage_untold",
    "zero_input",
    "unopened",
    "in_start",
    "same_id",
    "whole_json",
)


@pytest.mark.parametrize("kind", WHOLE)
async def test_a_stream_of_its_servers_own_form_is_whole_and_paid_once(home: House, kind: str) -> None:
    prompts = ["Tell. [sandbox: words 90]", "Tell more. [sandbox: words 90]"]
    drop(home, "batch.jsonl", prompts, job={"lane": "batch"})
    home.fault("message", kind, times=None)
    drop(home, "odd.jsonl", prompts)
    assert await home.run()
    assert messages(home) == {"whole": 2}
    for line in home.lines("odd", "report.jsonl"):
        assert line["verdict"] == "complete"
        text = (home.outbox / "odd" / line["document"]).read_text("utf-8")
        text = text.replace("\N{PACKAGE}", "") if kind == "half_pairs" else text.replace("\u00e9", "e")
        assert text == (home.outbox / "batch" / line["document"]).read_text("utf-8")
        if kind == "zero_input":
            assert line["input_tokens"] > 1
    assert not streams(home)


@pytest.mark.parametrize("kind", ["lone_half", "half_line"])
async def test_text_that_cannot_be_read_is_never_called_complete_and_is_kept(home: House, kind: str) -> None:
    home.fault("message", kind)
    drop(home, "a.jsonl", ["Tell. [sandbox: words 90]"])
    assert not await home.run()
    (line,) = home.lines("a", "report.jsonl")
    assert line["verdict"] == "truncated"
    assert "could not be read" in line["reason"]
    assert messages(home) == {"whole": 1}
    assert [name.endswith(".kept") for name in streams(home)] == [True]
    drop(home, "b.jsonl", ["Hello"])
    assert await home.run()
    assert len(streams(home)) == 1


async def test_an_api_that_breaks_every_answer_off_is_asked_max_attempts_times(home: House) -> None:
    home.fault("message", "error_event", at=700, status=529, times=None)
    drop(home, "a.jsonl", ["[sandbox: thinking 300] Think."])
    assert not await home.run()
    (line,) = home.lines("a", "report.jsonl")
    assert (line["verdict"], line["attempts"]) == ("errored", 3)
    assert "overloaded_error" in line["reason"]
    assert line["input_tokens"] >= 3
    assert line["cost_usd"] > 0, "what message_start told may have been charged"
    assert len(home.server.ledger.messages()) == 3


async def test_a_message_that_thought_when_it_broke_off_is_told_so_and_is_counted_when_it_is_sent_again(
    home: House,
) -> None:
    home.fault("message", "cut", at=1_400)
    drop(home, "a.jsonl", ["[sandbox: thinking 900] Think."], max_tokens=2_000)
    assert not await home.run()
    told = json.loads((home.outbox / "a" / "held.json").read_text())
    assert "first word" not in told["reason"]
    assert "words of thinking" in told["reason"]
    assert "tokens" in told["reason"]
    (batch,) = await held(home)
    async with open_store(home.state / DATABASE) as store:
        await store.resolutions.send_rest_again(await store.batches.get(batch), now=home.clock.now())
    assert await home.run()
    (line,) = home.lines("a", "report.jsonl")
    assert line["verdict"] == "complete"
    once, again = line["chain"]
    assert once["cost_usd"] > 0
    assert (once["outcome"], again["outcome"]) == ("resent", "succeeded")
    assert home.job("a")["cost_usd"] == pytest.approx(once["cost_usd"] + again["cost_usd"])


async def test_a_stream_of_nothing_but_pings_ends(home: House) -> None:
    home.fault("message", "only_pings", at=4_000, seconds=0.05)
    drop(home, "a.jsonl", ["Write at length. [sandbox: words 600]"])
    assert await home.run(api__timeout=0.6)
    (line,) = home.lines("a", "report.jsonl")
    assert line["verdict"] == "complete"
    assert line["rounds"] == 2
    home.assert_nothing_of_messages_twice()


async def test_a_stop_lets_what_is_being_streamed_end(home: House) -> None:
    drop(home, "a.jsonl", ["[sandbox: thinking 300] Think. [sandbox: take 2]", "Wait. [sandbox: take 2]"])
    async with command(home, once=True, sync__concurrency=1) as process:
        await until(lambda: streams(home, 700))
        process.terminate()
        with anyio.fail_after(NEVER):
            await process.wait()
    assert messages(home) == {"whole": 1}
    assert await home.run()
    assert home.job("a")["requests"]["complete"] == 2
    assert messages(home) == {"whole": 2}


async def test_what_a_stop_has_cut_off_says_so(home: House) -> None:
    drop(home, "a.jsonl", ["[sandbox: thinking 900] Think. [sandbox: take 60]"])
    await run_until(home, lambda: streams(home, 700))
    assert not await home.run()
    assert "batchd was stopped" in json.loads((home.outbox / "a" / "held.json").read_text())["reason"]


async def test_what_was_never_sent_is_sent_without_asking(home: House) -> None:
    """A kill between the commit of the intent and the first byte: no transcript, so nothing has left."""
    drop(home, "a.jsonl", ["Hello [sandbox: take 30]"])
    await run_until(home, lambda: streams(home, 100))
    for each in (home.state / "streams").iterdir():
        each.unlink()
    file = home.inbox / "b.jsonl"
    file.write_text(json.dumps({"custom_id": "x", "params": {"messages": [{"role": "user", "content": "Hi"}]}}))
    async with at_work(home):
        await until(lambda: len(home.server.ledger.messages()) == 2)
        await cancel(home, "a")
    assert not await held(home)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "retry_after": 3_000.0},
        {"kind": "same_id"},
        {"kind": "null_index"},
        {"kind": "error_text", "at": 900},
        {"kind": "usage_list"},
        {"kind": "close_late"},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_messages_that_are_stuck_keep_no_other_from_its_turn(home: House, fault: dict[str, Any]) -> None:
    home.fault("message", **{"times": 4, **fault})
    drop(home, "a.jsonl", [f"Stuck {n}" for n in range(4)], model="claude-haiku-4-5")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(home.run_on)  # with `--once` it may end before b is dropped: all that is stuck may be held
        await until(lambda: len(home.server.ledger.calls) >= 4)
        drop(home, "b.jsonl", [f"Free {n}" for n in range(4)], model="claude-sonnet-4-6")
        await until((home.outbox / "b" / "job.json").exists)
        tasks.cancel_scope.cancel()
    assert home.job("b")["state"] == "done"


async def test_answers_whose_folder_is_spoiled_keep_no_seat(home: House) -> None:
    drop(home, "a.jsonl", [f"Hello {n} [sandbox: take 0.5]" for n in range(4)])
    async with at_work(home):
        await until(home.server.ledger.messages)
        folder, aside = home.outbox / "a", home.outbox / "aside"
        folder.rename(aside)
        folder.write_text("no folder")
        await until(lambda: messages(home)["whole"] == 4)
        drop(home, "b.jsonl", ["Free"])
        await until((home.outbox / "b" / "job.json").exists)
        folder.unlink()
        aside.rename(folder)
    assert home.job("a")["state"] == "done"
    assert messages(home) == {"whole": 5}


async def test_an_outage_is_answered_for_all_messages_at_once(home: House) -> None:
    home.fault("message", "close_late", times=3)
    drop(home, "a.jsonl", ["Hello", "Hello you", "Hello there"])
    assert not await home.run()
    assert len(await held(home)) == 3
    flags = ["--set", f"state={home.state}", "--set", f"outbox={home.outbox}", "--set", f"inbox={home.inbox}"]
    command = [sys.executable, "-m", "batchd", "resolve", "--all", "--resend", *flags]
    done = await anyio.run_process(command)
    assert b"3 messages are sent again" in done.stdout
    assert await home.run()
    assert home.job("a")["state"] == "done"
    assert (await anyio.run_process(command, check=False)).returncode == 1
