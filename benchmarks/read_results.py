"""Reading a result stream: our reader against the SDK's own loop, over HTTP, from a process that sends a file."""

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from anthropic import AsyncAnthropic
from batchd.claude import result_line
from batchd.edges.api import Api
from batchd.edges.api.lines import cut_lines
from batchd.edges.clock import Clock
from batchd.model import RemoteId

from benchmarks._measure import apart, memory
from benchmarks._report import MB, middle, number, table, times, wants_full
from benchmarks._servers import BATCH, KEY, plain, write_results

_CURL = "curl to a file, unread"
FILES = ((20, 1_200_000), (20_000, 2_000))
"""Lines, and bytes of the answer in each: 300,000 tokens are some 1.2 MB."""


Reader = Callable[[str, Callable[[], None]], Awaitable[int]]
"""Given the server's URL and what to call once the client is made: counts the lines that succeeded."""


class Reading(NamedTuple):
    """What one reading took."""

    seconds: float
    lines: int
    grown: float
    """MB of memory at the most, beyond what the process had before."""


async def ours(url: str, begin: Callable[[], None]) -> int:
    """Read as the daemon does.

    Args:
        url: Of the server.
        begin: Starts the clock.
    """
    count = 0
    async with Api.connect(key=KEY, base_url=url, per_minute=1000, patience=60, clock=Clock()) as api:
        begin()
        async with api.results(RemoteId(BATCH), None) as pieces:
            async for raw in cut_lines(pieces):
                count += result_line.read(raw).result.type == "succeeded"
    return count


async def the_sdk(url: str, begin: Callable[[], None]) -> int:
    """Read as the SDK's documentation shows.

    Args:
        url: Of the server.
        begin: Starts the clock.
    """
    count = 0
    async with AsyncAnthropic(api_key=KEY, base_url=url) as client:
        begin()
        async for entry in await client.messages.batches.results(BATCH):
            count += entry.result.type == "succeeded"
    return count


async def nobody(url: str, begin: Callable[[], None]) -> int:
    """Take the bytes and look at none: what server and client could do at the most.

    Args:
        url: Of the server.
        begin: Starts the clock.
    """
    async with AsyncAnthropic(api_key=KEY, base_url=url) as client:
        begin()
        async with client.messages.batches.with_streaming_response.results(BATCH) as response:
            async for _ in response.iter_bytes():
                pass
    return 0


def curl(url: str) -> Reading:
    """Let curl write the bytes to a file, unread and unsynced.

    Args:
        url: Of the server.
    """
    with tempfile.TemporaryDirectory() as place:
        command = ["curl", "--silent", "--fail", "--output", f"{place}/results", f"{url}/{BATCH}/results"]
        began = time.perf_counter()
        subprocess.run(command, check=True)  # noqa: S603  our own command
        return Reading(time.perf_counter() - began, 0, 0.0)


def read(reader: Reader, url: str) -> Reading:
    """Measure one reading.

    Args:
        reader: Which.
        url: Of the server.
    """

    async def timed() -> Reading:
        began = before = 0.0

        def begin() -> None:
            nonlocal began, before
            before, began = memory(), time.perf_counter()

        lines = await reader(url, begin)
        return Reading(time.perf_counter() - began, lines, memory("VmHWM") - before)

    return asyncio.run(timed())


def main() -> None:
    """Print the figures."""
    full = wants_full(__doc__)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "results.jsonl")
        with plain(file) as url:
            for lines, size in FILES:
                write_results(file, (b"aaaaaaaaaaaaaaaa_1-%d" % row for row in range(lines)), size)
                show(url, lines, file.stat().st_size, full=full)


def show(url: str, lines: int, size: int, *, full: bool) -> None:
    """Measure and print one table.

    Args:
        url: Of the server.
        lines: Of the file.
        size: The file's.
        full: Whether to read more often.
    """
    readers = (("batchd", ours, 3), ("SDK: async for entry in results()", the_sdk, 1), ("bytes, unread", nobody, 3))
    found = {
        name: [apart(read, reader, url) for _ in range(runs * (3 if full else 1))] for name, reader, runs in readers
    }
    for name in ("batchd", "SDK: async for entry in results()"):
        if any(reading.lines != lines for reading in found[name]):
            raise AssertionError(f"{name} has not read every line")
    seconds = {name: middle([reading.seconds for reading in readings]) for name, readings in found.items()}
    if shutil.which("curl"):
        found[_CURL] = [curl(url) for _ in range(3 * (3 if full else 1))]
        seconds[_CURL] = middle([reading.seconds for reading in found[_CURL]])
    slowest = max(seconds.values())
    table(
        f"Results of {lines:,} lines, {size / lines / 1000:,.0f} KB each ({size / MB:,.0f} MB)",
        ("reader", "seconds", "MB/s", "lines/s", "memory +MB", "ratio"),
        [
            (
                name,
                number(seconds[name], 2),
                number(size / MB / seconds[name], 1),
                number(lines / seconds[name]),
                number(max(reading.grown for reading in found[name])),
                times(slowest / seconds[name]),
            )
            for name in found
        ],
    )


if __name__ == "__main__":
    main()
