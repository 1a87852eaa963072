"""Files that want one name at one time become jobs of different names, though none waits for another's commit."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.app import prepared
from batchd.edges.clock import Bell, Clock
from batchd.edges.store import DATABASE, open_store
from batchd.journey.intake import Intake
from batchd.journey.spooling import rules_of
from batchd.model import Job
from batchd.running.retrying import Retrying
from batchd.settings import Settings

pytestmark = pytest.mark.anyio


async def test_each_gets_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(inbox=tmp_path / "inbox", outbox=tmp_path / "outbox", state=tmp_path / "state")
    settings.inbox.mkdir()
    for ending in ("md", "txt"):
        (settings.inbox / f"a.{ending}").write_text("What is this?", "utf-8")
    places = prepared(settings)
    async with open_store(places.state / DATABASE) as store, anyio.create_task_group() as tasks:
        names: list[str] = []
        both = anyio.Event()
        store_it = store.jobs.accept

        async def accept_when_both_are_named(**asked: Any) -> Job:
            names.append(asked["name"])
            if len(names) > 1:
                both.set()
            await both.wait()
            alike = names.count(asked["name"]) > 1  # is told below; the store would refuse it for ever
            return await store_it(**{**asked, "name": f"{asked['name']} of {asked['claim']}"} if alike else asked)

        monkeypatch.setattr(store.jobs, "accept", accept_when_both_are_named)
        rung = Bell()
        intake = Intake(store, Clock(), places, rules_of(settings), 0.0, rung, Retrying(store, Clock(), rung))
        with anyio.fail_after(20):
            await intake.sweep(tasks)
            while not intake.idle:
                await rung.wait()
    assert sorted(names) == ["a", "a-2"]
