"""The whole daemon at its largest jobs: the most memory it takes, and the longest that its event loop stands still."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from batchd.app import serve
from batchd.edges.api import Api
from batchd.edges.clock import Clock
from batchd.settings import Api as ApiTable
from batchd.settings import Poll, Settings

from benchmarks._measure import apart, idle_beside, memory, pulse
from benchmarks._report import MB, number, table, wants_full
from benchmarks._servers import KEY, sandbox

MOST_MEMORY = 200.0
"""MB that the daemon may take."""
LONGEST = 50.0
"""Milliseconds that a callback may keep the event loop."""
BETA = "output-300k-2026-03-24"


class Run(NamedTuple):
    """How one job went."""

    seconds: float
    idle: float
    """MB before it began."""
    most: float
    callbacks: int
    longest: float
    p999: float
    cpu: float
    late: float


def many_requests(count: int, size: int = 2_000) -> Iterator[bytes]:
    """Write a job of many small requests.

    Args:
        count: How many.
        size: Bytes of each line.
    """
    prompt = "[sandbox: words 20] " + "Say in a few words what this record is about. " * (size // 46)
    for number_ in range(count):
        params = {"model": "claude-haiku-4-5", "max_tokens": 300, "messages": [{"role": "user", "content": ""}]}
        line = msgspec.json.encode({"custom_id": f"record-{number_}", "params": params})
        yield line.replace(b'"content":""', b'"content":"' + prompt[: size - len(line) - 1].encode() + b'"') + b"\n"


def long_answers(count: int, words: int = 185_000) -> Iterator[bytes]:
    """Write a job of requests with long answers.

    Args:
        count: How many.
        words: Of each answer: some 1 MB.
    """
    yield msgspec.json.encode({"job": {"betas": [BETA]}}) + b"\n"
    for number_ in range(count):
        message = {"role": "user", "content": f"[sandbox: words {words}] Write book {number_}."}
        params = {"model": "claude-sonnet-4-6", "max_tokens": 300_000, "messages": [message]}
        yield msgspec.json.encode({"custom_id": f"book-{number_}", "params": params}) + b"\n"


def daemon(place: Path, url: str) -> Run:
    """Run the daemon until every job has finished.

    Args:
        place: Its folders.
        url: Of the API.
    """
    settings = Settings(
        inbox=place / "inbox",
        outbox=place / "outbox",
        state=place / "state",
        api=ApiTable(base_url=url, requests_per_minute=100_000),
        poll=Poll(initial=0.5, max=2.0),
    )

    async def work() -> Run:
        async with Api.connect(key=KEY, base_url=url, per_minute=1, patience=1, clock=Clock()) as api:
            await api.client()  # what this imports is imported before anything else can have to wait
        async with pulse() as found:
            idle, began = memory(), time.perf_counter()
            if not await serve(settings, KEY, once=True):
                raise AssertionError("the job did not come to a good end")
            seconds = time.perf_counter() - began
        most = memory("VmHWM")
        return Run(seconds, idle, most, len(found.runs), found.longest, found.quantile(0.999), found.cpu, found.late)

    return asyncio.run(work())


def measure(job: Iterator[bytes]) -> tuple[float, Run, float]:
    """Give a job to a daemon and a sandbox of its own.

    Args:
        job: The lines of its file.

    Returns:
        MB of the file, how it went, and by how much a process that did nothing was late meanwhile.
    """
    place = Path(tempfile.mkdtemp())
    try:
        (place / "inbox").mkdir()
        with (place / "inbox" / "job.jsonl").open("wb") as file:
            file.writelines(job)
            size = file.tell() / MB
        with sandbox(place / "api") as url, idle_beside() as end:
            run = apart(daemon, place, url)
            return size, run, end()
    finally:
        shutil.rmtree(place)


def main() -> None:
    """Print the figures."""
    full = wants_full(__doc__)
    requests, answers = (100_000, 400) if full else (10_000, 60)
    rows = []
    for name, job in (
        (f"{requests:,} requests of 2 KB", many_requests(requests)),
        (f"{answers} answers of 1 MB", long_answers(answers)),
    ):
        size, run, idle_late = measure(job)
        rows.append(
            (
                f"{name} ({size:,.1f} MB dropped)",
                number(run.seconds, 1),
                number(run.idle),
                number(run.most),
                number(run.callbacks),
                number(run.p999, 1),
                number(run.longest, 1),
                number(run.cpu, 1),
                number(run.late, 1),
                number(idle_late, 1),
                "yes" if run.most < MOST_MEMORY and run.longest < LONGEST else "NO",
            )
        )
    table(
        "The whole daemon, from the inbox to job.json",
        (
            "job",
            "seconds",
            "MB idle",
            "MB peak",
            "callbacks",
            "p99.9 ms",
            "max ms",
            "max CPU ms",
            "late ms",
            "idle late",
            "met",
        ),
        rows,
        f"Limits: {MOST_MEMORY:.0f} MB, and {LONGEST:.0f} ms in a callback, less its waits for a free processor."
        "\n  Late: a sleeper in the daemon's loop, at the worst; idle late: one in a process that does nothing.",
    )


if __name__ == "__main__":
    main()
