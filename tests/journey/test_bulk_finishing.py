"""Many small jobs are finished together as each would be by itself, with a real store and a real outbox."""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.edges import durable
from batchd.edges.clock import Clock
from batchd.edges.drafts import Drafts
from batchd.edges.outbox import JobFolder
from batchd.edges.store import DATABASE, Arrival, NewRequest, Store, open_store
from batchd.journey.bulk_finishing import BulkFinishing
from batchd.journey.documents import Documents
from batchd.journey.finishing import Finishing
from batchd.model import Job, JobId
from batchd.notice import NewNotice

pytestmark = pytest.mark.anyio


@dataclass
class Place:
    """An installation without a daemon, with jobs whose requests are complete."""

    folder: Path
    store: Store
    jobs: list[Job]

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    def change(self, sql: str) -> None:
        with closing(sqlite3.connect(self.folder / DATABASE)) as database, database:
            database.execute(sql)

    async def one_by_one(self) -> None:
        for job in self.jobs:
            await self.single.finish(job)

    @property
    def single(self) -> Finishing:
        documents = Documents(Drafts(self.folder / "drafts"), self.folder / "spool", Catalogue())
        return Finishing(self.store, Clock(), self.outbox, self.folder / "spool", documents)

    async def together(self) -> set[str]:
        bulk = BulkFinishing(self.store, Clock(), self.outbox, self.folder / "spool", self.single)
        finished = await bulk.finish(self.jobs)
        return {job.name for job in self.jobs if job.id in finished}

    def files(self) -> dict[str, bytes]:
        return {str(file.relative_to(self.outbox)): file.read_bytes() for file in self.outbox.rglob("*.*")}


@asynccontextmanager
async def place(folder: Path, count: int = 3) -> AsyncIterator[Place]:
    for name in ("outbox", "spool", "drafts"):
        (folder / name).mkdir(parents=True)
    async with open_store(folder / DATABASE) as store:
        requests = [NewRequest(f"r{n}", f"r{n}", "claude-haiku-4-5", 9, (), n * 14, 13) for n in range(2)]
        jobs = await store.arrivals.accept_all(
            [Arrival(f"claim-{n}", f"job-{n}", f"job-{n}.jsonl", 5.0, len(requests), requests) for n in range(count)]
        )
        for job in jobs:
            JobFolder(folder / "outbox", job.name).create()
            (folder / "outbox" / job.name / "results.jsonl").write_text("{}\n")
            (folder / "outbox" / job.name / "held.json").write_text("{}")
            (folder / "spool" / job.claim).write_text('{"model":"m"}\n' * 2)
        found = Place(folder, store, jobs)
        found.change("UPDATE requests SET verdict = 'complete', document = 'documents/' || name || '.md'")
        found.change("UPDATE jobs SET finished_at = 7")
        yield found


async def test_together_they_end_as_each_would_by_itself(tmp_path: Path) -> None:
    async with place(tmp_path / "one") as one:
        await one.one_by_one()
    async with place(tmp_path / "all") as all_:
        assert await all_.together() == {job.name for job in all_.jobs}
        assert await all_.store.jobs.all_delivered()
        written = all_.files()
        assert written == one.files()
        assert {file.rpartition("/")[2] for file in written} == {"job.json", "report.jsonl", "results.jsonl"}
        assert not list((all_.folder / "spool").iterdir())
        await all_.together()
        assert all_.files() == written


@pytest.mark.parametrize(
    "unusual",
    [
        "UPDATE requests SET verdict = 'truncated' WHERE id = 1",
        "UPDATE requests SET verdict = NULL WHERE id = 1",
        "UPDATE requests SET round = 1 WHERE id = 1",
    ],
)
async def test_what_is_not_complete_or_was_continued_has_its_own_turn(tmp_path: Path, unusual: str) -> None:
    async with place(tmp_path) as all_:
        all_.change(unusual)
        assert await all_.together() == {"job-1", "job-2"}
        assert not (all_.outbox / "job-0" / "job.json").exists()


@pytest.mark.parametrize("lacking", ["results.jsonl", "job-0"])
async def test_a_folder_that_takes_no_reports_keeps_no_other(tmp_path: Path, lacking: str) -> None:
    async with place(tmp_path) as all_:
        folder = all_.outbox / "job-0"
        (folder / "results.jsonl").unlink()
        if lacking == "job-0":
            (folder / "held.json").unlink()
            folder.rmdir()
        assert await all_.together() == {"job-1", "job-2"}
        assert [job.name for job in await all_.store.jobs.recent(0)] == ["job-0"]


async def test_a_name_that_cannot_be_given_keeps_no_other(tmp_path: Path) -> None:
    async with place(tmp_path) as all_:
        (all_.outbox / "job-0" / "report.jsonl").mkdir()
        assert await all_.together() == {"job-1", "job-2"}
        assert not (all_.outbox / "job-0" / "job.json").exists()


@pytest.mark.parametrize("way", ["as one", "one by one"])
async def test_nothing_is_named_or_acknowledged_before_what_it_stands_for_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    order: list[str] = []
    rename, sync = os.rename, durable.Together.sync

    def named(old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        order.append(new)
        rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def synced(together: durable.Together) -> None:
        sync(together)
        order.append("synced")

    monkeypatch.setattr(durable, "syncs_as_one", lambda _: way == "as one")
    async with place(tmp_path, 2) as all_:
        monkeypatch.setattr(os, "rename", named)
        monkeypatch.setattr(durable.Together, "sync", synced)
        deliver = all_.store.jobs.deliver

        async def delivered(*jobs: JobId, notices: Iterable[NewNotice] = ()) -> None:
            order.append("acknowledged")
            await deliver(*jobs, notices=notices)

        monkeypatch.setattr(all_.store.jobs, "deliver", delivered)
        await all_.together()
    assert order == ["synced", *["report.jsonl"] * 2, "synced", *["job.json"] * 2, "synced", "acknowledged"]
