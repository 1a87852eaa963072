"""A job that ends between two rounds of its documents, with a real store and a real outbox, and no daemon around it."""

import json
import sqlite3
from pathlib import Path

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.decisions.document.draft import Draft
from batchd.edges.clock import Clock
from batchd.edges.drafts import Drafts
from batchd.edges.outbox import JobFolder
from batchd.edges.spool import SpoolWriter
from batchd.edges.store import DATABASE, Arrival, open_store
from batchd.edges.store.requests import NewRequest
from batchd.journey.documents import Documents
from batchd.journey.finishing import Finishing
from batchd.model import RequestId, Wishes
from msgspec import Raw

pytestmark = pytest.mark.anyio

TEXT = "[SECTION: A]\none\n[SECTION: B]\ntw"


async def finished(place: Path, request: NewRequest, *, draft: bool = True) -> dict[str, object]:
    """The line of the report on a request that was given up before its second round, finished twice."""
    for name in ("outbox", "spool", "drafts"):
        (place / name).mkdir()
    with SpoolWriter(place / "spool" / "claim") as spool:
        spool.add(b'{"model":"m"}')
        spool.finish()
    drafts = Drafts(place / "drafts")
    async with open_store(place / DATABASE) as store:
        job = await store.arrivals.accept(
            Arrival(claim="claim", name="job", source="job.json", received_at=0.0, total=1, requests=[request])
        )
        with sqlite3.connect(place / DATABASE) as database:
            database.execute("UPDATE requests SET round = 1, verdict = 'canceled', reason = 'dropped'")
        database.close()
        if draft:
            drafts.write(RequestId(1), 1, Draft(TEXT, "o\n", ended=False, prompt_tokens=9))
        JobFolder(place / "outbox", "job").create()
        documents = Documents(drafts, place / "spool", Catalogue())
        finishing = Finishing(store, Clock(), place / "outbox", place / "spool", documents)
        await finishing.finish(job)
        report = (place / "outbox/job/report.jsonl").read_bytes()
        await finishing.finish(job)
        assert (place / "outbox/job/report.jsonl").read_bytes() == report
    found: dict[str, object] = json.loads(report)
    return found


def a_request(**changes: object) -> NewRequest:
    asked = {"custom_id": "a", "name": "a", "model": "m", "max_tokens": 9, "betas": ()}
    return NewRequest(**{**asked, "offset": 0, "size": 13, **changes})  # type: ignore[arg-type]  # by name


async def test_what_it_had_come_to_is_delivered(tmp_path: Path) -> None:
    row = await finished(tmp_path, a_request(wishes=Wishes(expect=Raw(b'{"sections":2}'))))
    assert (row["verdict"], row["document"]) == ("canceled", "documents/a.md")
    assert (tmp_path / "outbox/job/documents/a.md").read_text() == TEXT + "o\n"
    assert row["sections"] == [
        {"title": "A", "file": "documents/a/01-a.md"},
        {"title": "B", "file": "documents/a/02-b.md"},
    ]


async def test_where_no_document_is_wanted_or_its_draft_is_gone_it_ends_all_the_same(tmp_path: Path) -> None:
    for name, request, draft in (("a", a_request(wishes=Wishes(documents=False)), True), ("b", a_request(), False)):
        (tmp_path / name).mkdir()
        row = await finished(tmp_path / name, request, draft=draft)
        assert (row["verdict"], row["document"]) == ("canceled", None)
