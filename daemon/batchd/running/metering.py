"""What is measured, gathered when somebody asks; and whether this daemon is able to work.

It reads by a connection of its own, so that the work waits for no scrape; and not more often than a bound.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from pathlib import Path
from shutil import disk_usage
from typing import Final

import anyio
import structlog
from anyio import to_thread

from batchd.claude.catalogue import Catalogue
from batchd.decisions import figures
from batchd.decisions.figures import Family
from batchd.decisions.measures import Limits, Measures, families_of
from batchd.edges import exposition
from batchd.edges.api import Api
from batchd.edges.api.meter import BOUNDS
from batchd.edges.clock import Clock
from batchd.edges.listener import Answer, listening
from batchd.edges.store import Place, Store, look_into_store
from batchd.errors import BatchdError
from batchd.running.departure import Departure

log = structlog.get_logger()

TEXTFILE: Final = 30.0
"""Seconds between two writings of the file."""
_BEAT: Final = 1.0
_ALIVE: Final = 30.0
"""Seconds for which the loop may stand."""
_AT_LEAST: Final = 1.0
"""Seconds between two readings; more where one takes long."""
_SHARE: Final = 10.0
"""How many times as long as a reading took the next one is put off."""
_NO_SPACE: Final = 50_000_000
"""Bytes below which nothing more is to be expected of a disk."""
_PATIENCE: Final = 5.0
_PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where all that is measured comes from."""

    store: Store
    database: Place
    outbox: Path
    state: Path
    api: Api
    clock: Clock
    departure: Departure
    catalogue: Catalogue
    restoring: Callable[[], bool]


class Metering:
    """Tells how the daemon is, in numbers and in a word."""

    def __init__(self, of: Sources, limits: Limits, *, listen: str, textfile: str, queues: int) -> None:
        """Make one.

        Args:
            of: What is measured.
            limits: Budgets, which are told beside what is used of them.
            listen: Where it answers; empty for nowhere.
            textfile: What is written; empty for nothing.
            queues: Folders that are told apart.
        """
        self._of = of
        self._limits = limits
        self._listen = listen
        self._textfile = textfile
        self._queues = queues
        self._beaten_at = anyio.current_time()
        self._heartbeat = of.clock.now()
        self._reading = anyio.Lock()
        self._read: list[Family] = []
        self._again_at = 0.0
        if self.wanted:
            exposition.require()

    @property
    def wanted(self) -> bool:
        """Whether anybody asks."""
        return bool(self._listen or self._textfile)

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Answer for as long as the block lasts, where that is wanted.

        Raises:
            Unusable: The address cannot be had.
        """
        if not self._listen:
            yield
            return
        answers: dict[str, Answer] = {"/metrics": self._metrics, "/healthz": self._health, "/readyz": self._ready}
        async with listening(self._listen, answers) as where:
            log.info("metrics", at=where)
            yield

    async def run(self) -> None:
        """Beat, and write the file, for ever; return at once where nobody asks."""
        if not self.wanted:
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._beat)
            if self._textfile:
                tasks.start_soon(self._write)

    async def _beat(self) -> None:
        while True:
            self._beaten_at = anyio.current_time()
            self._heartbeat = self._of.clock.now()
            await anyio.sleep(_BEAT)

    async def _write(self) -> None:
        failing = False
        while True:
            try:
                families = await self._families()
                await to_thread.run_sync(exposition.write, Path(self._textfile), families)
                failing = False
            except (OSError, BatchdError) as error:
                if not failing:
                    said = error.strerror if isinstance(error, OSError) else None
                    log.warning("metrics not written", file=self._textfile, reason=said or type(error).__name__)
                failing = True
            await self._of.clock.sleep(TEXTFILE)

    async def _health(self) -> tuple[int, str, bytes]:
        alive = anyio.current_time() - self._beaten_at < _ALIVE
        return (200, _PLAIN, b"ok\n") if alive else (503, _PLAIN, b"standing\n")

    async def _ready(self) -> tuple[int, str, bytes]:
        word = await self.unready()
        return (200, _PLAIN, b"ready\n") if word is None else (503, _PLAIN, f"{word}\n".encode())

    async def unready(self) -> str | None:
        """Say in a word what keeps the daemon from its work; None where nothing does. Held jobs do not."""
        if self._of.restoring():
            return "recovering"
        if self._of.departure.parked:
            return "parked"
        try:
            with anyio.fail_after(_PATIENCE):
                pauses = await self._of.store.pauses.all()
        except (BatchdError, TimeoutError):
            return "database"
        if any(pause.folder is None for pause in pauses):
            return "paused"
        free = await to_thread.run_sync(self._free)
        return "disk" if min(free.values()) < _NO_SPACE else None

    async def _metrics(self) -> tuple[int, str, bytes]:
        try:
            families = await self._families()
        except BatchdError as error:
            log.warning("metrics without the database", reason=str(error))
            families = self._of_process()
        return 200, exposition.CONTENT_TYPE, await to_thread.run_sync(exposition.text, families)

    async def _families(self) -> list[Family]:
        async with self._reading:
            if anyio.current_time() >= self._again_at:
                began = anyio.current_time()
                free = await to_thread.run_sync(self._free)
                sizes = await to_thread.run_sync(self._sizes)
                self._read = [*self._of_store(await self._measures()), *_of_disk(free, sizes)]
                took = anyio.current_time() - began
                self._again_at = anyio.current_time() + max(_AT_LEAST, _SHARE * took)
            return [*self._read, *self._of_process()]

    async def _measures(self) -> Measures:
        now = datetime.fromtimestamp(self._of.clock.now(), UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        async with look_into_store(self._of.database) as store:
            return await store.measures.read(midnight=midnight.timestamp(), month=midnight.replace(day=1).timestamp())

    def _free(self) -> dict[str, int]:
        return {"outbox": disk_usage(self._of.outbox).free, "state": disk_usage(self._of.state).free}

    def _sizes(self) -> dict[str, int]:
        if not isinstance(self._of.database, Path):
            return {}
        files = {"main": self._of.database, "wal": Path(f"{self._of.database}-wal")}
        return {name: file.stat().st_size if file.exists() else 0 for name, file in files.items()}

    def _of_process(self) -> list[Family]:
        meter, parked = self._of.api.meter, self._of.departure.parked
        durations = {
            operation: (_cumulated(counts), meter.seconds[operation]) for operation, counts in meter.within.items()
        }
        return [
            figures.gauge("batchd_heartbeat_timestamp_seconds", "When the event loop last turned.", self._heartbeat),
            figures.table(
                "gauge",
                "batchd_parked",
                "Whether nothing is sent, and why.",
                ("reason",),
                {(reason,): float(reason in parked) for reason in ("key", "money", "endpoint", "refused")},
            ),
            figures.table(
                "counter",
                "batchd_api_requests",
                "Calls of the API by this process.",
                ("operation", "outcome"),
                {key: float(count) for key, count in meter.calls.items()},
            ),
            figures.histogram(
                "batchd_api_request_duration_seconds", "How long they took.", "operation", BOUNDS, durations
            ),
            figures.table(
                "counter",
                "batchd_quota_wait_seconds",
                "Seconds for which calls have waited for their turn.",
                (),
                {(): meter.waited},
            ),
        ]

    def _of_store(self, measured: Measures) -> list[Family]:
        def is_known(model: str) -> bool:
            return self._of.catalogue.find(model).known

        told = families_of(measured, queues=self._queues, is_known=is_known, limits=self._limits)
        return [_build(measured), *told]


def _of_disk(free: dict[str, int], sizes: dict[str, int]) -> list[Family]:
    return [
        figures.table(
            "gauge",
            "batchd_disk_free_bytes",
            "Free for whom the daemon runs as.",
            ("place",),
            {(place,): float(size) for place, size in free.items()},
        ),
        figures.table(
            "gauge",
            "batchd_database_bytes",
            "Size of the database.",
            ("file",),
            {(name,): float(size) for name, size in sizes.items()},
        ),
    ]


def _build(measured: Measures) -> Family:
    try:
        number = version("batchd")
    except PackageNotFoundError:
        number = "unknown"
    return figures.gauge(
        "batchd_build_info",
        "Always 1; the labels say what runs.",
        1.0,
        version=number,
        schema=str(measured.schema),
        api="sandbox" if measured.sandbox else "real",
    )


def _cumulated(counts: list[int]) -> list[int]:
    return list(accumulate(counts))
