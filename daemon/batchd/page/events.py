"""Events: tells open tabs that something has changed. One look a second for all of them, none while nobody looks."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread

from batchd.edges.lock import daemon_runs
from batchd.edges.store import look_into_store
from batchd.errors import BatchdError
from batchd.page.reading import Place

MOST: Final = 64
"""Streams at one time; a tab without one asks every ten seconds."""
_LOOK: Final = 1.0
_ALIVE: Final = 20.0
"""Seconds after which a stream says that it is alive, so that a proxy keeps it, and its end is noticed."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What tells one moment of the installation from the next."""

    inode: int | None
    running: bool | None
    inbox: int | None
    data: int = 0


class Events:
    """How often something has changed, and those that wait for the next time."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._number = 0
        self._changed = anyio.Event()
        self._wanted = anyio.Event()
        self._streams = 0

    @property
    def full(self) -> bool:
        """Whether there is no room for another stream."""
        return self._streams >= MOST

    async def stream(self) -> AsyncIterator[bytes]:
        """Tell one tab, until it is closed."""
        self._streams += 1
        self._wanted.set()
        try:
            yield f"retry: 3000\nevent: ready\ndata: {self._number}\n\n".encode()
            while True:
                changed, told = self._changed, False
                with anyio.move_on_after(_ALIVE):
                    await changed.wait()
                    told = True
                yield f"event: changed\ndata: {self._number}\n\n".encode() if told else b": alive\n\n"
        finally:
            self._streams -= 1
            if not self._streams:
                self._wanted = anyio.Event()

    async def look(self) -> None:
        """Look for changes while anybody wants to know; for as long as the page lasts."""
        while True:
            await self._wanted.wait()
            with suppress(BatchdError, OSError):
                await self._look_while_wanted()
            await self._place.clock.sleep(_LOOK)

    async def _look_while_wanted(self) -> None:
        """Look by one connection, until nobody wants to know, or the file is another one."""
        inode = (before := await to_thread.run_sync(self._see)).inode
        if inode is None:
            await self._look_once_more(before)
            return
        async with look_into_store(self._place.settings.database) as store:
            self._tell()
            seen: _Seen | None = None
            while self._streams:
                outside = await to_thread.run_sync(self._see)
                now = _Seen(outside.inode, outside.running, outside.inbox, await store.database.version_of_data())
                if seen is not None and now != seen:
                    self._tell()
                if now.inode != inode:
                    return
                seen = now
                await self._place.clock.sleep(_LOOK)

    async def _look_once_more(self, before: _Seen) -> None:
        await self._place.clock.sleep(_LOOK)
        if await to_thread.run_sync(self._see) != before:
            self._tell()

    def _see(self) -> _Seen:
        settings = self._place.settings
        try:
            running: bool | None = daemon_runs(settings.state)
        except BatchdError:
            running = None
        of_database = _of(settings.database, "st_ino") if isinstance(settings.database, Path) else 0
        return _Seen(of_database, running, _of(settings.inbox, "st_mtime_ns"))

    def _tell(self) -> None:
        self._number += 1
        self._changed.set()
        self._changed = anyio.Event()


def _of(path: Path, fact: str) -> int | None:
    try:
        return int(getattr(path.stat(), fact))
    except OSError:
        return None
