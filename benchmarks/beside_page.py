"""Commits of the daemon's store while people look at the page, beside the same while nobody does."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
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
TURN = 1.5
"""Seconds until the other is measured: what else the machine does meets both alike."""
SETTLE = 0.3


def arrival(name: str, rows: int) -> Arrival:
    """A job as the inbox brings it."""
    made = [NewRequest(f"r{n}", f"r{n}", "claude-haiku-4-5", 100, (), n * 10, 9, 10**9) for n in range(rows)]
    return Arrival(name, name, "a.jsonl", received_at=time.time(), total=rows, requests=made)


def waited() -> float:
    """For how many milliseconds threads of this process were ready to run, and had no processor."""
    files = Path("/proc/self/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[1]) for each in files) / 1e6


async def commit(store: Store, name: str, seconds: float) -> tuple[list[float], float]:
    """Commit for so long; return how many milliseconds each took, and for how many each waited for a processor."""
    took: list[float] = []
    before, until = waited(), time.perf_counter() + seconds
    while time.perf_counter() < until:
        each = arrival(f"{name}-{len(took)}", ROWS)
        began = time.perf_counter()
        await store.arrivals.accept(each)
        took.append(1_000 * (time.perf_counter() - began))
        await anyio.sleep(TICK)
    return took, (waited() - before) / len(took)


def look(port: int) -> None:
    """Look at one view after the other, without a pause, until it is ended."""
    at = 0
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", VIEWS[(at := at + 1) % len(VIEWS)])
        connection.getresponse().read()
        connection.close()


@contextmanager
def page(place: Path) -> Iterator[list[BaseProcess]]:
    """The page of an installation, and clients that look at it once they are woken."""
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
    clients: list[BaseProcess] = [
        get_context("spawn").Process(target=look, args=(port,), daemon=True) for _ in range(CLIENTS)
    ]
    try:
        for each in clients:
            each.start()
        time.sleep(2)
        tell(clients, signal.SIGSTOP)
        yield clients
    finally:
        for each in clients:
            each.kill()
            each.join()
        serving.terminate()
        serving.wait()


def tell(clients: Sequence[BaseProcess], what: signal.Signals) -> None:
    """Let clients go on, or wait."""
    for each in clients:
        if each.pid is not None:
            os.kill(each.pid, what)


async def main(jobs: int, turns: int) -> None:
    """Alternate between the two, and print what each took."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("inbox", "outbox", "state"):
            (place / name).mkdir()
        async with open_store(place / "state" / DATABASE) as store:
            for first in range(0, jobs, 50):
                await store.arrivals.accept_all([arrival(f"old-{first + n}", 500) for n in range(50)])
            alone, beside = [], []
            with page(place) as clients:
                for at in range(turns):
                    await anyio.sleep(SETTLE)
                    alone.append(await commit(store, f"alone-{at}", TURN))
                    tell(clients, signal.SIGCONT)
                    await anyio.sleep(SETTLE)
                    beside.append(await commit(store, f"beside-{at}", TURN))
                    tell(clients, signal.SIGSTOP)

    def figures(runs: list[tuple[list[float], float]]) -> tuple[float, float, float]:
        took = list(chain.from_iterable(each for each, _ in runs))
        return median(took), quantiles(took, n=100)[98], median(waits for _, waits in runs)

    nobody, people = figures(alone), figures(beside)
    table(
        f"Commits of {ROWS} requests into a store of {jobs * 500:,}, {turns} turns of {TURN} s each",
        ("", "median ms", "p99 ms", "waited for a processor ms"),
        [
            ("nobody looks", *(number(each, 1) for each in nobody)),
            (f"{CLIENTS} clients look at the page without pause", *(number(each, 1) for each in people)),
            ("ratio", *(times(beside / alone) for alone, beside in zip(nobody, people, strict=True))),
        ],
        "Each is a process of its own; the page gives way to the daemon (niceness 10), its clients do not.",
    )


if __name__ == "__main__":
    if wants_full(__doc__):
        anyio.run(main, 2_000, 40)
    else:
        anyio.run(main, 100, 8)
