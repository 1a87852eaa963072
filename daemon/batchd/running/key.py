"""The key of the API, read anew without a restart; a new one must know what the old one has sent before it sends."""

from collections.abc import Callable

import structlog
from anyio import to_thread

from batchd.edges.api import Api
from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.errors import Gone, Parked, Refused, Unavailable, Unusable

log = structlog.get_logger()

_LOOK = 60.0
"""Seconds between looks at where the key comes from."""


class Key:
    """What the API is called with."""

    def __init__(self, api: Api, store: Store, clock: Clock, find: Callable[[], str | None], key: str | None) -> None:
        """Take it over.

        Args:
            api: What is called with it.
            store: Knows what was sent.
            clock: By which it is looked for.
            find: Looks for it, in every place; it blocks.
            key: What was found at the start.
        """
        self._api = api
        self._store = store
        self._clock = clock
        self._find = find
        self._key = key

    async def renew(self) -> bool:
        """Look for the key again, and say whether another one is used from now on.

        Raises:
            Parked: There is another, which cannot be used: it does not know the newest batch that is under way.
        """
        try:
            found = await to_thread.run_sync(self._find)
        except Unusable as error:
            raise Parked(str(error)) from error
        if found is None or found == self._key:
            return False
        if (newest := await self._store.remotes.newest()) is not None:
            try:
                await self._api.retrieve(newest, key=found)
            except Gone:
                raise Parked(
                    f"there is a new key, which does not know batch {newest}: is it of another workspace? What runs "
                    "is found by a key of its own workspace alone"
                ) from None
            except Refused as error:
                raise Parked(f"there is a new key, and the API says: {error}") from error
        self._api.use_key(found)
        self._key = found
        log.info("a new key is used")
        return True

    async def keep_looking(self) -> None:
        """Look for it every minute, for ever: what only reads is not parked, and learns of it so."""
        told = ""
        while True:
            await self._clock.sleep(_LOOK)
            try:
                await self.renew()
                told = ""
            except Parked as trouble:
                if told != (told := str(trouble)):
                    log.warning("the new key is not used", reason=told)
            except Unavailable:
                continue
