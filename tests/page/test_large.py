"""Views of a large installation: each is there within half a second, however many requests there are."""

import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from batchd.edges.store import rollup

from tests.support.page import served

VIEWS = ("/", "/jobs.json", "/batches", "/costs", "/costs?by=model", "/costs?by=folder")
SOON = 0.5
"""Seconds."""


def grow(home: Path, jobs: int, each: int) -> int:
    """Add finished jobs of a batch each, and one under way; a quarter of each has failed, for a reason of its own."""
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
            """INSERT INTO jobs (id, claim, name, source, received_at, total, finished_at, delivered, first_request)
               VALUES (?1, ?1, 'nightly/many-' || ?1, 'nightly/many.jsonl', ?2, ?3, ?4, ?5, ?6)""",
            (job, now - 1000, size, None if last else now - 500, not last, request + 1),
        )
        database.execute(
            """INSERT INTO batches (id, state, betas, count, size, nonce, planned_at)
               VALUES (?1, ?4, '', ?2, 1, 'large-' || ?1, ?3)""",
            (batch + number, size, now - 900, "planned" if last else "settled"),
        )
        database.execute(
            """WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
               INSERT INTO requests (id, job, custom_id, name, model, max_tokens, betas, offset, size, since, batch,
                      verdict, reason)
               SELECT ?3 + i, ?1, 'r' || i, 'r' || i, 'claude-haiku-5-5', 100, '', 0, 1, 0,
                      iif(?4 AND i > ?2 / 2, ?5, NULL),
                      CASE WHEN ?4 AND i > ?2 / 2 THEN NULL WHEN i % 4 THEN 'complete' ELSE 'errored' END,
                      iif(i % 4 OR (?4 AND i > ?2 / 2), NULL, 'invalid_request_error: it says "' || i || '"') FROM n""",
            (job, size, request, last, batch + number),
        )
        database.execute(
            """INSERT INTO trips (batch, row, request, outcome, output_tokens, cost, standard_cost, sending)
               SELECT ?1, id - ?2, id, CASE verdict WHEN 'complete' THEN 'succeeded' ELSE verdict END, 10, 1000000,
                      2000000, 1 FROM requests WHERE job = ?3""",
            (batch + number, request, job),
        )
        request += size
    rolled_up(database)
    database.execute("COMMIT")
    database.execute("ANALYZE")
    database.close()
    return int(first + jobs + 1)


def rolled_up(database: sqlite3.Connection) -> None:
    """Make the sums anew that the store keeps beside its trips."""
    columns, sums = ", ".join(rollup.COLUMNS), ", ".join(f"sum({each})" for each in rollup.COLUMNS)
    for table, key in (("spent", "day, sandbox, queue, model, lane"), ("job_batches", "batch, job")):
        database.execute(f"DELETE FROM {table}")  # noqa: S608  our own names
        database.execute(f"INSERT INTO {table} ({key}, {columns}) SELECT {key}, {sums} FROM charges GROUP BY {key}")  # noqa: S608  the same


def slow_views(home: Path, job: int) -> list[tuple[str, float]]:
    """The views that took too long, the second time each was asked for."""
    took = []
    with served(home, content="all") as visit:
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
@pytest.mark.parametrize("jobs", [1, 2_000])
def test_a_million_requests_are_no_matter(seen: Path, tmp_path: Path, jobs: int) -> None:
    home = shutil.copytree(seen, tmp_path / "home")
    assert slow_views(home, grow(home, jobs, 1_000_000 // (jobs + 1))) == []
