"""Views of a large installation: each is there within half a second, however many requests there are."""

import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from tests.support.page import served

VIEWS = ("/", "/jobs.json", "/batches", "/costs", "/costs?by=model", "/costs?by=folder")
SOON = 0.5
"""Seconds."""


def grow(home: Path, jobs: int, each: int) -> int:
    """Add finished jobs, and one under way; return its id."""
    database = sqlite3.connect(home / ".batchd" / "batchd.sqlite", isolation_level=None)
    database.execute("PRAGMA foreign_keys = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN")
    now = time.time()
    (first, request, batch) = database.execute(
        "SELECT (SELECT max(id) FROM jobs), (SELECT max(id) FROM requests), (SELECT max(id) FROM batches)"
    ).fetchone()
    for number in range(1, jobs + 2):
        last = number > jobs
        size = each
        job = first + number
        database.execute(
            """INSERT INTO jobs (id, claim, name, source, received_at, total, finished_at, delivered)
               VALUES (?1, ?1, 'nightly/many-' || ?1, 'nightly/many.jsonl', ?2, ?3, ?4, ?5)""",
            (job, now - 1000, size, None if last else now - 500, not last),
        )
        database.execute(
            """INSERT INTO batches (id, state, betas, count, size, nonce, planned_at)
               VALUES (?1, 'settled', '', ?2, 1, 'large-' || ?1, ?3)""",
            (batch + number, size, now - 900),
        )
        database.execute(
            """WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
               INSERT INTO requests (id, job, custom_id, name, model, max_tokens, betas, offset, size, since, verdict)
               SELECT ?3 + i, ?1, 'r' || i, 'r' || i, 'claude-haiku-5-5', 100, '', 0, 1, 0,
                      iif(?4 AND i % 4 = 0, NULL, 'complete') FROM n""",
            (job, size, request, last),
        )
        database.execute(
            """INSERT INTO trips (batch, row, request, outcome, output_tokens, cost, standard_cost, sending)
               SELECT ?1, id - ?2, id, 'succeeded', 10, 1000000, 2000000, 1 FROM requests
               WHERE job = ?3 AND verdict IS NOT NULL""",
            (batch + number, request, job),
        )
        request += size
    database.execute("COMMIT")
    database.execute("ANALYZE")
    database.close()
    return int(first + jobs + 1)


def slow_views(home: Path, job: int) -> list[tuple[str, float]]:
    """The views that took too long, the second time each was asked for."""
    took = []
    with served(home) as visit:
        for path in (*VIEWS, f"/jobs/{job}", f"/jobs/{job - 1}", f"/jobs/{job}.json?after=1"):
            assert visit(path).status == 200, path
            began = time.perf_counter()
            visit(path)
            took.append((path, round(time.perf_counter() - began, 3)))
    print(took)  # noqa: T201  shown where the test fails
    return [(path, seconds) for path, seconds in took if seconds > SOON]


def test_many_jobs_are_leafed_through(seen: Path, tmp_path: Path) -> None:
    home = shutil.copytree(seen, tmp_path / "home")
    job = grow(home, 60, 100)
    with served(home) as visit:
        for path in (*VIEWS, f"/jobs/{job}", f"/jobs/{job}.json?after=1"):
            assert visit(path).status == 200, path
        first = visit("/jobs.json").data
        older = visit(f"/jobs.json?before={first['older']}").data
        assert [len(first["jobs"]), len(older["jobs"]), older["older"]] == [50, 16, None]
        assert not {each["id"] for each in first["jobs"]} & {each["id"] for each in older["jobs"]}


@pytest.mark.slow
def test_a_million_requests_are_no_matter(seen: Path, tmp_path: Path) -> None:
    home = shutil.copytree(seen, tmp_path / "home")
    assert slow_views(home, grow(home, 2_000, 500)) == []
