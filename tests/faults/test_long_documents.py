"""A document is whole, or continued, or it says what is missing: never cut short and called done."""

import json
from functools import partial

import pytest
import structlog
from batchd.edges.store import DATABASE, open_store

from tests.support.house import House, at_work, run_and_kill_when, until

pytestmark = pytest.mark.anyio

MODEL = "claude-sonnet-4-6"
BOOK = """Write a book with these chapters, at least 3,000 words in all:

[SECTION: The hive]
[SECTION: The queen]
[SECTION: The harvest]
"""


def drop(home: House, name: str, prompt: str, **more: object) -> None:
    params = {"model": MODEL, "max_tokens": 8_000, "messages": [{"role": "user", "content": prompt}]}
    (home.inbox / f"{name}.json").write_text(
        json.dumps({"job": more, "requests": [{"custom_id": name, "params": params}]})
    )


def document(home: House, name: str) -> str:
    return (home.outbox / name / "documents" / f"{name}.md").read_text("utf-8")


async def test_a_document_that_was_cut_twice_is_byte_for_byte_the_uncut_one(home: House) -> None:
    drop(home, "whole", BOOK)
    drop(home, "cut", BOOK + "[sandbox: truncate at 5000 rounds 2]", **{"continue": 3})
    assert await home.run()
    assert document(home, "cut") == document(home, "whole")
    (row,) = home.lines("cut", "report.jsonl")
    assert (row["verdict"], row["rounds"], row["attempts"]) == ("complete", 3, 3)
    assert [trip["stop_reason"] for trip in row["chain"]] == ["max_tokens", "max_tokens", "end_turn"]
    assert len(home.lines("cut")) == 3
    assert home.job("cut")["requests"]["complete"] == 1
    assert max(home.accepted().values()) == 1, "an identical request was sent again"


async def test_without_rounds_it_is_called_truncated(home: House) -> None:
    drop(home, "cut", BOOK + "[sandbox: truncate]", **{"continue": 0})
    assert not await home.run()
    (row,) = home.lines("cut", "report.jsonl")
    assert (row["verdict"], row["rounds"]) == ("truncated", 1)
    assert document(home, "cut")


async def test_when_the_rounds_are_used_up_it_says_so(home: House) -> None:
    drop(home, "cut", BOOK + "[sandbox: truncate at 2000 rounds 9]", **{"continue": 1})
    assert not await home.run()
    (row,) = home.lines("cut", "report.jsonl")
    assert (row["verdict"], row["rounds"]) == ("truncated", 2)
    assert "no rounds are left" in row["reason"]


async def test_sections_are_checked_and_written_apart(home: House) -> None:
    drop(home, "book", BOOK, expect={"sections": ["The hive", "The queen", "The harvest"], "words": 1000})
    assert await home.run()
    (row,) = home.lines("book", "report.jsonl")
    files = [home.outbox / "book" / section["file"] for section in row["sections"]]
    assert [section["title"] for section in row["sections"]][-3:] == ["The hive", "The queen", "The harvest"]
    assert "".join(file.read_text("utf-8") for file in files) == document(home, "book")


async def test_a_missing_section_is_asked_for_and_if_it_never_comes_it_is_named(home: House) -> None:
    expect = {"sections": ["The hive", "The queen", "The harvest", "The wax"]}
    drop(home, "book", BOOK, expect=expect, **{"continue": 0})
    assert not await home.run()
    (row,) = home.lines("book", "report.jsonl")
    assert row["verdict"] == "short"
    assert "The wax" in row["reason"]
    assert home.job("book")["requests"]["incomplete"] == 1


async def test_a_lost_create_and_a_cut_stream_between_the_rounds_lose_and_double_nothing(home: House) -> None:
    drop(home, "whole", BOOK)
    drop(
        home, "cut", BOOK + "[sandbox: truncate at 4000 rounds 2] [sandbox: fail overloaded_error 1]", **{"continue": 3}
    )
    home.fault("create", "reset", after=2)
    home.fault("results", "cut", at=50, after=1)
    assert await home.run()
    assert document(home, "cut") == document(home, "whole")
    assert max(home.server.ledger.billed().values()) == 1


async def test_a_kill_between_the_rounds_loses_and_doubles_nothing(home: House) -> None:
    drop(home, "whole", BOOK)
    assert await home.run()
    drop(home, "cut", BOOK + "[sandbox: truncate at 4000 rounds 2]", **{"continue": 3})
    for rounds in (1, 2):
        # One round is sent, and the next is refused for now: it is killed just between the two.
        home.fault("create", "status", status=429, after=1, times=None)
        await run_and_kill_when(
            home, partial(refused, home, rounds), poll__initial=0.1, batch__linger=0.05, api__doubt=1
        )
        home.server.faults.clear()
        assert not (home.outbox / "cut" / "job.json").exists()
        assert len(home.server.ledger.batches()) == 1 + rounds
    assert await home.run()
    assert document(home, "cut") == document(home, "whole")
    assert max(home.server.ledger.billed().values()) == 1
    home.assert_nothing_twice()


def refused(home: House, after: int) -> bool:
    """Whether a create was refused after so many batches of this document, and one of another."""
    created = [call.status for call in home.server.ledger.calls if call.route == "create"]
    return created.count(200) == 1 + after and created[-1] == 429


async def test_long_requests_are_continued_unless_told_otherwise(home: House) -> None:
    params = {
        "model": MODEL,
        "max_tokens": 100_000,
        "messages": [{"role": "user", "content": BOOK + "[sandbox: truncate]"}],
    }
    (home.inbox / "long.json").write_text(json.dumps(params))
    assert await home.run()
    (row,) = home.lines("long", "report.jsonl")
    assert (row["verdict"], row["rounds"]) == ("complete", 2)


async def test_wrong_expectations_are_refused_before_anything_is_spent(home: House) -> None:
    drop(home, "bad", BOOK, expect={"wrods": 5}, **{"continue": 99})
    assert not await home.run()
    errors = json.loads((home.outbox / "rejected" / "bad.json.errors.json").read_text())["errors"]
    assert {error["field"] for error in errors} == {"job.expect.wrods", "job.continue"}
    assert home.server.ledger.batches() == []


async def test_a_document_once_begun_is_never_held_halfway_for_one_that_waited_before_it(home: House) -> None:
    """Its reservation stays with it between two rounds, also where an older job waits for just that money."""
    rest = {"requests": [{"custom_id": "r", "params": {"messages": [{"role": "user", "content": "Hi"}]}}]}

    def ask(name: str, max_tokens: int, prompt: str = "Hi") -> None:
        job = {"model": MODEL, "max_tokens": max_tokens, "continue": 0}
        said = json.dumps({"job": job, **rest}).replace('"Hi"', json.dumps(prompt))
        (home.inbox / f"{name}.json").write_text(said)

    with structlog.testing.capture_logs() as logs:
        async with at_work(home, budget__per_day=0.65):
            ask("small", 8_000, "Hello [sandbox: take 100]")  # at most $0.06
            await until(home.server.ledger.batches)
            ask("older", 80_000)  # at most $0.60
            await until((home.outbox / "older" / "held.json").exists)
            slow = f"{BOOK}[sandbox: truncate at 5000 rounds 2] [sandbox: take 90]"
            drop(home, "cut", slow, **{"continue": 3})  # at most $0.50
    (row,) = home.lines("cut", "report.jsonl")
    assert row["rounds"] == 3
    assert home.job("older")["state"] == "done"
    finished = [each["job"] for each in logs if each["event"] == "job finished"]
    assert finished.index("cut") < finished.index("older")
    assert "cut" not in [each["job"] for each in logs if each["event"] == "job held"]


async def test_what_was_paid_before_a_cancel_between_two_rounds_is_delivered(home: House) -> None:
    drop(home, "cut", BOOK + "[sandbox: truncate at 5000]", expect={"sections": 3}, **{"continue": 3})
    home.fault("create", "spend_cap", after=1, times=1_000_000)
    async with at_work(home):
        await until(lambda: list((home.state / "drafts").glob("*.1")))
        async with open_store(home.state / DATABASE) as store:
            job = await store.jobs.named("cut")
            assert job is not None
            await store.jobs.cancel(job.id)
    (row,) = home.lines("cut", "report.jsonl")
    (line,) = home.lines("cut")
    paid = line["result"]["message"]["content"][0]["text"]
    assert home.job("cut")["state"] == "cancelled"
    assert (row["verdict"], row["reason"]) == ("canceled", "cancelled before its next round was sent")
    assert document(home, "cut") == paid
    assert row["document"] == "documents/cut.md"
    assert "".join((home.outbox / "cut" / each["file"]).read_text("utf-8") for each in row["sections"]) == paid


async def test_what_was_paid_before_a_round_is_refused_is_delivered(home: House) -> None:
    drop(home, "cut", BOOK + "[sandbox: truncate at 5000]", **{"continue": 3})
    home.fault("create", "status", status=400, after=1, times=1_000_000)
    assert not await home.run()
    (row,) = home.lines("cut", "report.jsonl")
    (line,) = home.lines("cut")
    assert row["verdict"] == "errored"
    assert document(home, "cut") == line["result"]["message"]["content"][0]["text"]
