"""Small answers end to end, as processes: from a file that is there to `job.json`, beside the SDK's own loop.

Both talk to one sandbox, whose batches end at once, and do all that a user would have to wait for: Python starts, the
file is read, a batch is made, polled and read, and each answer becomes a text and a line of JSONL. The SDK's loop
syncs nothing and keeps no account; batchd makes everything durable before it acknowledges it.
"""

import tempfile
from pathlib import Path

from benchmarks import _programs
from benchmarks._programs import Program, Run
from benchmarks._report import middle, number, table, times, wants_full
from benchmarks._servers import sandbox
from benchmarks.event_loop import many_requests

SIZES = (2_000, 20_000)
RUNS = 5
LINE = 500
"""Bytes of each request."""
THE_SDK = "the SDK's loop, nothing synced"


def main() -> None:
    """Print the figures."""
    full = wants_full(__doc__)
    for count in SIZES:
        show(count, RUNS if full else 3)


def show(count: int, runs: int) -> None:
    """Measure and print one table; they take turns, so that a busy moment strikes both."""
    readers: dict[str, Program] = {THE_SDK: _programs.the_sdk, "batchd, all of it durable": _programs.batchd}
    readers |= _programs.installed()
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
    least = seconds[THE_SDK]
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
