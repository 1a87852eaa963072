"""Long answers end to end, as processes: from the first byte that is asked for to `job.json`, beside curl.

The server sends files that lie ready, so it can be no bottleneck. curl writes them to a file and looks at nothing; the
SDK's loop and the peers sync nothing, and get fewer answers, since they read some MB a second. What the disk can do at
all is told beside: each answer is written twice, as a line and as a document, and once it is acknowledged it is there.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks import _programs
from benchmarks._programs import Program, Run
from benchmarks._report import MB, middle, number, table, times, wants_full
from benchmarks._servers import BATCH, answering

ANSWERS = 200
FEWER = 10
"""Answers for whatever would take minutes for all of them."""
SIZE = 1_000_000
"""Bytes of text in each."""
RUNS = 5
OURS, CURL, THE_SDK = "batchd, all of it durable", "curl to a file, unread", "the SDK's loop, nothing synced"
THE_DISK = "the same bytes out of memory, synced once"


def requests(count: int) -> Iterator[bytes]:
    """Write a job of so many requests."""
    for number_ in range(count):
        message = {"role": "user", "content": f"Write book {number_}."}
        params = {"model": "claude-sonnet-4-6", "max_tokens": 64_000, "messages": [message]}
        yield msgspec.json.encode({"custom_id": f"book-{number_}", "params": params}) + b"\n"


def curl(url: str, _: Path, place: Path) -> Run:
    """Let curl fetch what the program before it has asked for."""
    results = f"{url}/v1/messages/batches/{BATCH}_0/results"
    return _programs.run(["curl", "--silent", "--fail", "--output", str(place / "results"), results], url)


def taken(programs: list[Program], count: int) -> list[tuple[float, float]]:
    """MB a second and CPU seconds of programs, one after the other, with one server and one file of requests."""
    found: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "server").mkdir()
        file = place / "long.jsonl"
        file.write_bytes(b"".join(requests(count)))
        with answering(place / "server", SIZE) as url:
            for program in programs:
                asked, work = place / "server" / "asked", place / program.__name__
                asked.unlink(missing_ok=True)
                work.mkdir()
                run = program(url, file, work)
                size = (place / "server" / "0").stat().st_size / MB
                found.append((size / (run.ended - float(asked.read_text("ascii"))), run.cpu))
                shutil.rmtree(work)
    return found


def the_disk() -> tuple[float, float]:
    """MB of answers a second, and CPU seconds, where nothing is done but to write each as a line and as a document."""
    answer = os.urandom(SIZE)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        began, cpu = time.perf_counter(), time.process_time()
        with (place / "results").open("wb", buffering=0) as results:
            for number_ in range(ANSWERS):
                results.write(answer)
                (place / str(number_)).write_bytes(answer)
        os.sync()
        return ANSWERS * SIZE / MB / (time.perf_counter() - began), time.process_time() - cpu


def main() -> None:
    """Print the figures."""
    runs = RUNS if wants_full(__doc__) else 3
    have_curl = [curl] if shutil.which("curl") else []
    peers = _programs.installed()
    ours = [taken([_programs.batchd, *have_curl], ANSWERS) for _ in range(runs)]
    others = [taken([_programs.the_sdk, *peers.values()], FEWER) for _ in range(runs)]
    names = [OURS, *([CURL] if have_curl else []), THE_SDK, *peers, THE_DISK]
    of_all = [*zip(*ours, strict=True), *zip(*others, strict=True), [the_disk() for _ in range(runs)]]
    speed = {name: middle([rate for rate, _ in each]) for name, each in zip(names, of_all, strict=True)}
    table(
        f"{ANSWERS} answers of {SIZE / MB:.0f} MB: the first byte asked for -> all written",
        ("program", "MB/s", "CPU s", "batchd is"),
        [
            (
                name,
                number(speed[name], 1),
                number(middle([cpu for _, cpu in each]), 2),
                times(speed[OURS] / speed[name]),
            )
            for name, each in zip(names, of_all, strict=True)
        ],
        f"Medians of {runs}. The SDK's loop and the peers get {FEWER} answers. CPU: of whole processes, with imports.",
    )


if __name__ == "__main__":
    main()
