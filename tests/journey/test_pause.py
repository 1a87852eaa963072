"""A pause: from its commit on nothing of it is sent, by either lane; what is out is delivered, files are taken."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.edges.store import DATABASE, Pause, Paused, open_store, write_to_store
from batchd.model import Intent

from tests.edges.test_spending import accept, plan
from tests.support.house import House, at_work, until

pytestmark = pytest.mark.anyio


async def begin(home: House, folder: str | None = None, *, ends: float | None = None) -> None:
    async with write_to_store(home.state / DATABASE) as store:
        await store.pauses.begin(Pause(folder, home.clock.now(), ends, "ada", "to think"))


async def resume(home: House, folder: str | None = None) -> None:
    async with write_to_store(home.state / DATABASE) as store:
        await store.pauses.end(folder)


def creates(home: House) -> int:
    return len(home.server.ledger.batches()) + len(home.server.ledger.messages())


async def made(home: House) -> None:
    """A state that a daemon has made."""
    home.state.mkdir(exist_ok=True)
    async with open_store(home.state / DATABASE):
        pass


async def test_nothing_is_sent_what_is_out_is_delivered_and_resume_sends_once(home: House) -> None:
    home.drop("before.jsonl", ["one", "two"])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(home.run_on)
        await until(lambda: creates(home) == 1)
        await begin(home)
        await until((home.outbox / "paused.json").exists)
        for n in range(100):
            home.drop(f"q/{n}.jsonl", [f"prompt {n}"], lane="sync" if n % 10 == 0 else "batch")
        await until((home.outbox / "before/job.json").exists)
        await until(lambda: len(list(home.outbox.glob("q/*/request.jsonl"))) == 100)
        assert creates(home) == 1
        (told,) = json.loads((home.outbox / "paused.json").read_text())["paused"]
        assert (told["folder"], told["by"], told["reason"], told["until"]) == (None, "ada", "to think", None)
        await resume(home)
        await until(lambda: len(list(home.outbox.glob("q/*/job.json"))) == 100)
        assert not (home.outbox / "paused.json").exists()
        tasks.cancel_scope.cancel()
    home.assert_nothing_twice()
    home.assert_nothing_of_messages_twice()


async def test_it_outlives_a_restart_and_keeps_one_folder_alone(home: House) -> None:
    await made(home)
    await begin(home, "legal")
    for name in ("legal/a.jsonl", "legal/deep/b.jsonl", "legality/c.jsonl", "d.jsonl"):
        home.drop(name, [f"of {name}"])
    for _ in range(2):
        assert not await home.run()
        assert {path.parent.name for path in home.outbox.rglob("job.json")} == {"c", "d"}
        assert (home.outbox / "paused.json").exists()
    await resume(home, "legal")
    assert await home.run()
    assert len(list(home.outbox.rglob("job.json"))) == 4
    assert not (home.outbox / "paused.json").exists()
    home.assert_nothing_twice()


async def test_further_rounds_wait_too(home: House) -> None:
    chapters = "Write three chapters. [sandbox: truncate at 300 rounds 2]"
    more: dict[str, Any] = {"continue": 3}
    home.drop("book.jsonl", [chapters], max_tokens=400, **more)
    async with at_work(home):
        await until(lambda: creates(home) == 1)
        await begin(home)
    assert creates(home) == 1
    await resume(home)
    assert await home.run()
    assert creates(home) > 1


async def test_it_ends_of_itself(home: House) -> None:
    await made(home)
    await begin(home, ends=home.clock.now() + 60)
    home.drop("a.jsonl", ["one"])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(home.run_on)
        await until((home.outbox / "paused.json").exists)
        await until((home.outbox / "a/job.json").exists)
        assert not (home.outbox / "paused.json").exists()
        tasks.cancel_scope.cancel()


async def test_no_intent_is_committed_after_a_pause(tmp_path: Path) -> None:
    async with open_store(tmp_path / DATABASE) as store:
        await accept(store, "q/a")
        await plan(store)
        (batch,) = await store.batches.unfinished()
        await store.pauses.begin(Pause("other", 0.0, None, "ada", None))
        assert not await store.pauses.keeps(batch.id)
        await store.pauses.begin(Pause("q", 0.0, None, "ada", None))
        assert await store.pauses.keeps(batch.id)
        with pytest.raises(Paused):
            await store.batches.intend(batch, Intent(batch.count, None, 1.0))
        assert (await store.batches.get(batch.id)).state is batch.state
        assert await store.pauses.end("q") == 1
        await store.batches.intend(batch, Intent(batch.count, None, 1.0))


async def test_a_job_waits_for_its_hours_and_a_run_to_the_end_does_not(home: House) -> None:
    now = datetime.fromtimestamp(home.clock.now()).astimezone()
    later = f"{now + timedelta(hours=3):%H:%M}-{now + timedelta(hours=4):%H:%M}"
    home.drop("night/own.jsonl", ["one"])
    home.drop("day.jsonl", ["two"])
    assert not await home.run(folder={"night": {"hours": later}})
    assert home.job("day")["state"] == "done"
    assert creates(home) == 1
    assert await home.run(folder={"night": {"hours": "", "priority": 7}})
    assert home.job("night/own")["state"] == "done"
    home.assert_nothing_twice()
