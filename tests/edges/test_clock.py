"""Time as the service lives it: steady, whatever is done to the wall clock."""

import time

import anyio
import pytest
from batchd.edges.clock import Bell, Clock

from tests.support.house import NEVER

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("jump", [-3_600.0, 2 * 86_400.0])
def test_a_wall_clock_that_is_set_changes_nothing(monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    clock = Clock()
    before = clock.now()
    assert abs(before - time.time()) < 600
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    assert 0 <= clock.now() - before < 600


async def test_a_ring_is_kept_for_who_comes_next_and_heard_by_all_who_wait() -> None:
    bell, clock, heard = Bell(), Clock(), []
    bell.ring()
    await bell.wait()

    async def listen(name: str) -> None:
        await bell.wait_at_most(5, clock)
        heard.append(name)

    async with anyio.create_task_group() as tasks:
        for name in ("a", "b"):
            tasks.start_soon(listen, name)
        await anyio.wait_all_tasks_blocked()
        assert heard == []
        bell.ring()
    assert sorted(heard) == ["a", "b"]


async def test_nobody_waits_longer_than_he_said() -> None:
    with anyio.fail_after(NEVER):
        await Bell().wait_at_most(0.01, Clock())
