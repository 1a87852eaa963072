"""Takes figures: of a function in a process of its own, of memory, and of an event loop while it works."""

import asyncio
import logging
import re
import time
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ParamSpec, TypeVar

import anyio
import structlog

P = ParamSpec("P")
T = TypeVar("T")

BEAT = 0.005
"""Seconds between two looks at the clock: what is late by more found the loop, or the processor, occupied."""
SPAWN = get_context("spawn")


def apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function in a fresh process, whose memory is its own.

    Args:
        work: A function of a module.
        args: Its arguments.
        kwargs: The same, by name.
    """
    with ProcessPoolExecutor(1, mp_context=SPAWN, initializer=hush) as alone:
        return alone.submit(work, *args, **kwargs).result()


def hush() -> None:
    """Let only what has gone wrong be logged."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def memory(kind: str = "VmRSS") -> float:
    """Say how much memory this process has, in MB.

    Args:
        kind: `VmRSS` for now, `VmHWM` for the most it ever had.
    """
    status = Path("/proc/self/status").read_text("ascii")
    found = re.search(rf"{kind}:\s+(\d+) kB", status)
    if found is None:
        raise LookupError(f"no {kind} in /proc/self/status")
    return int(found[1]) * 1024 / 1e6


@dataclass(slots=True)
class Pulse:
    """How an event loop fared; times in milliseconds, of the wall's clock unless it says otherwise."""

    runs: "array[float]" = field(default_factory=lambda: array("f"))
    """What each callback took, from its begin to its end: so long nothing else could run in the loop."""
    cpu: float = 0.0
    """The most that a callback computed; what it took beyond that it waited for a processor, or for another thread."""
    late: float = 0.0
    """How much too late a sleeper woke, at the worst."""

    @property
    def longest(self) -> float:
        """The longest callback."""
        return max(self.runs, default=0.0)

    def quantile(self, part: float) -> float:
        """What this part of the callbacks did not exceed.

        Args:
            part: From 0 to 1.
        """
        return sorted(self.runs)[min(int(part * len(self.runs)), len(self.runs) - 1)] if self.runs else 0.0


@asynccontextmanager
async def pulse() -> AsyncIterator[Pulse]:
    """Time every callback of the running loop, and a sleeper beside them."""
    found = Pulse()
    with _timed(found):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_beat, found)
            yield found
            tasks.cancel_scope.cancel()


@contextmanager
def _timed(found: Pulse) -> Iterator[None]:
    original = asyncio.Handle._run  # noqa: SLF001  the one place that every callback passes

    def run(handle: asyncio.Handle) -> None:
        began, computed = time.perf_counter(), time.thread_time()
        original(handle)
        found.runs.append((time.perf_counter() - began) * 1e3)
        found.cpu = max(found.cpu, (time.thread_time() - computed) * 1e3)

    asyncio.Handle._run = run  # type: ignore[method-assign]  # noqa: SLF001
    try:
        yield
    finally:
        asyncio.Handle._run = original  # type: ignore[method-assign]  # noqa: SLF001


async def _beat(found: Pulse) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(BEAT)
        found.late = max(found.late, (time.perf_counter() - began - BEAT) * 1e3)


@contextmanager
def idle_beside() -> Iterator[Callable[[], float]]:
    """Let a process that does nothing beat beside the work.

    Yields:
        Ends it, and says by how many milliseconds it was late at the worst: so much is the machine's, not the work's.
    """
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=_idle, args=(there,), daemon=True)
    process.start()
    here.recv()

    def end() -> float:
        here.send(None)
        return float(here.recv())

    try:
        yield end
    finally:
        process.terminate()
        process.join()


def _idle(parent: Connection) -> None:
    async def until_told() -> float:
        async with pulse() as found:
            parent.send(None)
            while not parent.poll():
                await asyncio.sleep(0.1)
        return found.late

    parent.send(asyncio.run(until_told()))
