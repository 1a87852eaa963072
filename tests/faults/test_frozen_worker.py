"""SIGSTOP for longer than doubt of a worker that holds a batch in each state of a create: nothing is paid twice."""

from pathlib import Path

import anyio
import pytest

from tests.support.house import house
from tests.support.postgresql import Server
from tests.support.workers import QUICK, fleet_of

pytestmark = pytest.mark.anyio


@pytest.mark.slow  # it stands still for longer than doubt, and comes back
@pytest.mark.parametrize("state", ["planned", "intended"])
async def test_a_worker_that_stood_still_for_longer_than_doubt_pays_nothing_twice(
    tmp_path: Path, server: Server, state: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with house(tmp_path, speed=1.0, duration=0.1) as home:
        if state == "intended":  # the first create has its effect at once, and its answer would come in ten seconds
            home.fault("create", "silence", seconds=60, lands=True)
        async with fleet_of(home, server, 3, batch__max_requests=2) as fleet:
            await fleet.all_work(3)
            home.drop("night.jsonl", [f"question {n}" for n in range(40)])
            name = await fleet.holder(state)
            fleet.stand_still(name)
            await anyio.sleep(QUICK["api__doubt"] + 2)
            fleet.go_on(name)
            assert await fleet.ends(name) == 1
            await fleet.start()
            await fleet.done("night")
        assert fleet.held[state]
        assert len(home.results("night")) == 40
        home.assert_nothing_twice()
        said = capfd.readouterr()
        assert "never retrieved" not in said.out + said.err
