"""A key of the API, read anew without a restart; a new one must know what the old one has sent before it sends."""

from collections.abc import Callable

import structlog
from anyio import to_thread

from batchd.edges.api import Api
from batchd.edges.store import Store
from batchd.errors import Gone, Parked, Refused, Unusable

log = structlog.get_logger()

Find = Callable[[], str | None]
"""Looks for a key in every place of it; it blocks, and raises `Unusable` where what it finds cannot be one."""


class Key:
    """What the API is called with for one account."""

    def __init__(  # noqa: PLR0913  what it takes over
        self, api: Api, store: Store, find: Find, key: str | None, account: str = "", *, lacking: str | None = None
    ) -> None:
        """Take it over.

        Args:
            api: What is called with it.
            store: Knows what was sent.
            find: Looks for it.
            key: What was found at the start.
            account: Whose it is.
            lacking: Why nothing was found, where there must be a key.
        """
        self._api = api
        self._store = store
        self._find = find
        self._key = key
        self._account = account
        self.lacking = lacking
        """Why there is none; None where there is."""

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
        if (newest := await self._store.remotes.newest(self._account)) is not None:
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
        self._key, self.lacking = found, None
        log.info("a new key is used", **({"key": self._account} if self._account else {}))
        return True
