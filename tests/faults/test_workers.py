"""Many workers on one database: they share a job, and what a dead or frozen one held is neither lost nor paid twice."""

import pytest

from tests.support.house import House
from tests.support.postgresql import Server
from tests.support.workers import fleet_of

pytestmark = pytest.mark.anyio


async def test_workers_share_a_job_and_a_killed_one_loses_nothing(home: House, server: Server) -> None:
    for nth in range(2, 60, 7):  # of each seven creates one has its effect, and no answer
        home.fault("create", "reset", after=nth)
    for nth in range(10, 500, 50):
        home.fault("retrieve", "status", status=500, after=nth)
    async with fleet_of(home, server, 3, batch__max_requests=2) as fleet:
        await fleet.all_work(3)
        home.drop("night.jsonl", [f"question {n}" for n in range(40)])
        for _ in range(3):
            fleet.kill(await fleet.holder())
            await fleet.start()
        await fleet.done("night")
    assert sum(fleet.held.values()) >= 3, "each held something"
    assert len(home.results("night")) == 40
    home.assert_nothing_twice()
