"""The cache warmer: lets those that wait for a warm prompt cache go when it is warm, and never all at once before."""

from pathlib import Path
from typing import Final

import msgspec
import structlog
from anyio import to_thread

from batchd.claude.cache_marks import unmarked
from batchd.decisions.money.cache_warming import WARM, Family, Warming, decide_warming
from batchd.edges.clock import Clock
from batchd.edges.spool import append_to_spool, read_from_spool
from batchd.edges.store import Store
from batchd.model import Place, RequestId
from batchd.text.strictjson import encode

log = structlog.get_logger()

_AT_A_TIME: Final = 64
"""Requests whose breakpoints are taken off in one go."""


class CacheWarmer:
    """Decides for each family of requests who goes first, and when the others follow."""

    def __init__(self, store: Store, clock: Clock, spool: Path) -> None:
        self._store = store
        self._clock = clock
        self._spool = spool

    async def look(self) -> None:
        """Take each family further of which some wait, and the one that went first has come back."""
        now = self._clock.now()
        for family in await self._store.warmings.cold(now):
            match decide_warming(family, now):
                case Warming.GO if family.warmed_at is not None:
                    await self._store.warmings.warm(family.first, family.warmed_at + WARM)
                case Warming.ANOTHER:
                    log.warning("cache is cold: another goes first", job=family.job)
                    await self._store.warmings.another_first(family.first)
                case _:
                    await self._bare(family)

    async def _bare(self, family: Family) -> None:
        log.warning("cache stays cold: the others go without it", job=family.job)
        while marked := await self._store.warmings.marked(family.first, _AT_A_TIME):
            await self._store.warmings.unmark(await to_thread.run_sync(self._unmarked, marked))

    def _unmarked(self, marked: list[tuple[RequestId, Place]]) -> list[tuple[RequestId, int, int]]:
        """Write params again, without the breakpoint; the old ones are bytes to which nothing points."""
        written: list[tuple[RequestId, int, int]] = []
        for request, place in marked:
            path = self._spool / place.claim
            params = encode(unmarked(msgspec.json.decode(read_from_spool(path, place.offset, place.size))))
            written.append((request, append_to_spool(path, params), len(params)))
        return written
