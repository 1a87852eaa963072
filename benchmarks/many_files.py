"""Many small files end to end, as a process: a thousand drops of one request each, until every one has its `job.json`.

Each file is a job of its own: taken, checked, spooled, committed, sent, read, written, reported. What is acknowledged
is durable. The time is counted from the moment that the daemon is ready, all files being there, to its end, which the
last finished job brings.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks._report import middle, number, table, wants_full
from benchmarks._servers import KEY, sandbox
from benchmarks.event_loop import many_requests

FILES = (2_000, 20_000)
MANY = 100_000
RUNS = 5
LINE = 500
"""Bytes of each request."""
WAIT = 0.05
"""Seconds of every wait that the daemon can be told to cut short."""


class Run(NamedTuple):
    """What one run took, of its own process: the server is another."""

    seconds: float
    """From ready to the end."""
    cpu: float
    """From its start to its end."""
    start: float
    """Seconds from its start to ready."""


def batchd(url: str, place: Path, files: int) -> Run:
    """Run the daemon until every file is a finished job.

    Args:
        url: Of the API.
        place: The folders; the inbox is full.
        files: How many there are.
    """
    settings = {
        "inbox": place / "inbox",
        "outbox": place / "outbox",
        "state": place / "state",
        "api.requests_per_minute": 100_000,
        "intake.settle": WAIT,
        "batch.linger": WAIT,
        "poll.initial": WAIT,
    }
    flags = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    environment = {**os.environ, "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url}
    before, began, ready = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), 0.0
    with subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "batchd", "run", "--once", *flags],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said = ""
        for line in process.stderr or ():
            said = line
            if "event=ready" in line:
                ready = time.perf_counter()
    ended, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode or sum((folder / "job.json").exists() for folder in (place / "outbox").iterdir()) != files:
        raise AssertionError(f"not every file became a finished job: {said}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(ended - ready, cpu, ready - began)


def measure(files: int) -> Run:
    """Fill an inbox, and have it emptied."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("inbox", "server"):
            (place / name).mkdir()
        for drop, line in enumerate(many_requests(files, LINE)):
            (place / "inbox" / f"drop-{drop}.jsonl").write_bytes(line)
        with sandbox(place / "server") as url:
            return batchd(url, place, files)


def main() -> None:
    """Print the figures."""
    full = wants_full(__doc__)
    rows = []
    for files in (*FILES, MANY) if full else FILES[:1]:
        runs = [measure(files) for _ in range(1 if files == MANY else RUNS if full else 3)]
        seconds, cpu = middle([run.seconds for run in runs]), middle([run.cpu for run in runs])
        rows.append(
            (number(files), number(seconds, 1), number(cpu, 1), number(files / seconds), f"{cpu / files * 1e3:.2f}")
        )
    table(
        "Files of one request each, from ready to the last job.json",
        ("files", "seconds", "CPU s", "finished/s", "CPU ms each"),
        rows,
    )


if __name__ == "__main__":
    main()
