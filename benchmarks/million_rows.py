"""A million rows, end to end: the memory of the daemon over the whole job, and each row compared with what was asked.

`python -m benchmarks.million_rows [ROWS]`, or `make million`. It fails where a row is missing, asked twice, out of
order or changed, and where the daemon took more memory than it may. The sandbox is a process of its own.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from benchmarks._servers import KEY, sandbox

ROWS: Final = 1_000_000
MOST_MEMORY: Final = 150.0
"""MB of resident memory, at any moment of the job."""
ODD: Final = ("007", "1e5", " x ", "two\nlines", "semi;colon", '"quoted"', "=1+1", "ä", "", "-5.00")
"""Cells that a table program would change."""
INSTRUCTIONS: Final = """---
model: claude-haiku-5-5
max_tokens: 100
---
{{ number }}|{{ odd }}|{{ row["Which answer"] }}"""


def source_row(number: int) -> tuple[str, str, str]:
    """The cells of a row."""
    return str(number), ODD[number % len(ODD)], f"[sandbox: answer A{number}]"


def write_table(path: Path, rows: int) -> None:
    """Write the table as a spreadsheet program does: a mark, CRLF, quotes where they are needed."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(("number", "odd", "Which answer"))
        writer.writerows(map(source_row, range(rows)))


def run(url: str, place: Path) -> tuple[float, float]:
    """Run the daemon to the end; returns its seconds, and the most memory that it had, in MB."""
    settings = {
        **{name: place / name for name in ("inbox", "outbox", "state")},
        "api.requests_per_minute": 100_000,
        "api.max_queued_requests": 1_000_000,
        "batch.max_requests": 10_000,
        "intake.settle": 0.1,
        "batch.linger": 0.1,
        "poll.initial": 0.2,
        "poll.max": 5.0,
    }
    flags = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "batchd", "run", "--once", "--quiet", *flags]
    environment = {**os.environ, "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url}
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment)  # noqa: S603  our own command
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise AssertionError(f"batchd ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss * 1024 / 1e6


def prompts(server: Path) -> Iterator[str]:
    """What the sandbox was asked, batch by batch."""
    for body in (server / "bodies").iterdir():
        for request in msgspec.json.decode(body.read_bytes())["requests"]:
            yield request["params"]["messages"][0]["content"]


def compare_asked(server: Path, rows: int) -> None:
    """Hold what was asked against the rows: each once, and as it was."""
    seen = bytearray(rows)
    for prompt in prompts(server):
        number = int(prompt.split("|", 1)[0])
        if prompt != "|".join(source_row(number)) or seen[number]:
            raise AssertionError(f"row {number} was asked twice, or changed: {prompt!r}")
        seen[number] = 1
    if not all(seen):
        raise AssertionError(f"{rows - sum(seen):,} rows were never asked")


def compare_answers(path: Path, rows: int) -> None:
    """Hold the table of answers against the rows: the same cells, in order, each with its own answer."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        found = csv.reader(file, delimiter=";", strict=True)
        if next(found) != ["number", "odd", "Which answer", "answer", "verdict", "reason", "cost_usd"]:
            raise AssertionError("the header is another")
        number = -1
        for number, row in enumerate(found):
            if tuple(row[:3]) != source_row(number) or row[3:6] != [f"A{number}", "complete", ""]:
                raise AssertionError(f"row {number} is another: {row}")
        if number != rows - 1:
            raise AssertionError(f"{number + 1:,} rows of {rows:,}")


def whole_way(place: Path, rows: int) -> tuple[float, float]:
    """Send a table through, compare it, and return seconds and MB."""
    server = place / "server"
    for folder in (server, place / "inbox" / "q"):
        folder.mkdir(parents=True)
    (place / "inbox" / "q" / ".batchd.md").write_text(INSTRUCTIONS, "utf-8")
    write_table(place / "inbox" / "q" / "table.csv", rows)
    with sandbox(server) as url:
        found = run(url, place)
    compare_asked(server, rows)
    compare_answers(place / "outbox" / "q" / "table" / "results.csv", rows)
    return found


def main() -> None:
    """Print seconds and memory."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        seconds, memory = whole_way(Path(folder), rows)
    print(f"{rows:,} rows: {seconds:,.0f} s, {rows / seconds:,.0f} rows/s, at most {memory:.0f} MB; all as they came")
    if memory > MOST_MEMORY:
        raise SystemExit(f"more than {MOST_MEMORY:.0f} MB")


if __name__ == "__main__":
    main()
