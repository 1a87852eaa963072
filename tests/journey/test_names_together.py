"""Files that are taken together: each becomes a job of its own name, and what is unusual has a turn of its own."""

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from batchd.app import prepared
from batchd.edges import durable
from batchd.edges.clock import Bell, Clock
from batchd.edges.durable import Together
from batchd.edges.outbox import JobFolder
from batchd.edges.store import DATABASE, Arrival, Store, open_store
from batchd.errors import Unavailable
from batchd.journey import bulk_accepting
from batchd.journey.intake import Intake
from batchd.journey.reading import rules_of
from batchd.model import Job
from batchd.running.retrying import Retrying
from batchd.settings import Settings
from batchd.settings.tables import Intake as Taking

from tests.support.house import NEVER

pytestmark = pytest.mark.anyio


async def take_all(settings: Settings, wrap: Callable[[Store], None] = lambda _: None) -> list[Job]:
    """Take what lies in the inbox, in one look."""
    places = prepared(settings)
    found: list[Job] = []
    async with open_store(places.state / DATABASE) as store, anyio.create_task_group() as tasks:
        wrap(store)
        rung = Bell()
        intake = Intake(
            store, Clock(), places, rules_of(settings), Taking(settle=0.0), rung, Retrying(store, Clock(), rung)
        )
        with anyio.fail_after(NEVER):
            await intake.sweep(tasks)
            while not intake.idle:
                await rung.wait()
        found.extend(await store.jobs.recent(0))
    return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings(inbox=tmp_path / "inbox", outbox=tmp_path / "outbox", state=tmp_path / "state")
    found.inbox.mkdir()
    for ending in ("md", "txt"):
        (found.inbox / f"a.{ending}").write_text("What is this?", "utf-8")
    return found


async def test_each_gets_its_own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_accepting, "SMALL", 0)
    names: list[str] = []
    both = anyio.Event()

    def wrap(store: Store) -> None:
        store_it = store.arrivals.accept

        async def accept_when_both_are_named(asked: Arrival) -> Job:
            names.append(asked.name)
            if len(names) > 1:
                both.set()
            await both.wait()
            alike = names.count(asked.name) > 1  # is told below; the store would refuse it for ever
            return await store_it(replace(asked, name=f"{asked.name} of {asked.claim}") if alike else asked)

        monkeypatch.setattr(store.arrivals, "accept", accept_when_both_are_named)

    await take_all(settings, wrap)
    assert sorted(names) == ["a", "a-2"]


async def test_each_of_a_go_gets_its_own(settings: Settings) -> None:
    assert {job.name for job in await take_all(settings)} == {"a", "a-2"}


async def test_no_job_of_a_go_gets_the_name_of_another_before_it(settings: Settings) -> None:
    assert {job.name for job in await take_all(settings)} == {"a", "a-2"}
    for ending in ("md", "txt"):
        (settings.inbox / f"A.{ending}").write_text("What is this?", "utf-8")
    assert {job.name for job in await take_all(settings)} == {"a", "a-2", "A-3", "A-4"}


async def test_small_files_share_their_syncs_and_their_commit(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        (settings.inbox / f"more {number}.txt").write_text(f"What is {number}?", "utf-8")
    synced: list[str] = []
    fsync, whole = os.fsync, durable.sync_file_system

    def one(descriptor: int) -> None:
        synced.append("fsync")
        fsync(descriptor)

    def all_of_it(folder: int) -> None:
        synced.append("syncfs")
        whole(folder)

    monkeypatch.setattr(os, "fsync", one)
    monkeypatch.setattr(durable, "sync_file_system", all_of_it)
    monkeypatch.setattr(durable, "syncs_as_one", lambda _: True)
    assert len(await take_all(settings)) == 202
    assert synced == ["syncfs", "syncfs"]


async def test_what_is_wrong_or_not_as_it_should_be_has_its_own_turn(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.inbox / "broken.jsonl").write_text("{", "utf-8")
    placed = JobFolder.place_request

    def refused(folder: JobFolder, source: Path, extension: str, *, sync: bool = True) -> None:
        if not sync:
            raise OSError(errno.EIO, "Input/output error")
        placed(folder, source, extension, sync=sync)

    monkeypatch.setattr(JobFolder, "place_request", refused)
    assert {job.name for job in await take_all(settings)} == {"a", "a-2"}
    assert (settings.outbox / "rejected" / "broken.jsonl.errors.json").exists()
    assert {file.name for file in settings.outbox.glob("a*/*")} == {"request.md", "request.txt"}
    assert not list((settings.state / "claims").iterdir())


async def test_no_commit_takes_more_requests_than_it_should(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_accepting, "SLICE", 4)
    line = '{"custom_id": "%d", "params": {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [%s]}}\n'
    for name in "bcd":
        lines = "".join(line % (n, '{"role": "user", "content": "hello"}') for n in range(3))
        (settings.inbox / f"{name}.jsonl").write_text(lines, "utf-8")
    portions: list[int] = []

    def wrap(store: Store) -> None:
        accept_all = store.arrivals.accept_all

        async def counted(arrivals: Sequence[Arrival]) -> list[Job]:
            portions.append(sum(arrival.total for arrival in arrivals))
            return await accept_all(arrivals)

        monkeypatch.setattr(store.arrivals, "accept_all", counted)

    assert len(await take_all(settings, wrap)) == 5
    assert sum(portions) == 11
    assert max(portions) <= 4


@pytest.mark.parametrize("what", ["sync", "commit"])
async def test_where_a_go_fails_each_file_is_taken_in_its_own_turn(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    failed: list[str] = []

    def wrap(store: Store) -> None:
        sync, accept_all = Together.sync, store.arrivals.accept_all

        def refused(durable: Together) -> None:
            if not failed:
                failed.append("sync")
                raise OSError(errno.EIO, "Input/output error")
            sync(durable)

        async def locked(arrivals: Sequence[Arrival]) -> list[Job]:
            if not failed:
                failed.append("commit")
                raise Unavailable("the database is locked")
            return await accept_all(arrivals)

        if what == "sync":
            monkeypatch.setattr(Together, "sync", refused)
        else:
            monkeypatch.setattr(store.arrivals, "accept_all", locked)

    assert {job.name for job in await take_all(settings, wrap)} == {"a", "a-2"}
    assert failed == [what]
