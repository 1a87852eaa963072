"""Small answers end to end, as processes: from a file that is there to `job.json`, beside the SDK's own loop.

Both talk to one sandbox, whose batches end at once, and do all that a user would have to wait for: Python starts, the
file is read, a batch is made, polled and read, and each answer becomes a text and a line of JSONL. The SDK's loop
syncs nothing and keeps no account; batchd makes everything durable before it acknowledges it.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks._report import middle, number, table, times, wants_full
from benchmarks._servers import KEY, sandbox
from benchmarks.event_loop import many_requests

SIZES = (2_000, 20_000)
RUNS = 5
LINE = 500
"""Bytes of each request."""
WAIT = 0.05
"""Seconds of every wait that batchd can be told to cut short."""

THE_SDK = """
import json, sys, time
from pathlib import Path
from anthropic import Anthropic

file, folder = Path(sys.argv[1]), Path(sys.argv[2])
client = Anthropic()
with file.open(encoding="utf-8") as lines:
    batch = client.messages.batches.create(requests=[json.loads(line) for line in lines])
while batch.processing_status != "ended":
    time.sleep(0.05)
    batch = client.messages.batches.retrieve(batch.id)
(folder / "documents").mkdir()
with (folder / "results.jsonl").open("w", encoding="utf-8") as results:
    for entry in client.messages.batches.results(batch.id):
        results.write(entry.to_json(indent=None) + "\\n")
        if entry.result.type == "succeeded":
            text = "".join(block.text for block in entry.result.message.content if block.type == "text")
            (folder / "documents" / f"{entry.custom_id}.md").write_text(text, encoding="utf-8")
"""
"""As the SDK's documentation shows it."""


class Run(NamedTuple):
    """What one run took, of its own process: the server is another."""

    seconds: float
    cpu: float


def the_sdk(url: str, file: Path, place: Path) -> Run:
    """Run the loop; its texts and lines lie in a folder of the place."""
    return _run([sys.executable, "-c", THE_SDK, str(file), str(place)], url)


def batchd(url: str, file: Path, place: Path) -> Run:
    """Run the daemon until there is nothing left to do."""
    (place / "inbox").mkdir()
    os.link(file, place / "inbox" / file.name)
    settings = {
        "inbox": place / "inbox",
        "outbox": place / "outbox",
        "state": place / "state",
        "api.requests_per_minute": 100_000,
        "batch.max_requests": 100_000,
        "intake.settle": WAIT,
        "batch.linger": WAIT,
        "poll.initial": WAIT,
    }
    flags = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    found = _run([sys.executable, "-m", "batchd", "run", "--once", *flags], url)
    if not (place / "outbox" / file.stem / "job.json").exists():
        raise AssertionError("batchd has not finished")
    return found


def _run(command: list[str], url: str) -> Run:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url}
    with subprocess.Popen(  # noqa: S603  our own command
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        _, said = process.communicate()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise AssertionError(said.decode())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, cpu)


def main() -> None:
    """Print the figures."""
    full = wants_full(__doc__)
    for count in SIZES:
        show(count, RUNS if full else 3)


def show(count: int, runs: int) -> None:
    """Measure and print one table; the two take turns, so that a busy moment strikes both."""
    readers = {"the SDK's loop, nothing synced": the_sdk, "batchd, all of it durable": batchd}
    found: dict[str, list[Run]] = {name: [] for name in readers}
    for _ in range(runs):
        for name, read in readers.items():
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder)
                (place / "server").mkdir()
                (place / "work").mkdir()
                file = place / "small.jsonl"
                file.write_bytes(b"".join(many_requests(count, LINE)))
                with sandbox(place / "server") as url:
                    found[name].append(read(url, file, place / "work"))
    seconds = {name: middle([run.seconds for run in each]) for name, each in found.items()}
    least = seconds["the SDK's loop, nothing synced"]
    table(
        f"{count:,} small answers: a file that is there -> texts and JSONL",
        ("program", "seconds", "CPU s", "answers/s", "time taken"),
        [
            (
                name,
                number(seconds[name], 2),
                number(middle([run.cpu for run in each]), 2),
                number(count / seconds[name]),
                times(seconds[name] / least),
            )
            for name, each in found.items()
        ],
    )


if __name__ == "__main__":
    main()
