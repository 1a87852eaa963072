"""Thousands of batches under way at one time: what a sleeping courier takes."""

import asyncio
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import anyio
from batchd.app import prepared, serve
from batchd.claude.batch_body import new_nonce
from batchd.edges.store import DATABASE, Arrival, NewRequest, Store, open_store
from batchd.model import BatchId, Evidence, Intent, Plan, RemoteId, RequestId
from batchd.settings import Api, Settings

from benchmarks._measure import apart, memory
from benchmarks._report import number, table, wants_full
from benchmarks._servers import KEY

FAR = 20 * 3600.0
"""Seconds until the first poll: no call is made here."""


class Rest(NamedTuple):
    """A daemon that has nothing to do but wait."""

    memory: float
    """MB."""
    cpu: float
    """Part of one processor."""
    ready: float
    """Seconds until all couriers slept."""


def settings_of(place: Path) -> Settings:
    """Say where the daemon lives; it would reach no API.

    Args:
        place: Its folders.
    """
    return Settings(
        inbox=place / "inbox",
        outbox=place / "outbox",
        state=place / "state",
        api=Api(base_url="http://127.0.0.1:9", max_queued_requests=1_000_000),
    )


def fill(place: Path, batches: int) -> None:
    """Bring a store to where so many batches are being processed.

    Args:
        place: The daemon's folders.
        batches: How many, of one request each.
    """

    async def work() -> None:
        async with open_store(prepared(settings_of(place)).state / DATABASE) as store:
            now = time.time()
            await store.arrivals.accept(
                Arrival(
                    claim="bench",
                    name="bench",
                    source="bench.jsonl",
                    received_at=now,
                    total=batches,
                    requests=[NewRequest(f"r{n}", f"r{n}", "claude-haiku-4-5", 300, (), n, 1) for n in range(batches)],
                )
            )
            requests = await store.queue.waiting(batches)
            await store.batches.plan([Plan((RequestId(r.id),), (), 1) for r in requests], now=now, nonce=new_nonce)
            for batch in (await store.agenda.due()).live:
                await _submitted(store, batch, now)

    asyncio.run(work())


async def _submitted(store: Store, batch_id: BatchId, now: float) -> None:
    batch = await store.batches.get(batch_id)
    batch = await store.batches.intend(batch, Intent(1, None, now))
    remote = RemoteId(f"msgbatch_{batch_id}")
    await store.batches.adopt(
        batch, remote, Evidence.ANSWER, now=now, next_poll_at=now + FAR, expires_at=now + 24 * 3600
    )


def rest(place: Path, seconds: float) -> Rest:
    """Run the daemon until it sleeps, then watch it sleep.

    Args:
        place: Its folders.
        seconds: How long to watch.
    """

    async def work() -> Rest:
        async with anyio.create_task_group() as tasks:
            began = time.perf_counter()
            tasks.start_soon(serve, settings_of(place), KEY)
            busy = 1.0
            while busy > 0.2:  # noqa: PLR2004  the start keeps a whole processor busy
                before = time.process_time()
                await anyio.sleep(0.5)
                busy = (time.process_time() - before) / 0.5
            ready = time.perf_counter() - began
            before = time.process_time()
            await anyio.sleep(seconds)
            found = Rest(memory(), (time.process_time() - before) / seconds, ready)
            os.kill(os.getpid(), signal.SIGTERM)
        return found

    return asyncio.run(work())


def main() -> None:
    """Print the figures."""
    full = wants_full(__doc__)
    counts, seconds = ((0, 2_000, 10_000), 70.0) if full else ((0, 2_000), 8.0)
    found: dict[int, Rest] = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as place:
            if count:
                apart(fill, Path(place), count)
            found[count] = apart(rest, Path(place), seconds)
    table(
        "Batches under way, each with its courier asleep until the next poll",
        ("batches", "MB", "KB a courier", "CPU at rest", "seconds to rest"),
        [
            (
                number(count),
                number(at_rest.memory),
                number((at_rest.memory - found[0].memory) * 1000 / count, 1) if count else "-",
                f"{at_rest.cpu:.1%}",
                number(at_rest.ready, 1),
            )
            for count, at_rest in found.items()
        ],
    )


if __name__ == "__main__":
    main()
