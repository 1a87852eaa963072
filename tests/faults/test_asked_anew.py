"""What was paid for and is not whole may be asked for anew: once more, and nothing of it is lost or forgotten."""

import json
from collections import Counter
from pathlib import Path

import pytest
from batchd.edges.store import DATABASE, open_store
from batchd.model import Verdict

from tests.support.house import House

pytestmark = pytest.mark.anyio

WHOLE = "whole [sandbox: words 20]"
CUT = "cut [sandbox: truncate at 900 rounds 9]"
REFUSED = "refused [sandbox: refuse]"


async def again(home: House, name: str, *also: Verdict, only: list[str] | None = None) -> None:
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named(name)
        assert job is not None
        await store.retries.want(job.id, also, only)


def superseded(home: House, name: str) -> list[str]:
    return [line["custom_id"] for line in home.lines(name, "superseded.jsonl")]


def cost(home: House, name: str) -> float:
    found: float = home.job(name)["cost_usd"]
    return found


async def test_paid_answers_make_room_for_new_ones_and_stay_in_the_cost(home: House) -> None:
    home.drop("a.jsonl", [WHOLE, CUT, REFUSED])
    await home.run()
    before, first = cost(home, "a"), home.lines("a")
    assert home.job("a")["requests"]["incomplete"] == 2
    await again(home, "a", Verdict.TRUNCATED, Verdict.REFUSED)
    await home.run()
    assert sorted(superseded(home, "a")) == ["r1", "r2"]
    assert [line for line in home.lines("a") if line["custom_id"] == "r0"] == [
        line for line in first if line["custom_id"] == "r0"
    ]
    assert Counter(line["custom_id"] for line in home.lines("a")) == {"r0": 1, "r1": 1, "r2": 1}
    assert cost(home, "a") > before
    report = {line["custom_id"]: line for line in home.lines("a", "report.jsonl")}
    assert [report[f"r{n}"]["attempts"] for n in range(3)] == [1, 2, 2]
    assert cost(home, "a") == pytest.approx(sum(line["cost_usd"] for line in report.values()))


async def test_only_what_is_named_goes(home: House) -> None:
    home.drop("a.jsonl", [CUT, CUT, WHOLE])
    await home.run()
    await again(home, "a", Verdict.TRUNCATED, only=["r1"])
    await home.run()
    assert superseded(home, "a") == ["r1"]
    assert home.server.ledger.billed().total() == 4


async def test_a_continued_document_begins_anew_with_all_its_rounds(home: House) -> None:
    rounds: dict[str, object] = {"continue": 1}
    home.drop("a.jsonl", [CUT], "claude-haiku-4-5", 300, **rounds)
    await home.run()
    rounds_before = home.lines("a", "report.jsonl")[0]["rounds"]
    assert rounds_before > 1
    text = (home.outbox / "a" / "documents" / "r0.md").read_text()
    await again(home, "a", Verdict.TRUNCATED)
    await home.run()
    report = home.lines("a", "report.jsonl")[0]
    assert (report["rounds"], report["attempts"]) == (rounds_before, 2 * rounds_before)
    assert superseded(home, "a") == ["r0"] * rounds_before
    assert (home.outbox / "a" / "documents" / "r0.md").read_text() == text


async def test_twice_is_kept_twice(home: House) -> None:
    home.drop("a.jsonl", [REFUSED])
    await home.run()
    for times in (1, 2):
        await again(home, "a", Verdict.REFUSED)
        await home.run()
        assert superseded(home, "a") == ["r0"] * times


async def test_without_room_in_the_budget_it_is_held_and_not_sent(home: House) -> None:
    home.drop("a.jsonl", [CUT])
    await home.run()
    charged = home.server.ledger.billed().total()
    await again(home, "a", Verdict.TRUNCATED)
    await home.run(budget__per_job=cost(home, "a") + 0.0000001)
    assert home.server.ledger.billed().total() == charged
    assert "budget" in json.loads((home.outbox / "a" / "held.json").read_text())["reason"]


async def test_a_cancel_before_it_begins_leaves_the_job_as_it_was(home: House) -> None:
    home.drop("a.jsonl", [CUT])
    await home.run()
    before = files_of(home.outbox / "a")
    await again(home, "a", Verdict.TRUNCATED)
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named("a")
        assert job is not None
        await store.jobs.cancel(job.id)
    await home.run()
    assert files_of(home.outbox / "a") == before
    assert home.job("a")["state"] == "partial"


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
