"""Pruning: what has been kept long enough is listed, and then exactly that is removed, also across crashes."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog
from anyio import to_thread

from batchd.decisions.retention import DAY, Aged, What, decide
from batchd.edges import disk, trash
from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.edges.trash import NotOurs, Refused
from batchd.journey.places import Places
from batchd.text.moments import seconds_until
from batchd.text.zstd import Missing

log = structlog.get_logger()

_TURN: Final = 0.05
"""Seconds between two slices, in which others commit: they ask for their turn now and then only."""
_BYTES_OF_A_REQUEST: Final = 180
"""Of a request and its trips in the database, as measured over a million of them."""


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing that goes."""

    what: What
    path: Path
    size: int
    """Bytes; of rows about."""
    of: Aged | Refused


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing that stays, though what is like it was asked for."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """What goes, and what stays."""

    removes: tuple[Removal, ...]
    keeps: tuple[Kept, ...]


class Pruning:
    """Removes what is old; it may run beside a daemon."""

    def __init__(self, store: Store, clock: Clock, places: Places) -> None:
        self._store = store
        self._clock = clock
        self._places = places

    async def plan(self, days: Mapping[What, float]) -> Pruned:
        """Say what goes and what stays; nothing is changed.

        Args:
            days: How long each is kept; what is not named, or 0, is kept for ever.
        """
        now = self._clock.now()
        going, staying = decide(await self._store.retention.jobs(), days, now)
        outbox = self._places.outbox
        removes: list[Removal] = []
        keeps = [Kept(outbox / each.aged.name, f"{each.what}: {each.reason}") for each in staying]
        for each in going:
            path = outbox / each.aged.name
            if each.what is What.ROWS:
                removes.append(Removal(each.what, path, each.aged.requests * _BYTES_OF_A_REQUEST, each.aged))
            else:
                found = await to_thread.run_sync(_size_or_reason, outbox, each.aged.name, each.what)
                if isinstance(found, str):
                    keeps.append(Kept(path, f"{each.what}: {found}"))
                else:
                    removes.append(Removal(each.what, path, found, each.aged))
        if kept_for := days.get(What.REJECTED):
            for file in await to_thread.run_sync(trash.refused, outbox):
                path = outbox / "rejected" / file.name
                if now - file.since < kept_for * DAY:
                    keeps.append(Kept(path, f"rejected: it was refused less than {kept_for:g} days ago"))
                else:
                    removes.append(Removal(What.REJECTED, path, file.size, file))
        return Pruned(tuple(removes), tuple(keeps))

    async def remove(self, plan: Pruned) -> AsyncIterator[Removal | Kept]:
        """Remove what a plan lists, and tell of each what became of it: one that cannot be removed stays, with why."""
        await to_thread.run_sync(trash.empty, self._trash)
        for each in plan.removes:
            try:
                gone = await self._remove(each)
            except (NotOurs, Missing) as stays:
                yield Kept(each.path, f"{each.what}: {stays}")
            except OSError as error:
                yield Kept(each.path, f"{each.what}: it cannot be removed: {error.strerror}")
            else:
                yield each if gone else Kept(each.path, f"{each.what}: it is to be sent again")
        if any(each.what is What.ROWS for each in plan.removes):
            while await self._store.retention.give_back_pages():
                await self._clock.sleep(_TURN)

    @property
    def _trash(self) -> Path:
        return self._places.state / trash.FOLDER

    async def _remove(self, each: Removal) -> bool:
        outbox = self._places.outbox
        if isinstance(each.of, Refused):
            key = f"rejected-{sha256(each.of.name.encode('utf-8', 'surrogateescape')).hexdigest()}"
            await to_thread.run_sync(trash.discard_refused, outbox, each.of.name, self._trash, key)
            return True
        job = each.of.job
        if each.what is What.OUTBOX:
            if not await self._store.retention.let_folder_go(job):
                return False
            await to_thread.run_sync(trash.discard_job, outbox, each.of.name, self._trash, f"job-{job}")
            await self._store.retention.folder_gone(job)
            return True
        if each.what is What.DOCUMENTS_ONLY:
            return await self._pack(each.of)
        if not await self._store.retention.let_rows_go(job):
            return False
        while await self._store.retention.remove_rows(job):
            await self._clock.sleep(_TURN)
        if await to_thread.run_sync(disk.may_remove, self._places.state):
            await to_thread.run_sync(partial((self._places.spool / each.of.claim).unlink, missing_ok=True))
        return True

    async def _pack(self, aged: Aged) -> bool:
        if not await self._store.retention.let_folder_be_packed(aged.job):
            return False
        await to_thread.run_sync(trash.pack_job, self._places.outbox, aged.name)
        await self._store.retention.folder_packed(aged.job)
        return True

    async def daily(self, days: Mapping[What, float], at: str) -> None:
        """Go on with what the last life was at, and then remove what is old, once a day, for ever.

        Args:
            days: As for `plan`.
            at: When, by this machine's clock, as `HH:MM`.
        """
        await self.go_on()
        while days:
            await self._clock.sleep(seconds_until(at, datetime.fromtimestamp(self._clock.now()).astimezone()))
            gone: list[Removal] = []
            async for each in self.remove(await self.plan(days)):
                if isinstance(each, Removal):
                    gone.append(each)
                else:
                    log.warning("not pruned", path=str(each.path), reason=each.reason)
            log.info("pruned", removed=len(gone), bytes=sum(each.size for each in gone))

    async def go_on(self) -> None:
        """Finish what was being removed when the last life ended."""
        left = [
            Removal(what, self._places.outbox / each.name, 0, each)
            for each in await self._store.retention.jobs()
            for what in each.going
        ]
        async for told in self.remove(Pruned(tuple(left), ())):
            log.info("prune went on", path=str(told.path))


def _size_or_reason(outbox: Path, name: str, what: What) -> int | str:
    try:
        if what is What.DOCUMENTS_ONLY:
            return trash.size_to_pack(outbox, name)
        return trash.size_of_job(outbox, name) or 0
    except NotOurs as stays:
        return str(stays)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
