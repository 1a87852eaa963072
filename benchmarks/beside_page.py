"""Commits of the daemon's store while people look at the page, beside the same with no page."""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles

import anyio
from batchd.edges.store import DATABASE, Arrival, NewRequest, Store, open_store

from benchmarks._report import number, table, times, wants_full

TICK = 0.005
"""Seconds between two commits, each of `ROWS` requests."""
ROWS = 50
CLIENTS = 5
VIEWS = ("/", "/batches", "/costs")


def arrival(name: str, rows: int) -> Arrival:
    """A job as the inbox brings it."""
    made = [NewRequest(f"r{n}", f"r{n}", "claude-haiku-4-5", 100, (), n * 10, 9, 10**9) for n in range(rows)]
    return Arrival(name, name, "a.jsonl", received_at=time.time(), total=rows, requests=made)


async def commit(store: Store, name: str, seconds: float) -> list[float]:
    """Commit for so long, and return how many milliseconds each commit took."""
    took, number_, until = [], 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        each = arrival(f"{name}-{(number_ := number_ + 1)}", ROWS)
        began = time.perf_counter()
        await store.arrivals.accept(each)
        took.append(1_000 * (time.perf_counter() - began))
        await anyio.sleep(TICK)
    return took


def look(port: int) -> None:
    """Look at one view after the other, without a pause, until it is ended."""
    at = 0
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", VIEWS[(at := at + 1) % len(VIEWS)])
        connection.getresponse().read()
        connection.close()


@contextmanager
def page(place: Path) -> Iterator[None]:
    """The page of an installation, at which five clients look."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = [f"--{name}={place / name}" for name in ("inbox", "outbox", "state")]
    command = [sys.executable, "-m", "batchd", "page", *places, f"--listen=127.0.0.1:{port}"]
    settings = place / "batchd.toml"
    settings.touch()
    serving = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "BATCHD_CONFIG": str(settings)})  # noqa: S603  our own words
    if serving.stdout is not None:
        serving.stdout.readline()
    clients = [get_context("spawn").Process(target=look, args=(port,), daemon=True) for _ in range(CLIENTS)]
    try:
        for each in clients:
            each.start()
        time.sleep(2)
        yield
    finally:
        for each in clients:
            each.kill()
            each.join()
        serving.terminate()
        serving.wait()


async def main(jobs: int, rounds: int, seconds: float) -> None:
    """Alternate between the two, and print the medians."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("inbox", "outbox", "state"):
            (place / name).mkdir()
        async with open_store(place / "state" / DATABASE) as store:
            for first in range(0, jobs, 50):
                await store.arrivals.accept_all([arrival(f"old-{first + n}", 500) for n in range(50)])
            alone, beside = [], []
            for at in range(rounds):
                alone.append(await commit(store, f"alone-{at}", seconds))
                with page(place):
                    beside.append(await commit(store, f"beside-{at}", seconds))

    def figures(runs: list[list[float]]) -> tuple[float, float]:
        return median(median(run) for run in runs), median(quantiles(run, n=100)[98] for run in runs)

    (half, most), (half_beside, most_beside) = figures(alone), figures(beside)
    table(
        f"Commits of {ROWS} requests into a store of {jobs * 500:,}, {rounds} runs by turns",
        ("", "median ms", "p99 ms"),
        [
            ("no page", number(half, 1), number(most, 1)),
            (f"{CLIENTS} clients look at the page without pause", number(half_beside, 1), number(most_beside, 1)),
            ("ratio", times(half_beside / half), times(most_beside / most)),
        ],
        "The page and its clients are processes of their own; they share the processors with the one that commits.",
    )


if __name__ == "__main__":
    if wants_full(__doc__):
        anyio.run(main, 2_000, 5, 10.0)
    else:
        anyio.run(main, 100, 3, 5.0)
