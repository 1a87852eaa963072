"""Takes figures: of a function in a process of its own, of memory, and of an event loop while it works."""

import asyncio
import logging
import os
import re
import threading
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
    """How an event loop fared; times in milliseconds."""

    runs: "array[float]" = field(default_factory=lambda: array("f"))
    """How long each callback kept the loop: from begin to end, waits for other threads of this process included, but
    not those in the kernel's queue for a processor, which tell of the machine and not of us."""
    cpu: float = 0.0
    """The most that all threads together computed in one callback's time: where it is far less than the longest
    callback took, another thread held the interpreter and waited for a processor."""
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
    with open(f"/proc/self/task/{threading.get_native_id()}/schedstat", "rb") as schedule:  # noqa: PTH123

        def clock() -> float:
            """Milliseconds without those that this thread was ready for while no processor was free."""
            queued = os.pread(schedule.fileno(), 64, 0).split()[1]
            return time.perf_counter() * 1e3 - int(queued) / 1e6

        def run(handle: asyncio.Handle) -> None:
            began, computed = clock(), time.process_time()
            original(handle)
            if not schedule.closed:
                found.runs.append(clock() - began)
                found.cpu = max(found.cpu, (time.process_time() - computed) * 1e3)

        setattr(asyncio.Handle, "_run", run)  # noqa: B010  mypy takes no assignment to a method
        try:
            yield
        finally:
            setattr(asyncio.Handle, "_run", original)  # noqa: B010  as above


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
            await asyncio.to_thread(parent.poll, None)
        return found.late

    parent.send(asyncio.run(until_told()))
