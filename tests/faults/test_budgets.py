"""Nobody is surprised by a bill: what does not fit is held, and nothing of it is sent."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.app import serve
from batchd.edges.store import DATABASE, Spent, open_store
from batchd.edges.store.holds import Holds

from tests.support.house import House, house, run_and_kill, run_until, until

pytestmark = pytest.mark.anyio

PROMPT = "Go on and on. [sandbox: words 3000]"


async def release(home: House, name: str, up_to: float | None = None) -> None:
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named(name)
        assert job is not None
        await store.holds.release(job.id, None if up_to is None else round(up_to * 10**12))


def drop_with_budget(home: House, name: str, budget: float, count: int, prompt: str = PROMPT) -> None:
    params = {"model": "claude-haiku-4-5", "max_tokens": 1000, "messages": [{"role": "user", "content": prompt}]}
    lines = [
        json.dumps({"custom_id": f"r{n}", "params": {**params, "metadata": {"user_id": f"{name}{n}"}}})
        for n in range(count)
    ]
    (home.inbox / name).write_text("\n".join([json.dumps({"job": {"budget": budget}}), *lines]))


async def test_a_job_over_its_budget_is_held_sends_only_what_fits_and_goes_when_released(home: House) -> None:
    drop_with_budget(home, "a.jsonl", budget=0.0060, count=4)  # a request may cost about 0.0026
    assert not await home.run()
    assert sum(entry.count for entry in home.server.ledger.batches()) == 2
    held = json.loads((home.outbox / "a" / "held.json").read_text())
    assert "budget of the job is $0.0060" in held["reason"]
    assert (held["release"], held["until"]) == ("batchd release a", None)
    assert not (home.outbox / "a" / "job.json").exists()
    await release(home, "a")
    assert not await home.run()
    assert home.job("a")["requests"]["incomplete"] == 4
    assert not (home.outbox / "a" / "held.json").exists()
    home.assert_nothing_twice()


async def test_a_prompt_is_counted_where_its_bytes_are_too_much_for_the_budget(home: House) -> None:
    prompt = "All of this was said before. " * 2_000  # 58,000 bytes, and a fourth of that in tokens
    drop_with_budget(home, "a.jsonl", budget=0.02, count=1, prompt=prompt)
    assert await home.run()
    assert home.job("a")["cost_usd"] < 0.02
    assert counts(home) == 1
    drop_with_budget(home, "b.jsonl", budget=0.005, count=30, prompt=prompt)
    assert not await home.run()
    assert counts(home) == 2
    assert (home.outbox / "b" / "held.json").exists()


async def test_an_api_that_does_not_count_leaves_the_bound_as_it_is(home: House) -> None:
    home.fault("count_tokens", "status", status=404, times=5)
    drop_with_budget(home, "a.jsonl", budget=0.02, count=1, prompt="All of this was said before. " * 2_000)
    assert not await home.run()
    assert counts(home) == 1
    assert not home.server.ledger.batches()


async def test_an_api_that_cannot_count_just_now_is_asked_again_later(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchd.running.token_counter.PAUSE", 60.0)
    home.fault("count_tokens", "status", status=529)
    drop_with_budget(home, "a.jsonl", budget=0.02, count=1, prompt="All of this was said before. " * 2_000)
    async with at_work_for_ever(home):
        await until((home.outbox / "a" / "job.json").exists)
    assert counts(home) == 2


@asynccontextmanager
async def at_work_for_ever(home: House) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        settings = home.settings(intake__rescan=30.0)
        tasks.start_soon(partial(serve, settings, home.key, clock=home.clock))
        yield
        tasks.cancel_scope.cancel()


def counts(home: House) -> int:
    return sum(call.route == "count_tokens" for call in home.server.ledger.calls)


async def test_what_came_back_cheaper_than_its_worst_case_makes_room_for_more(home: House) -> None:
    drop_with_budget(home, "a.jsonl", budget=0.02, count=20, prompt="say hello")
    assert await home.run()
    assert home.job("a")["requests"]["complete"] == 20
    assert home.job("a")["cost_usd"] < 0.02
    assert len(home.server.ledger.batches()) > 1


async def test_the_day_has_a_budget_that_two_jobs_do_not_both_get(home: House) -> None:
    drop_with_budget(home, "a.jsonl", budget=1.0, count=1)
    drop_with_budget(home, "b.jsonl", budget=1.0, count=1)
    assert not await home.run(budget__per_day=0.0030)
    assert sum(entry.count for entry in home.server.ledger.batches()) == 1
    (note,) = home.outbox.glob("*/held.json")
    assert json.loads(note.read_text())["until"].endswith("T00:00:00.000Z")


async def test_nor_do_they_when_the_daemon_is_killed_again_and_again(tmp_path: Path) -> None:
    async with house(tmp_path, duration=600.0) as home:
        drop_with_budget(home, "a.jsonl", budget=1.0, count=1)
        drop_with_budget(home, "b.jsonl", budget=1.0, count=1)
        for tenths in range(8, 24, 2):
            await run_and_kill(home, tenths / 10, budget__per_day=0.0030, batch__linger=0.05, api__doubt=1)
            assert sum(entry.count for entry in home.server.ledger.batches()) <= 1

        def sent_and_held() -> bool:
            return bool(home.server.ledger.batches()) and any(home.outbox.glob("*/held.json"))

        await run_until(home, sent_and_held, budget__per_day=0.0030)
        assert sum(entry.count for entry in home.server.ledger.batches()) == 1
        assert len(list(home.outbox.glob("*/held.json"))) == 1
        async with open_store(home.state / DATABASE) as store:
            (spent,) = await store.spending.by("day")
        assert 0 < spent.reserved < 3_000_000_000


async def test_a_model_without_a_price_is_held_under_a_budget_and_costs_null_without_one(home: House) -> None:
    home.drop("a.jsonl", [PROMPT], model="claude-nonesuch-1")
    assert not await home.run(budget__per_job=5)
    assert home.server.ledger.batches() == []
    assert "price" in json.loads((home.outbox / "a" / "held.json").read_text())["reason"]


def sent(home: House) -> int:
    return sum(entry.count for entry in home.server.ledger.batches())


async def test_no_job_is_held_for_good_by_a_bound_however_many_requests_it_has(home: House) -> None:
    prompt = "All of this was said before. " * 2_000  # $0.029 by its bytes, and a fourth of that in truth
    drop_with_budget(home, "a.jsonl", budget=5.0, count=25, prompt=f"{prompt} [sandbox: words 1]")
    job, *lines = (home.inbox / "a.jsonl").read_text().splitlines()
    each = [json.dumps({**json.loads(line), "budget": 0.02}) for line in lines]
    (home.inbox / "a.jsonl").write_text("\n".join([job, *each]))
    assert await home.run()
    assert (counts(home), sent(home)) == (25, 25)
    assert len(home.server.ledger.batches()) < 15, "those that were counted together travel together"


async def test_nothing_is_counted_that_would_change_nothing(home: House) -> None:
    drop_with_budget(home, "a.jsonl", budget=0.0001, count=200)  # the answer alone may cost $0.0025
    assert not await home.run()
    assert (counts(home), sent(home)) == (0, 0)


async def test_a_held_job_is_told_once_however_often_its_room_changes(
    home: House, capfd: pytest.CaptureFixture[str]
) -> None:
    drop_with_budget(home, "a.jsonl", budget=0.0060, count=40, prompt="say hello")
    assert not await home.run()
    assert sent(home) > 4, "what came back cheaper made room for more"
    assert capfd.readouterr().out.count("job held") == 1


async def test_what_comes_back_while_a_job_is_being_held_makes_room_for_it(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = Holds.hold

    def all_settled() -> bool:
        with closing(sqlite3.connect(home.state / DATABASE)) as database:
            return not database.execute("SELECT 1 FROM batches WHERE state <> 'settled'").fetchone()

    async def too_late(self: Holds, *said: Any, **more: Any) -> None:
        await until(all_settled)
        await hold(self, *said, **more)

    monkeypatch.setattr(Holds, "hold", too_late)
    # Each may cost $0.0026, and costs some $0.0010: the third has room when two are back, and not with one under way.
    prompts = [f"{word} [sandbox: words 300]" for word in ("one", "two [sandbox: take 8]", "three", "four")]
    params = {"model": "claude-haiku-4-5", "max_tokens": 1000}
    lines = [
        {"custom_id": f"r{n}", "params": {**params, "messages": [{"role": "user", "content": prompt}]}}
        for n, prompt in enumerate(prompts)
    ]
    (home.inbox / "a.jsonl").write_text("\n".join(map(json.dumps, [{"job": {"budget": 0.0055}}, *lines])))
    assert not await home.run(batch__max_requests=1)
    assert sent(home) == 3


async def test_a_job_released_up_to_a_sum_goes_so_far_and_is_held_again(home: House) -> None:
    drop_with_budget(home, "a.jsonl", budget=0.0001, count=6)
    assert not await home.run()
    assert sent(home) == 0
    await release(home, "a", up_to=0.0060)
    assert not await home.run()
    assert sent(home) == 2
    reason = json.loads((home.outbox / "a" / "held.json").read_text())["reason"]
    assert "released up to $0.0060" in reason
    await release(home, "a")
    await home.run()
    assert sent(home) == 6


async def test_an_answer_that_does_not_say_its_usage_is_no_present(home: House) -> None:
    home.fault("results", "no_usage", times=None)
    for name in "abcd":
        drop_with_budget(home, f"{name}.jsonl", budget=1.0, count=3, prompt="say hello")
    assert not await home.run(budget__per_day=0.0080)
    assert sent(home) == 3, "each keeps its reservation of $0.0025"
    (done,) = home.outbox.glob("*/job.json")
    assert json.loads(done.read_text())["cost_usd"] is None


async def test_an_answer_under_a_name_of_a_gateways_own_costs_as_the_model_that_was_asked(home: House) -> None:
    home.fault("results", "strange_model", times=None)
    drop_with_budget(home, "a.jsonl", budget=0.0060, count=4, prompt="say hello [sandbox: words 700]")
    assert not await home.run()
    assert sent(home) == 2
    (spent,) = await spendings(home)
    assert (spent.unpriced, spent.reserved) == (0, 0)
    assert spent.cost > 10**12 // 300


async def spendings(home: House) -> list[Spent]:
    async with open_store(home.state / DATABASE) as store:
        return await store.spending.by("day")


async def test_one_absurd_number_harms_nobody_else(home: House) -> None:
    home.fault("results", "absurd_usage", times=None, at=1)
    home.drop("a.jsonl", ["say hello"] * 4)
    assert await home.run(budget__per_day=5)
    job = home.job("a")
    assert (job["requests"]["complete"], job["cost_usd"]) == (4, None)
    costs = [line["cost_usd"] for line in home.lines("a", "report.jsonl")]
    assert costs.count(None) == 1
    assert all(cost is None or cost > 0 for cost in costs)


async def test_an_answer_from_the_region_of_a_workspace_is_charged_as_such(home: House) -> None:
    for name, directive in (("plain", ""), ("there", "[sandbox: region us]")):
        home.drop(f"{name}.jsonl", [f"say hello [sandbox: words 200] {directive}"], model="claude-sonnet-4-6")
    assert await home.run()
    plain, there = (home.lines(name, "report.jsonl")[0] for name in ("plain", "there"))
    more = (there["input_tokens"] - plain["input_tokens"]) * 1.5e-6
    assert there["cost_usd"] == pytest.approx((plain["cost_usd"] + more) * 1.1)
