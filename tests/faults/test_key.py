"""A key is rotated without a restart, and one of another workspace sends nothing."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import anyio
import pytest
from batchd.app import serve
from batchd.settings import find_api_key

from tests.support.house import NEVER, House, house, until

pytestmark = pytest.mark.anyio

OLD, NEW = "sk-ant-old", "sk-ant-new"


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, api_key=OLD) as home:
        (tmp_path / "key").write_text(OLD)
        yield home


async def run(home: House) -> None:
    with anyio.fail_after(NEVER):
        await serve(home.settings(), partial(find_api_key, home.place / "key"), clock=home.clock)


def creates(home: House) -> int:
    return len(home.server.ledger.batches())


def is_done(home: House, name: str) -> Callable[[], bool]:
    return (home.outbox / name / "job.json").exists


@pytest.mark.parametrize("looks", ["before a try", "by itself"])
async def test_a_key_that_is_revoked_and_replaced_goes_on_without_a_restart(
    guarded: House, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, looks: str
) -> None:
    if looks == "before a try":
        monkeypatch.setattr("batchd.running.accounts._LOOK", 1e9)
    home = guarded
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, home)
        home.drop("before.jsonl", ["one"])
        await until(is_done(home, "before"))
        home.server.admission.api_key = NEW
        home.drop("after.jsonl", ["two"])
        await until(lambda: "submissions parked" in capfd.readouterr().out)
        assert creates(home) == 1
        (home.place / "key").write_text(NEW)
        await until(is_done(home, "after"))
        tasks.cancel_scope.cancel()
    assert home.job("after")["state"] == "done"
    home.assert_nothing_twice()


async def test_a_running_batch_is_collected_with_the_new_key(guarded: House) -> None:
    home = guarded
    home.drop("slow.jsonl", ["one [sandbox: take 200]"])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, home)
        await until(lambda: creates(home) == 1)
        home.server.admission.api_key = NEW
        (home.place / "key").write_text(NEW)
        await until(is_done(home, "slow"))
        tasks.cancel_scope.cancel()
    assert home.job("slow")["state"] == "done"
    home.assert_nothing_twice()


async def test_a_key_that_does_not_know_the_newest_batch_is_not_used(
    guarded: House, capfd: pytest.CaptureFixture[str]
) -> None:
    home = guarded
    home.drop("slow.jsonl", ["one [sandbox: take 100000]"])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, home)
        await until(lambda: creates(home) == 1)
        home.server.admission.api_key = NEW
        home.fault("retrieve", "status", status=404, times=None)
        (home.place / "key").write_text(NEW)
        home.drop("after.jsonl", ["two"])
        told = ""
        with anyio.fail_after(NEVER):
            while "does not know batch" not in told:
                told += capfd.readouterr().out
                await anyio.sleep(0.05)
        assert creates(home) == 1
        assert NEW not in told
        assert OLD not in told
        home.server.faults.clear()
        await until(is_done(home, "after"))
        tasks.cancel_scope.cancel()
    home.assert_nothing_twice()
