"""Streams of results share one sync and one order of lines: with a real store and a real outbox, and no daemon."""

import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.claude.batch_body import new_nonce
from batchd.claude.catalogue import Catalogue
from batchd.delivery import Delivery
from batchd.edges import durable
from batchd.edges.clock import Clock
from batchd.edges.drafts import Drafts
from batchd.edges.outbox import JobFolder
from batchd.edges.store import DATABASE, Arrival, NewRequest, Store, open_store
from batchd.journey import group_commit
from batchd.journey.documents import Documents
from batchd.journey.group_commit import GroupCommit, Written
from batchd.journey.shares import Group, Share
from batchd.model import Batch, Job, Plan, RequestId, Verdict

pytestmark = pytest.mark.anyio


class Office:
    """Two batches of one job, and one of another, each of three requests."""

    def __init__(self, place: Path, store: Store) -> None:
        self.outbox, self.store = place / "outbox", store
        for folder in (self.outbox, place / "drafts"):
            folder.mkdir()
        documents = Documents(Drafts(place / "drafts"), place, Catalogue())
        self.commit = GroupCommit(store, Clock(), self.outbox, documents)
        self.jobs: list[Job] = []
        self.batches: list[Batch] = []

    async def fill(self) -> None:
        for name, count in (("a", 6), ("b", 3)):
            requests = [NewRequest(f"r{n}", f"r{n}", "claude-haiku-4-5", 300, (), n, 1) for n in range(count)]
            arrival = Arrival(claim=name, name=name, source=name, received_at=0.0, total=count, requests=requests)
            self.jobs.append(await self.store.arrivals.accept(arrival))
            JobFolder(self.outbox, name).create()
        for first in (1, 4, 7):
            plan = Plan(tuple(RequestId(first + n) for n in range(3)), (), 3)
            await self.store.batches.plan([plan], now=0.0, nonce=new_nonce)
        self.batches = list(await self.store.batches.unfinished())

    def group(self, batch: int, row: int) -> Group:
        job = self.jobs[batch // 2]
        name = f"r{batch * 3 % 6 + row}"
        delivery = Delivery(row, RequestId(batch * 3 + row + 1), "succeeded", Verdict.COMPLETE, "", "end_turn")
        share = Share(JobFolder(self.outbox, job.name), [delivery], [name.encode(), b"\n"])
        share.files.append((f"documents/{name}.md", name))
        return Group(frozenset({row}), {job.id: share})

    async def write(self, batch: int, row: int) -> Written:
        return await self.commit.write(self.batches[batch], self.group(batch, row))

    def results(self, job: str) -> str:
        return (self.outbox / job / "results.jsonl").read_text()

    async def acknowledged(self) -> list[int]:
        """Bytes of each job's lines, and how many rows of each batch have their outcome."""
        found = await self.store.deliveries.results_lengths([job.id for job in self.jobs])
        lengths = [found[job.id] for job in self.jobs]
        return [*lengths, *[3 - await self.store.deliveries.undelivered(batch.id) for batch in self.batches]]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_store(tmp_path / DATABASE) as store:
        office = Office(tmp_path, store)
        await office.fill()
        yield office


async def test_what_several_streams_have_written_is_synced_at_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []
    monkeypatch.setattr(durable, "syncs_as_one", lambda _: True)
    monkeypatch.setattr(durable, "sync_file_system", syncs.append)
    written = [await office.write(batch, row) for row in range(3) for batch in range(3)]
    assert await office.acknowledged() == [0, 0, 0, 0, 0]
    async with anyio.create_task_group() as tasks:
        for each in written:
            tasks.start_soon(office.commit.acknowledge, each)
    assert len(syncs) == 2, "the files, and then their names"
    assert await office.acknowledged() == [18, 9, 3, 3, 3]
    assert office.results("a") == "r0\nr3\nr1\nr4\nr2\nr5\n"
    names = sorted(file.name for file in (office.outbox / "a" / "documents").iterdir())
    assert names == [f"r{number}.md" for number in range(6)]


async def test_nothing_is_acknowledged_before_it_is_durable(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    at_sync: list[list[int]] = []
    named: list[bool] = []

    def look(_: int) -> None:
        at_sync.append(anyio.from_thread.run(office.acknowledged))
        named.append((office.outbox / "a" / "documents" / "r0.md").exists())

    monkeypatch.setattr(durable, "syncs_as_one", lambda _: True)
    monkeypatch.setattr(durable, "sync_file_system", look)
    assert await office.commit.acknowledge(await office.write(0, 0)) == {}
    assert (at_sync, named) == ([[0, 0, 0, 0, 0]] * 2, [False, True])
    assert await office.acknowledged() == [3, 0, 1, 0, 0]


async def test_the_folder_that_documents_are_put_in_is_durable_before_they_are_acknowledged(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync, deliver = os.fsync, office.store.deliveries.deliver

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    async def delivered(*arguments: Any, **named: Any) -> None:
        job = office.outbox / "a"
        made = synced.index(job / "documents" / ".r0.md.part")
        assert job / "documents" in synced[made:], "the name of the document"
        assert job in synced[made:], "the name of its folder"
        await deliver(*arguments, **named)

    monkeypatch.setattr(durable, "syncs_as_one", lambda _: False)
    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(office.store.deliveries, "deliver", delivered)
    assert await office.commit.acknowledge(await office.write(0, 0)) == {}
    assert await office.acknowledged() == [3, 0, 1, 0, 0]


async def test_a_sync_that_fails_loses_all_that_was_begun(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells of whatever was written by then, once: no later sync tells again of what is not durable."""
    meanwhile: list[Written] = []

    async def write_more() -> None:
        meanwhile.append(await office.write(2, 0))

    def refused(_: int) -> None:
        anyio.from_thread.run(write_more)
        monkeypatch.setattr(durable, "sync_file_system", lambda _: None)
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(durable, "syncs_as_one", lambda _: True)
    monkeypatch.setattr(durable, "sync_file_system", refused)
    troubles = await office.commit.acknowledge(await office.write(0, 0))
    assert [str(trouble) for trouble in troubles.values()] == ["the outbox: Input/output error"]
    assert list(await office.commit.acknowledge(meanwhile[0])) == [office.jobs[1].id]
    assert await office.acknowledged() == [0, 0, 0, 0, 0]
    for batch in (0, 2):
        assert await office.commit.acknowledge(await office.write(batch, 0)) == {}
    assert await office.acknowledged() == [3, 3, 1, 0, 1]
    assert (office.results("a"), office.results("b")) == ("r0\n", "r0\n")


async def test_lines_behind_lost_ones_are_lost_with_them(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledged length would cover the lost ones, too: they would stand in the file twice."""
    behind: list[Written] = []

    async def write_behind() -> None:
        behind.extend([await office.write(1, 0), await office.write(2, 0)])

    def synced(_: int) -> None:
        if not behind:
            anyio.from_thread.run(write_behind)

    monkeypatch.setattr(durable, "syncs_as_one", lambda _: True)
    monkeypatch.setattr(durable, "sync_file_system", synced)
    with monkeypatch.context() as patch:
        patch.setattr(JobFolder, "give_names", broken)
        assert list(await office.commit.acknowledge(await office.write(0, 0))) == [office.jobs[0].id]
    assert list(await office.commit.acknowledge(behind[0])) == [office.jobs[0].id]
    assert await office.commit.acknowledge(behind[1]) == {}
    assert await office.acknowledged() == [0, 3, 0, 0, 1]
    for batch in (0, 1):
        assert await office.commit.acknowledge(await office.write(batch, 0)) == {}
    assert office.results("a") == "r0\nr3\n"


async def test_what_cannot_be_written_is_its_own_trouble(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(JobFolder, "write_hidden", broken)
        bad = await office.write(0, 0)
    good = await office.write(2, 0)
    assert list(await office.commit.acknowledge(bad)) == [office.jobs[0].id]
    assert await office.commit.acknowledge(good) == {}
    assert await office.acknowledged() == [0, 3, 0, 0, 1]
    assert await office.commit.acknowledge(await office.write(0, 1)) == {}
    assert office.results("a") == "r1\n"


def broken(*_: object) -> None:
    raise OSError(28, os.strerror(28))


async def test_a_commit_that_fails_is_that_of_its_batch(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver = office.store.deliveries.deliver

    async def unwilling(batch: Batch, *rest: Any, **more: Any) -> None:
        if batch.id == office.batches[0].id:
            raise ZeroDivisionError
        await deliver(batch, *rest, **more)

    monkeypatch.setattr(office.store.deliveries, "deliver", unwilling)
    bad, good = await office.write(0, 0), await office.write(2, 0)
    with pytest.raises(ZeroDivisionError):
        await office.commit.acknowledge(bad)
    assert await office.commit.acknowledge(good) == {}
    assert await office.acknowledged() == [0, 3, 0, 0, 1]


async def test_no_more_is_written_than_a_crash_may_leave(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "UNACKNOWLEDGED_LINES", 2)
    written = [await office.write(0, row) for row in range(2)]
    third: list[Written] = []

    async def write_on() -> None:
        third.append(await office.write(0, 2))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write_on)
        await anyio.wait_all_tasks_blocked()
        assert not third
        tasks.start_soon(partial(office.commit.acknowledge, written[0]))
    assert await office.commit.acknowledge(third[0]) == {}
    assert office.results("a") == "r0\nr1\nr2\n"
