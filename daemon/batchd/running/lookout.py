"""The lookout: sees what is worth a notice though nothing happens, and keeps dead man's switches from being sprung.

What it finds stands for as long as it is true, so a look that a crash has cut short is made up for by the next one.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import disk_usage
from typing import Final

import anyio
import structlog
from anyio import to_thread

from batchd.decisions.notices.looking import OVERDUE, ROOM_AGAIN, Budget, digest_due, late, reached
from batchd.edges import open_files
from batchd.edges.clock import Bell, Clock
from batchd.edges.store import DATABASE, Store
from batchd.errors import BatchdError, Blame
from batchd.notice import Kind, NewNotice, Told
from batchd.running.watchdog import Watchdog
from batchd.settings import Sink
from batchd.text.strictjson import Json

log = structlog.get_logger()

ROUND: Final = 15.0
"""Seconds between two looks."""
PARKED: Final = 120.0
"""Seconds after which it is told that nothing is sent."""
WRONG: Final = 60.0
"""Seconds for which instructions may be wrong untold: somebody may be writing them."""

LONG_LOG: Final = 256_000_000
"""Bytes of the database's write-ahead log that somebody should know of."""


@dataclass(frozen=True, slots=True)
class Misled:
    """A folder whose instructions are wrong."""

    folder: str
    errors: int
    since: float
    """Unix seconds."""
    version: str
    """Which state of them it is."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What the lookout looks at, beside the store."""

    places: Mapping[str, Path]
    parked: Callable[[], Mapping[Blame, float]]
    """What keeps batches just now, and since when."""
    sends: Callable[[], bool]
    """Whether anything was sent since."""
    misled: Callable[[], list[Misled]]
    per_day: float
    """USD; 0 for any amount, as all budgets."""
    per_month: float
    folders: Mapping[str, tuple[float, float]]
    """Of a day and of a month, by top folder."""
    disk_low: int
    digest: str


class Lookout:
    """Looks, again and again."""

    def __init__(  # noqa: PLR0913  what it looks at and by
        self,
        store: Store,
        clock: Clock,
        watched: Watched,
        pings: Mapping[str, Sink],
        watchdog: Watchdog,
        bell: Bell,
    ) -> None:
        """Make one.

        Args:
            store: Where notices go.
            clock: What waits are measured by.
            watched: What it looks at.
            pings: The sinks that are pinged.
            watchdog: Knows whether work comes round.
            bell: Rung to have it come round.
        """
        self._store = store
        self._clock = clock
        self._watched = watched
        self._pings = pings
        self._watchdog = watchdog
        self._bell = bell
        self._began = clock.now()
        self._log_is_long = False

    async def run(self) -> None:
        """Look for ever."""
        async with anyio.create_task_group() as tasks:
            for name, sink in self._pings.items():
                tasks.start_soon(self._ping, name, sink)
            while True:
                await self.look()
                await self._clock.sleep(ROUND)

    async def look(self) -> None:
        """Look at everything once; what cannot be seen now is passed over."""
        looks: tuple[Callable[[float], Awaitable[None]], ...] = (
            self._sending,
            self._instructions,
            self._budgets,
            self._batches,
            self._disks,
            self._log_of_database,
            self._day,
        )
        for each in looks:
            try:
                await each(self._clock.now())
            except (BatchdError, OSError) as error:
                log.debug("not seen", error=type(error).__name__)

    async def _sending(self, now: float) -> None:
        notices, parked = self._store.notices, self._watched.parked()
        if parked:
            since = min(parked.values())
            reason = min(parked, key=lambda blame: parked[blame])
            told = NewNotice(Kind.SENDING_PARKED, "sending", since, {"reason": reason.value}, after=PARKED)
            await notices.begin(told, Kind.SENDING_RESUMED)
        elif self._watched.sends():
            await notices.end(Kind.SENDING_PARKED, NewNotice(Kind.SENDING_RESUMED, "sending", now))

    async def _instructions(self, _: float) -> None:
        misled = self._watched.misled()
        found = [
            NewNotice(
                Kind.INSTRUCTIONS,
                f"folder {each.folder} {each.version}",
                each.since,
                {"folder": each.folder, "errors": each.errors},
                queue=each.folder.partition("/")[0],
                after=WRONG,
            )
            for each in misled
        ]
        await self._store.notices.stand(Kind.INSTRUCTIONS, found)

    async def _budgets(self, now: float) -> None:
        watched = self._watched
        if not (watched.per_day or watched.per_month or watched.folders):
            return
        today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        month = today.replace(day=1)
        budgets: list[Budget] = []
        for of, since, period, all_, index in (
            ("day", today.timestamp(), f"{today:%Y-%m-%d}", watched.per_day, 0),
            ("month", month.timestamp(), f"{month:%Y-%m}", watched.per_month, 1),
        ):
            used = await self._store.sights.used(since)
            barred = await self._store.sights.barred(since)
            exhausted = any(bar == of for bar, _ in barred)
            budgets.append(Budget(of, period, all_, sum(used.values()), exhausted))
            for folder, limits in watched.folders.items():
                is_barred = (f"queue {of}", folder) in barred
                budgets.append(Budget(of, period, limits[index], used.get(folder, 0.0), is_barred, folder))
        if found := [notice for budget in budgets for notice in reached(budget, now)]:
            await self._store.notices.note(*found)

    async def _batches(self, now: float) -> None:
        if found := list(late(await self._store.sights.old_batches(now - OVERDUE), now)):
            await self._store.notices.note(*found)

    async def _log_of_database(self, _: float) -> None:
        """Warn, once for as long as it is so, where the write-ahead log grows: somebody reads, and lets it not end."""
        database = self._watched.places["state"] / DATABASE
        long = (await to_thread.run_sync(os.stat, f"{database}-wal")).st_size > LONG_LOG
        if long and not self._log_is_long:
            by = await to_thread.run_sync(open_files.holders, database)
            log.warning("the database's log grows", bytes_over=LONG_LOG, open_in=by, see="docs/keeping.md")
        self._log_is_long = long

    async def _disks(self, now: float) -> None:
        limit = self._watched.disk_low
        if not limit:
            return
        for place, path in self._watched.places.items():
            free = (await to_thread.run_sync(disk_usage, path)).free
            told: dict[str, Json] = {"place": place, "free_bytes": free}
            if free < limit:
                await self._store.notices.begin(NewNotice(Kind.DISK_LOW, place, now, told), Kind.DISK_ENOUGH)
            elif free >= limit * ROOM_AGAIN:
                await self._store.notices.end(Kind.DISK_LOW, NewNotice(Kind.DISK_ENOUGH, place, now, told))

    async def _day(self, now: float) -> None:
        if not self._watched.digest:
            return
        last = await self._store.sights.last_digest()
        moment = digest_due(
            _local(now), self._watched.digest, _local(self._began), None if last is None else _local(last[0])
        )
        if moment is None:
            return
        since, spent_by_then = last or (moment.timestamp() - 86_400.0, 0.0)
        day = await self._store.sights.day(since)
        told = NewNotice(
            Kind.DIGEST,
            f"{moment:%Y-%m-%d}",
            now,
            {
                "day": f"{moment:%Y-%m-%d}",
                "jobs": {**dict.fromkeys(("done", "partial", "failed", "cancelled"), 0), **day.jobs},
                "rejected": day.rejected,
                "held": day.held,
                "waiting": {"jobs": list(day.held_jobs), "batches": list(day.held_batches)},
                "spent_usd": round(day.cost - spent_by_then, 6),
                "reserved_usd": round(day.reserved, 6),
                "total_usd": day.cost,
            },
        )
        await self._store.notices.note(told)

    async def _ping(self, name: str, sink: Sink) -> None:
        """Tell a dead man's switch that we live, for ever; what cannot be told is not told again."""
        failing = await self._pinged(name, sink, "start", failing=False)
        while True:
            await self._clock.sleep(sink.every)
            if self._watched.parked():
                failing = await self._pinged(name, sink, "fail", failing=failing)
                continue
            self._bell.ring()
            await self._watchdog.turned.wait()
            try:
                await self._store.facts.prove()
            except BatchdError:
                continue
            failing = await self._pinged(name, sink, "", failing=failing)

    async def _pinged(self, name: str, sink: Sink, how: str, *, failing: bool) -> bool:
        from batchd.edges.sinks.ping import ping  # noqa: PLC0415  a tenth of a second, for an HTTP client

        attempt = await ping(sink, how)
        failed = attempt.told is not Told.DONE
        if failed and not failing:
            log.warning("not pinged", sink=name, reason=attempt.reason)
        return failed


def _local(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC).astimezone()
