"""Requests that begin alike: one goes first where that is cheaper, the others find the cache warm."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.edges.store import DATABASE, open_store

from tests.support.house import NEVER, House, house, run_until

pytestmark = pytest.mark.anyio

GUIDE = "Use the house style: short words, active voice, one thought a sentence. " * 600
"""Some ten thousand tokens."""


def drop(home: House, name: str, count: int, *, cache: str = "auto", **params: Any) -> None:
    job = {"job": {"cache": cache, "system": GUIDE, "max_tokens": 300, "model": "claude-sonnet-4-6", "params": params}}
    lines = [
        json.dumps({"custom_id": f"r{n}", "params": {"messages": [{"role": "user", "content": f"Topic {n}"}]}})
        for n in range(count)
    ]
    (home.inbox / name).write_text("\n".join([json.dumps(job), *lines]))


def batch_counts(home: House) -> list[int]:
    return [entry.count for entry in home.server.ledger.batches()]


async def test_one_goes_first_and_the_others_read_what_it_wrote(home: House) -> None:
    drop(home, "plain.jsonl", 40, cache="off")
    drop(home, "primed.jsonl", 40)
    assert await home.run()
    plain, primed = home.job("plain"), home.job("primed")
    assert plain["cache"] == {"decision": None, "saved_usd": 0}
    assert primed["cache"]["decision"].startswith("40 requests share about 10,")
    read, written = (primed["usage"][f"cache_{what}_input_tokens"] for what in ("read", "creation"))
    assert read > 39 * 5_000
    assert written < read
    # What is said to be saved is what the same requests cost more without it, but for the length of their answers.
    answers = (plain["usage"]["output_tokens"] - primed["usage"]["output_tokens"]) * 7.5e-6
    assert primed["cache"]["saved_usd"] == pytest.approx(plain["cost_usd"] - primed["cost_usd"] - answers, abs=1e-3)
    assert primed["cache"]["saved_usd"] > 0.2
    assert sorted(batch_counts(home)) == [1, 39, 40]
    home.assert_nothing_twice()


async def test_what_does_not_pay_is_sent_as_it_is(home: House) -> None:
    drop(home, "few.jsonl", 2)
    drop(home, "slow.jsonl", 40, max_tokens=100_000)
    assert await home.run()
    assert "saves less than 0.01 USD" in home.job("few")["cache"]["decision"]
    assert "no two requests" in home.job("slow")["cache"]["decision"]
    for name in ("few", "slow"):
        assert home.job(name)["usage"]["cache_creation_input_tokens"] == 0


async def test_the_others_wait_for_the_first_across_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path, duration=20.0) as home:
        drop(home, "a.jsonl", 30)
        await run_until(home, lambda: batch_counts(home))
        assert batch_counts(home) == [1]
        await run_until(home, lambda: sum(batch_counts(home)) > 1)
        assert batch_counts(home) == [1, 29]
        assert home.server.ledger.batches()[0].ended_at is not None
        assert await home.run()
        assert home.job("a")["requests"]["complete"] == 30
        home.assert_nothing_twice()


def failing(home: House, name: str, *numbers: int) -> None:
    """Have the API refuse some of a file's requests, hours later, as it does."""
    file = home.inbox / name
    text = file.read_text()
    for number in numbers:
        text = text.replace(f'"Topic {number}"', f'"[sandbox: fail invalid_request_error 9] {number}"')
    file.write_text(text)


def written(home: House, name: str) -> int:
    """Requests that wrote their beginning into the cache."""
    return sum(line["cache_creation_input_tokens"] > 0 for line in home.lines(name, "report.jsonl"))


async def test_behind_a_first_that_failed_another_goes_first(home: House) -> None:
    drop(home, "a.jsonl", 12)
    failing(home, "a.jsonl", 0)
    assert not await home.run()
    assert home.job("a")["requests"] == {
        "total": 12, "complete": 11, "incomplete": 0, "errored": 1, "expired": 0, "canceled": 0,
        "rejected": 0,
    }  # fmt: skip
    assert batch_counts(home) == [1, 1, 10]
    assert written(home, "a") < 5
    failure = home.lines("a", "failures.jsonl")[0]
    assert "cache_control" not in json.dumps(failure)
    assert failure["cache"] == "auto"


async def test_where_nobody_warms_the_cache_nobody_writes_it_at_twice_the_price(home: House) -> None:
    drop(home, "a.jsonl", 12)
    failing(home, "a.jsonl", 0, 1)
    assert not await home.run()
    assert home.job("a")["requests"]["complete"] == 10
    assert batch_counts(home) == [1, 1, 10]
    assert written(home, "a") == 0
    home.assert_nothing_twice()


async def test_a_first_that_was_collected_when_its_cache_had_gone_cold_warms_nobody(tmp_path: Path) -> None:
    async with house(tmp_path, duration=20.0) as home:
        drop(home, "a.jsonl", 12)
        await run_until(home, lambda: batch_counts(home))
        home.jump(2 * 3_600)
        assert await home.run()
        assert batch_counts(home) == [1, 1, 10]
        assert written(home, "a") < 5


async def test_those_that_are_tried_again_a_day_later_find_no_warm_cache_and_let_one_go_first(home: House) -> None:
    drop(home, "a.jsonl", 12)
    file = home.inbox / "a.jsonl"
    text = file.read_text()
    for number in range(3, 9):
        text = text.replace(f'"Topic {number}"', f'"[sandbox: fail invalid_request_error 1] {number}"')
    file.write_text(text)
    assert not await home.run()
    assert batch_counts(home) == [1, 11]
    home.jump(86_400)
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named("a")
        assert job is not None
        await store.retries.want(job.id)
    assert await home.run()
    assert batch_counts(home) == [1, 11, 1, 5]


async def test_a_shared_context_is_cached_beyond_the_system_prompt(home: House) -> None:
    content = [{"type": "text", "text": GUIDE}]
    lines = [json.dumps({"job": {"cache": "auto", "max_tokens": 300}})]
    for n in range(20):
        turn = {"role": "user", "content": [*content, {"type": "text", "text": f"Question {n}"}]}
        lines.append(json.dumps({"custom_id": f"r{n}", "params": {"messages": [turn]}}))
    (home.inbox / "a.jsonl").write_text("\n".join(lines))
    assert await home.run()
    assert home.job("a")["usage"]["cache_read_input_tokens"] > 15 * 5_000
    assert batch_counts(home) == [1, 19]


async def test_a_first_that_is_held_for_its_budget_holds_the_others_with_it(home: House) -> None:
    drop(home, "a.jsonl", 10)
    file = home.inbox / "a.jsonl"
    file.write_text(file.read_text().replace('"cache": "auto"', '"cache": "auto", "budget": 0.001'))
    with anyio.fail_after(NEVER):
        assert not await home.run()
    assert batch_counts(home) == []
    assert (home.outbox / "a" / "held.json").exists()


@pytest.mark.parametrize(("hits", "pays"), [(0.95, True), (0.3, False)])
async def test_what_was_saved_is_told_truly_also_where_it_is_less_than_nothing(
    tmp_path: Path, hits: float, *, pays: bool
) -> None:
    async with house(tmp_path, cache_hits=hits) as home:
        drop(home, "plain.jsonl", 60, cache="off")
        drop(home, "primed.jsonl", 60)
        assert await home.run()
        plain, primed = home.job("plain"), home.job("primed")
        assert plain["usage"]["output_tokens"] == primed["usage"]["output_tokens"]
        saved = primed["cache"]["saved_usd"]
        assert saved == pytest.approx(plain["cost_usd"] - primed["cost_usd"])
        assert (saved > 0) is pays
        for line in home.lines("primed", "report.jsonl"):
            assert line["cost_usd"] is not None
