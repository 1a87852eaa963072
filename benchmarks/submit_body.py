"""Taken a large batch: our spooled body against the SDK's create from dicts, to a server that swallows it."""

import asyncio
import json
import math
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from anthropic import AsyncAnthropic
from anthropic.types.messages.batch_create_params import Request
from batchd.edges.api import Api
from batchd.edges.clock import Clock
from batchd.edges.spool import Body, SpoolWriter
from batchd.model import Place, RequestId, Sending, WireRow

from benchmarks._measure import apart, memory, pulse
from benchmarks._report import MB, middle, number, table, times, wants_full
from benchmarks._servers import KEY, plain
from benchmarks.event_loop import many_requests

TAG = "0123456789abcdef0123"


class Taken(NamedTuple):
    """What one sending took."""

    seconds: float
    grown: float
    """MB of memory at the most, beyond what the process had before."""
    blocked: float
    """Milliseconds of the longest callback."""


async def ours(url: str, params: Path, spool: Path) -> Taken:
    """Send as the daemon does, from the params that the intake has spooled.

    Args:
        url: Of the server.
        params: One request's a line.
        spool: Where the spool file goes.
    """
    before = memory()
    with SpoolWriter(spool) as writer, params.open("rb") as lines:
        places = [Place(spool.name, *writer.add(line.rstrip(b"\n"))) for line in lines]
        writer.finish()
    async with (
        Api.connect(key=KEY, base_url=url, per_minute=1000, patience=60, clock=Clock()) as api,
        _taken(before) as done,
    ):
        rows = [WireRow(Sending(RequestId(n), 1), place) for n, place in enumerate(places, start=1)]
        body = Body(spool.parent, TAG, rows)
        await api.create(body.stream(), body.length, (), deadline=math.inf)
    return done()


async def the_sdk(url: str, params: Path, _: Path) -> Taken:
    """Send as the SDK's documentation shows, the file being read line by line.

    Args:
        url: Of the server.
        params: One request's a line.
    """
    async with AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0) as client, _taken(memory()) as done:
        with params.open("rb") as lines:
            requests = [Request(custom_id=f"{TAG}-{row}-1", params=json.loads(line)) for row, line in enumerate(lines)]
        await client.messages.batches.create(requests=requests)
    return done()


@asynccontextmanager
async def _taken(before: float) -> AsyncIterator[Callable[[], Taken]]:
    began, seconds = time.perf_counter(), 0.0
    async with pulse() as found:
        yield lambda: Taken(seconds, memory("VmHWM") - before, found.longest)
    seconds = time.perf_counter() - began


def send(sender: Callable[[str, Path, Path], Awaitable[Taken]], url: str, params: Path, spool: Path) -> Taken:
    """Measure one sending.

    Args:
        sender: Which.
        url: Of the server.
        params: One request's a line.
        spool: Where a spool file may go.
    """

    async def work() -> Taken:
        return await sender(url, params, spool)

    return asyncio.run(work())


def main() -> None:
    """Print the figures."""
    full = wants_full(__doc__)
    with tempfile.TemporaryDirectory() as place:
        params, spool = Path(place, "params"), Path(place, "spool")
        with params.open("wb") as file:
            for line in many_requests(100_000):
                file.write(bytes(msgspec.json.decode(line, type=dict[str, msgspec.Raw])["params"]) + b"\n")
            size = file.tell()
        with plain(params) as url:
            found = {
                name: [apart(send, sender, url, params, spool) for _ in range(5 if full else 2)]
                for name, sender in (("batchd: the spooled bytes", ours), ("SDK: create(requests=[…])", the_sdk))
            }
    seconds = {name: middle([sending.seconds for sending in sendings]) for name, sendings in found.items()}
    slowest = max(seconds.values())
    table(
        f"A batch of 100,000 requests, {size / MB:,.0f} MB",
        ("sender", "seconds", "memory +MB", "loop blocked ms", "ratio"),
        [
            (
                name,
                number(seconds[name], 2),
                number(max(sending.grown for sending in sendings)),
                number(middle([sending.blocked for sending in sendings])),
                times(slowest / seconds[name]),
            )
            for name, sendings in found.items()
        ],
        "Ours reads every byte once, as it is sent.",
    )


if __name__ == "__main__":
    main()
