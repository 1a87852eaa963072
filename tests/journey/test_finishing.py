"""A job comes to its end: what is written, in which order, and what stays; over a real store and a real outbox."""

import json
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.edges.clock import Clock
from batchd.edges.drafts import Drafts
from batchd.edges.outbox import JobFolder
from batchd.edges.spool import SpoolWriter
from batchd.edges.store import DATABASE, Arrival, NewRequest, Store, open_store
from batchd.journey.documents import Documents
from batchd.journey.finishing import Finishing
from batchd.model import Job

pytestmark = pytest.mark.anyio


@dataclass
class Place:
    folder: Path
    store: Store
    job: Job

    @property
    def finishing(self) -> Finishing:
        documents = Documents(Drafts(self.folder / "drafts"), self.folder / "spool", Catalogue())
        return Finishing(self.store, Later(), self.folder / "outbox", self.folder / "spool", documents)

    @property
    def reports(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (self.folder / "outbox/job").iterdir() if file.is_file()}

    @property
    def params(self) -> Path:
        return self.folder / "spool/claim"

    def change(self, sql: str) -> None:
        with closing(sqlite3.connect(self.folder / DATABASE)) as database, database:
            database.execute(sql)


class Later(Clock):
    """Each time it is asked it is a minute later."""

    asked = 0.0

    def now(self) -> float:
        Later.asked += 60.0
        return Later.asked


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    for name in ("outbox", "spool", "drafts"):
        (tmp_path / name).mkdir()
    with SpoolWriter(tmp_path / "spool/claim") as spool:
        spool.add(b'{"model":"m"}')
        spool.finish()
    async with open_store(tmp_path / DATABASE) as store:
        requests = [NewRequest("a", "a", "m", 9, (), 0, 13)]
        job = await store.arrivals.accept(Arrival("claim", "job", "job.jsonl", 0.0, 1, requests))
        JobFolder(tmp_path / "outbox", "job").create()
        yield Place(tmp_path, store, job)


async def test_a_job_that_is_finished_twice_has_the_same_reports_and_keeps_its_moment(place: Place) -> None:
    place.change("UPDATE requests SET verdict = 'complete'")
    await place.finishing.finish(place.job)
    first = place.reports
    assert set(first) == {"job.json", "report.jsonl", "results.jsonl"}
    await place.finishing.finish(place.job)
    assert place.reports == first


async def test_what_a_retry_would_send_again_stays_and_what_nothing_needs_goes(place: Place) -> None:
    place.change("UPDATE requests SET verdict = 'errored', reason = 'overloaded_error'")
    await place.finishing.finish(place.job)
    assert json.loads(place.reports["failures.jsonl"])["params"] == {"model": "m"}
    assert place.params.read_bytes().startswith(b'{"model":"m"}')
    place.change("UPDATE requests SET verdict = 'complete'")
    await place.finishing.finish(place.job)
    assert not place.params.exists()


async def test_a_finished_job_is_no_longer_said_to_be_held(place: Place) -> None:
    JobFolder(place.folder / "outbox", "job").write_whole("held.json", [b"{}"])
    place.change("UPDATE requests SET verdict = 'complete'")
    await place.finishing.finish(place.job)
    assert "held.json" not in place.reports


class Full(JobFolder):
    """A folder on a disk that takes no report."""

    def write_whole(self, file: str, chunks: Iterable[bytes]) -> int:
        if file == "report.jsonl":
            raise OSError(28, "No space left on device")
        return super().write_whole(file, chunks)


async def test_there_is_no_summary_before_its_report(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.change("UPDATE requests SET verdict = 'complete'")
    monkeypatch.setattr("batchd.journey.finishing.JobFolder", Full)
    with pytest.raises(OSError, match="No space"):
        await place.finishing.finish(place.job)
    assert "job.json" not in place.reports
    assert not (await place.store.jobs.get(place.job.id)).delivered
