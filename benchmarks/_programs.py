"""Programs that do the same work as whole processes, each with the server that it is told of."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks._servers import KEY

WAIT = 0.05
"""Seconds of every wait that a program can be told to cut short."""

_THE_SDK = """
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
    began: float
    """Unix seconds."""
    ended: float
    """Unix seconds: when its results were all there."""


def the_sdk(url: str, file: Path, place: Path) -> Run:
    """Run the SDK's loop; its texts and lines lie in a folder of the place, unsynced."""
    return run([sys.executable, "-c", _THE_SDK, str(file), str(place)], url)


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
    found = run([sys.executable, "-m", "batchd", "run", "--once", *flags], url)
    finished = place / "outbox" / file.stem / "job.json"
    if not finished.exists():
        raise AssertionError("batchd has not finished")
    # Its name is the last thing that is made durable.
    return found._replace(ended=finished.stat().st_ctime)


def run(command: list[str], url: str) -> Run:
    """Run a program to its end.

    Args:
        url: Of the API, as its environment has it.

    Raises:
        AssertionError: It has failed.
    """
    before, began, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.time(), time.perf_counter()
    environment = {**os.environ, "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url}
    with subprocess.Popen(  # noqa: S603  our own command
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        _, said = process.communicate()
    seconds, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise AssertionError(said.decode())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, cpu, began, began + seconds)
