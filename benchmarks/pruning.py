"""`batchd prune` over a year's requests, beside somebody who commits: how long they wait, and what becomes of the file.

The state is made with rows alone, as the daemon leaves them; whoever commits does so in a process of their own, each a
hundredth of a second after the last, as a daemon that is busy would.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import anyio
from batchd.edges.store import DATABASE, open_store, rollup

from benchmarks._report import MB, number, table, wants_full

PER_JOB = 10_000
"""Requests of a job, and of the batch that it travelled in."""
LONGEST = 150.0
"""Milliseconds that a commit may wait."""
_PAUSE = 0.01
_DAY = 86_400
_ROWS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {jobs})
INSERT INTO jobs (id, claim, name, source, received_at, total, finished_at, delivered)
SELECT i, 'claim ' || i, 'job-' || i, 'job-' || i || '.jsonl', {now} - 400 * {day} + i * 3000,
    {per_job}, {now} - 399 * {day} + i * 3000, 1 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {jobs})
INSERT INTO batches (id, state, betas, count, size, nonce, planned_at)
SELECT i, 'dissolved', '', {per_job}, 1, 'nonce ' || i, {now} - 400 * {day} + i * 3000 FROM n;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {jobs} * {per_job} - 1)
INSERT INTO requests (id, job, custom_id, name, model, max_tokens, betas, offset, size, since, verdict)
SELECT i + 1, i / {per_job} + 1, 'ticket ' || i, 'ticket-' || i, 'claude-haiku-5-5', 4096, '', i * 400, 400, 0,
    iif(i % 50, 'complete', 'truncated') FROM n;
INSERT INTO trips (batch, row, request, outcome, input_tokens, output_tokens, cost, standard_cost)
SELECT job, id, id, 'succeeded', 200, 90, 325000000 + id, 650000000 + id FROM requests;
INSERT INTO spent (day, sandbox, queue, model, lane, {columns})
SELECT day, sandbox, queue, model, lane, {sums} FROM charges GROUP BY 1, 2, 3, 4, 5;
PRAGMA wal_checkpoint(TRUNCATE);
"""


class Run(NamedTuple):
    """How it went."""

    seconds: float
    commits: int
    longest: float
    """Milliseconds."""
    p99: float
    before: int
    """Bytes of the file."""
    after: int
    same: bool
    """Whether every sum of `costs` is what it was."""


async def make(state: Path, jobs: int) -> None:
    """Make a state of finished jobs, a year old and more."""
    async with open_store(state / DATABASE):
        pass
    script = _ROWS.format(jobs=jobs, per_job=PER_JOB, now=int(time.time()), day=_DAY, columns=", ".join(rollup.COLUMNS),
                          sums=rollup.SUMS)  # fmt: skip
    with closing(sqlite3.connect(state / DATABASE)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        raw.executescript(script)


def batchd(place: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start a command on the state."""
    places = [part for name in ("inbox", "outbox", "state") for part in ("--set", f"{name}={place / name}")]
    return subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "batchd", *words, *places], stdout=subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"}
    )


def costs(place: Path) -> list[object]:
    """What `batchd costs` says, by all that it can be asked by."""
    told = []
    for by in ("day", "model", "job"):
        out, _ = batchd(place, "costs", "--by", by, "--days", "500", "--json").communicate()
        told.append(json.loads(out)["spent"])
    return told


async def prune(place: Path) -> tuple[float, list[float], int]:
    """Prune beside commits; the seconds of it, the milliseconds of each commit, and bytes of the file at the end."""
    waits: list[float] = []
    async with open_store(place / "state" / DATABASE) as store:
        began = time.perf_counter()
        command = batchd(place, "prune", "--older-than", "90d", "--what", "rows", "--json")
        async with anyio.create_task_group() as tasks:

            async def commit() -> None:
                while True:
                    at = time.perf_counter()
                    await store.facts.note_settings(None)
                    waits.append((time.perf_counter() - at) * 1e3)
                    await anyio.sleep(_PAUSE)

            tasks.start_soon(commit)
            await anyio.to_thread.run_sync(command.communicate)
            seconds = time.perf_counter() - began
            tasks.cancel_scope.cancel()
        if command.returncode:
            raise AssertionError("prune has failed")
        await store.database.give_back_log()
    return seconds, waits, (place / "state" / DATABASE).stat().st_size


def measure(jobs: int) -> Run:
    """Make a state, and prune it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("inbox", "outbox", "state"):
            (place / name).mkdir(mode=0o700)
        asyncio.run(make(place / "state", jobs))
        before, size = costs(place), (place / "state" / DATABASE).stat().st_size
        seconds, waits, after = asyncio.run(prune(place))
        p99 = sorted(waits)[int(len(waits) * 0.99)]
        return Run(seconds, len(waits), max(waits), p99, size, after, costs(place) == before)


def main() -> None:
    """Print the figures."""
    jobs = 100 if wants_full(__doc__) else 5
    run = measure(jobs)
    table(
        "Pruning the rows of a year, beside a commit every hundredth of a second",
        ("requests", "seconds", "commits", "p99 ms", "max ms", "MB before", "MB after", "costs", "met"),
        [
            (
                f"{jobs * PER_JOB:,}",
                number(run.seconds, 1),
                number(run.commits),
                number(run.p99, 1),
                number(run.longest, 1),
                number(run.before / MB),
                number(run.after / MB),
                "same" if run.same else "DIFFER",
                "yes" if run.longest < LONGEST and run.same and run.after < run.before else "NO",
            )
        ],
        f"Limit: {LONGEST:.0f} ms for the longest wait of a commit.",
    )


if __name__ == "__main__":
    main()
