"""Programs that do the same work as whole processes, each with the server that it is told of."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

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


Program: TypeAlias = Callable[[str, Path, Path], Run]
"""Does a file of requests with the API of a URL; what it makes lies in a folder."""


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


def run(command: list[str], url: str, **variables: str) -> Run:
    """Run a program to its end.

    Args:
        url: Of the API, as its environment has it.
        variables: Of that environment, too.

    Raises:
        AssertionError: It has failed.
    """
    before, began, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.time(), time.perf_counter()
    environment = {**os.environ, "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url, **variables}
    with subprocess.Popen(  # noqa: S603  our own command
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        _, said = process.communicate()
    seconds, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise AssertionError(said.decode())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, cpu, began, began + seconds)


PEERS = Path(sys.prefix, "peers")
"""Where `make peers` installs the peers, each with an SDK of its own: they ask for other releases of it than we do."""

_STEADYBATCH = """
import json, sys
from pathlib import Path
from steadybatch import Request, Runner
from steadybatch.providers.anthropic_batch import AnthropicBatch

file, folder = Path(sys.argv[1]), Path(sys.argv[2])
with file.open(encoding="utf-8") as lines:
    asked = [json.loads(line) for line in lines]
params = asked[0]["params"]
requests = [Request(each["custom_id"], each["params"]["messages"], max_tokens=params["max_tokens"]) for each in asked]
runner = Runner(AnthropicBatch(), params["model"], checkpoint=folder / "job.sqlite", poll_every=0.05)
(folder / "documents").mkdir()
for result in runner.run(requests).results:
    (folder / "documents" / f"{result.key}.md").write_text(result.text, encoding="utf-8")
"""


def batchwizard(url: str, file: Path, place: Path) -> Run:
    """Run BatchWizard, which writes the lines of the results, and no texts."""
    told = ["--provider", "anthropic", "--check-interval", "0", "--output-directory", str(place / "out")]
    command = [str(PEERS / "batchwizard" / "bin" / "batchwizard"), "process", str(file), *told]
    return run(command, url, HOME=str(place))


def steadybatch(url: str, file: Path, place: Path) -> Run:
    """Run a script over steadybatch that writes the texts; it keeps every answer in its checkpoint."""
    return run([str(PEERS / "steadybatch" / "bin" / "python"), "-c", _STEADYBATCH, str(file), str(place)], url)


def installed() -> dict[str, Program]:
    """The peers that are here, by their names."""
    known: dict[str, Program] = {"BatchWizard (lines alone)": batchwizard, "steadybatch": steadybatch}
    return {name: each for name, each in known.items() if (PEERS / each.__name__).is_dir()}
