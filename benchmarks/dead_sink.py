"""Jobs beside a sink that takes nothing: how long each takes from its file to `job.json`, and beside no sink at all.

The dead one is a webhook whose server takes the connection and never answers: each attempt hangs for fifteen seconds.
"""

import json
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from benchmarks._programs import WAIT, run
from benchmarks._report import middle, number, table, times, wants_full
from benchmarks._servers import sandbox
from benchmarks.event_loop import many_requests

LINE = 500
"""Bytes of each request."""


class Times(NamedTuple):
    """What jobs have taken, in seconds."""

    middle: float
    p95: float
    all: float
    """From the first file to the last `job.json`."""


@contextmanager
def dead() -> Iterator[str]:
    """A server that never answers; yields its address."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"


def measure(jobs: int, sinks: Mapping[str, object]) -> Times:
    """Run jobs of ten requests, each a file, until all have finished."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "inbox").mkdir()
        (place / "server").mkdir()
        for job in range(jobs):
            (place / "inbox" / f"job-{job}.jsonl").write_bytes(b"".join(many_requests(10, LINE)))
        settings = {
            **{name: place / name for name in ("inbox", "outbox", "state")},
            "api.requests_per_minute": 100_000,
            "intake.settle": WAIT,
            "intake.duplicate_window": 0,
            "batch.linger": WAIT,
            "poll.initial": WAIT,
        }
        flags = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        with sandbox(place / "server") as url:
            command = [sys.executable, "-m", "batchd", "run", "--once", *flags]
            run(command, url, **({"BATCHD_NOTIFY__SINKS": json.dumps(sinks)} if sinks else {}))
        told = [json.loads(each.read_bytes()) for each in (place / "outbox").glob("*/job.json")]
    if len(told) != jobs:
        raise AssertionError("not all jobs have finished")
    began, ended = (
        [datetime.fromisoformat(each[name]).timestamp() for each in told] for name in ("received_at", "finished_at")
    )
    took = [last - first for first, last in zip(began, ended, strict=True)]
    return Times(middle(took), quantiles(took, n=20)[-1], max(ended) - min(began))


def main() -> None:
    """Print the figures."""
    jobs, runs = (500, 5) if wants_full(__doc__) else (100, 3)
    with dead() as url:
        hung = {"hung": {"url": url, "private": True, "events": ["job.finished"]}}
        found: dict[str, list[Times]] = {"no sink": [], "a sink that hangs": []}
        for _ in range(runs):  # in turns, so that a busy moment strikes both
            found["no sink"].append(measure(jobs, {}))
            found["a sink that hangs"].append(measure(jobs, hung))
    best = middle([each.all for each in found["no sink"]])
    table(
        f"{jobs} jobs of 10 requests, each told of when it has finished",
        ("told to", "job p50 s", "job p95 s", "all s", "time taken"),
        [
            (
                name,
                number(middle([each.middle for each in its]), 2),
                number(middle([each.p95 for each in its]), 2),
                number(middle([each.all for each in its]), 2),
                times(middle([each.all for each in its]) / best),
            )
            for name, its in found.items()
        ],
        "From the file's acceptance to job.json; medians of runs that took turns.",
    )


if __name__ == "__main__":
    main()
