"""Many workers on one database: they share a job, and what a dead or frozen one held is neither lost nor paid twice."""

from pathlib import Path

import anyio
import pytest

from tests.support.house import House, house, until
from tests.support.postgresql import Server
from tests.support.workers import fleet_of

pytestmark = pytest.mark.anyio

KILLS = [1, pytest.param(3, marks=pytest.mark.slow)]  # each is a takeover of some seconds: one shows it
MINUTE = 60.0
QUOTA = 9
"""Calls in any minute."""
DAY = 0.02
"""USD a day; a request may cost 0.0026."""


@pytest.mark.parametrize("kills", KILLS)
async def test_workers_share_a_job_and_a_killed_one_loses_nothing(home: House, server: Server, kills: int) -> None:
    for nth in range(2, 60, 7):  # of each seven creates one has its effect, and no answer
        home.fault("create", "reset", after=nth)
    for nth in range(10, 500, 50):
        home.fault("retrieve", "status", status=500, after=nth)
    async with fleet_of(home, server, 3, batch__max_requests=2) as fleet:
        await fleet.all_work(2)
        home.drop("night.jsonl", [f"question {n}" for n in range(14 * kills)])
        for nth in range(kills):
            fleet.kill(await fleet.holder())
            if nth:
                await fleet.start()
        await fleet.done("night")
    assert sum(fleet.held.values()) >= kills, "each held something"
    assert len(home.results("night")) == 14 * kills
    home.assert_nothing_twice()


async def test_what_a_day_may_cost_holds_for_all_workers_together(home: House, server: Server) -> None:
    async with fleet_of(home, server, 2, fleet__workers=2, budget__per_day=DAY, batch__max_requests=2) as fleet:
        await fleet.all_work(2)
        for name in "abcd":
            prompts = [f"{name}{n}: go on and on. [sandbox: words 3000]" for n in range(4)]
            home.drop(f"{name}.jsonl", prompts, max_tokens=1000)

        def over(job: str) -> bool:
            return any((home.outbox / job / file).exists() for file in ("job.json", "held.json"))

        await until(lambda: all(map(over, "abcd")))
        assert await fleet.sql("SELECT count(*) FROM batchd.workers WHERE sweeps") == "1"
        spent = "SELECT sum(cost_micro + reserved_micro) + sum(cost_pico + reserved_pico) / 1e6 FROM batchd.spent"
        assert 0 < float(await fleet.sql(spent)) <= DAY * 1e6
    assert 0 < sum(home.accepted().values()) < 16
    home.assert_nothing_twice()


async def test_three_workers_call_no_more_than_one_quota_lets_them(tmp_path: Path, server: Server) -> None:
    async with house(tmp_path, speed=1.0, duration=0.1) as home:
        limited = {"api__requests_per_minute": QUOTA, "batch__max_requests": 1}
        async with fleet_of(home, server, 3, **limited) as fleet:
            home.drop("night.jsonl", [f"question {n}" for n in range(3 * QUOTA)])
            await until(lambda: len(home.server.ledger.calls) >= QUOTA)
            await fleet.all_work(3)
            await anyio.sleep(3)  # in which those that have a quota of their own would call
        calls = sorted(call.at for call in home.server.ledger.calls)
    assert all(later - call >= MINUTE for call, later in zip(calls, calls[QUOTA:], strict=False))


@pytest.mark.slow  # the timetable is looked through every ten seconds
async def test_a_timetable_that_was_emptied_is_filled_again(home: House, server: Server) -> None:
    slow = {"poll__initial": 3_600, "poll__max": 3_600}
    async with fleet_of(home, server, 2, fleet__workers=2, batch__max_requests=2, **slow) as fleet:
        await fleet.all_work(2)
        home.drop("night.jsonl", [f"question {n}" for n in range(6)])
        rest = """SELECT count(*) FROM batchd_tasks.procrastinate_jobs
            WHERE status = 'todo' AND scheduled_at > now() + interval '10 minutes'"""
        with anyio.fail_after(60):
            while await fleet.sql(rest) != "3":  # noqa: ASYNC110  another program's state
                await anyio.sleep(0.1)
        await fleet.sql("UPDATE batchd.batches SET next_poll_at = planned_at")
        await fleet.sql("TRUNCATE batchd_tasks.procrastinate_jobs CASCADE")
        await fleet.done("night")
    assert len(home.results("night")) == 6
    home.assert_nothing_twice()
