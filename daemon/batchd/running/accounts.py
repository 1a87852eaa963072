"""Accounts: by whose key a batch goes, and where to. Each may be of another workspace, and has troubles of its own."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from anyio import to_thread

from batchd.edges.api import Api
from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.errors import Parked, Unavailable, Unusable
from batchd.model import Batch, JobId
from batchd.notice import queue_of
from batchd.running.key import Find, Key

log = structlog.get_logger()

OWN: Final = ""
"""The account of `[api]`, by which goes all that no folder gives another key."""
_LOOK = 60.0
"""Seconds between looks at where the keys come from."""
_NO_KEY: Final = "none"
"""Stands for a key that is not there; nothing is sent with it."""
Connect = Callable[[str, str, str], AbstractAsyncContextManager[Api]]
"""Makes ready to call the API, with a key and an address, for the account of some name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account as the settings have it."""

    find: Find
    """Looks for its key; it blocks."""
    base_url: str
    source: object
    """What makes it another one than that of the same name before."""


@dataclass(frozen=True, slots=True)
class _Account:
    wanted: Wanted
    api: Api
    key: Key


class ApiOf(Protocol):
    """What calls the API, for whichever account."""

    def api(self, account: str) -> Api:
        """What calls it for one; raises `Parked` where that has no key now."""
        ...


class Accounts:
    """The account of `[api]`, and those of `[keys]`."""

    def __init__(  # noqa: PLR0913  what it takes over
        self, own: Api, key: Key, store: Store, clock: Clock, connect: Connect, open_: AsyncExitStack
    ) -> None:
        """Begin with the account of `[api]` alone.

        Args:
            own: Calls the API for it.
            key: Its key.
            store: Knows what was sent.
            clock: By which keys are looked for.
            connect: Makes ready for others.
            open_: Keeps what was made ready.
        """
        self._own = own
        self._own_key = key
        self._store = store
        self._clock = clock
        self._connect = connect
        self._open = open_
        self._named: dict[str, _Account] = {}
        self._folders: Mapping[str, str] = {}

    async def become(self, wanted: Mapping[str, Wanted], folders: Mapping[str, str], *, per_minute: int) -> None:
        """Have these accounts beside the own one from now on; those that were the same before stay as they are.

        Args:
            wanted: Them, by name.
            folders: Which of them top folders of the inbox go by, those that do.
            per_minute: Calls a minute at the most, of each.
        """
        named: dict[str, _Account] = {}
        for name, each in wanted.items():
            there = self._named.get(name)
            if there is not None and (there.wanted.source, there.wanted.base_url) == (each.source, each.base_url):
                named[name] = there
            else:
                named[name] = await self._made(name, each)
        self._named, self._folders = named, folders
        for api in (self._own, *(each.api for each in named.values())):
            if api.prepared:
                await api.limit(per_minute)

    async def _made(self, name: str, wanted: Wanted) -> _Account:
        """Make an account; one whose key is missing waits for it, and keeps nobody else."""
        lacking: str | None = None
        key: str | None = None
        try:
            key = await to_thread.run_sync(wanted.find)
        except Unusable as error:
            lacking = str(error)
            log.error("a key is missing: what goes by it waits", key=name, reason=lacking)  # noqa: TRY400  nobody's defect
        api = await self._open.enter_async_context(self._connect(key or _NO_KEY, wanted.base_url, name))
        return _Account(wanted, api, Key(api, self._store, wanted.find, key, name, lacking=lacking))

    @property
    def names(self) -> frozenset[str]:
        """All accounts, that of `[api]` included."""
        return frozenset({OWN, *self._named})

    def api(self, account: str) -> Api:
        """What calls the API for an account.

        Raises:
            Parked: It has no key now.
        """
        if account == OWN:
            return self._own
        found = self._named.get(account)
        if found is None:
            raise Parked(key_is_gone(account))
        if found.key.lacking is not None:
            raise Parked(found.key.lacking)
        return found.api

    def of_job(self, name: str) -> str:
        """The account that a job goes by, by its name."""
        return self._folders.get(queue_of(name), OWN)

    async def of_jobs(self) -> dict[JobId, str]:
        """Which account unfinished jobs go by; the own one where none is named."""
        if not self._folders:
            return {}
        found = await self._store.turns.in_queues(self._folders.keys())
        return {job: self._folders[queue] for job, queue in found.items()}

    async def changed(self, batch: Batch) -> bool:
        """Whether a job of a batch goes by another account than this batch was planned for."""
        if batch.account == OWN and not self._folders:
            return False
        by = await self.of_jobs()
        return any(by.get(job, OWN) != batch.account for job in await self._store.turns.jobs_in(batch.id))

    async def renew(self, account: str) -> bool:
        """Look for the key of an account again, and say whether another one is used from now on.

        Raises:
            Parked: There is another, which cannot be used.
        """
        key = self._key(account)
        return key is not None and await key.renew()

    def _key(self, account: str) -> Key | None:
        if account == OWN:
            return self._own_key
        found = self._named.get(account)
        return None if found is None else found.key

    async def renew_all(self) -> None:
        """Look for the key of each account again; one that cannot be used is told of, and the old one stays."""
        for account in sorted(self.names):
            try:
                await self.renew(account)
            except (Parked, Unavailable) as trouble:
                log.warning("the new key is not used", reason=str(trouble))

    async def keep_looking(self) -> None:
        """Look for keys every minute, for ever: what only reads is not parked, and learns of them so."""
        told: dict[str, str] = {}
        while True:
            await self._clock.sleep(_LOOK)
            for account in sorted(self.names):
                try:
                    await self.renew(account)
                    told.pop(account, None)
                except Parked as trouble:
                    if told.get(account) != (said := str(trouble)):
                        told[account] = said
                        log.warning("the new key is not used", reason=said)
                except Unavailable:
                    continue


def key_is_gone(account: str) -> str:
    """Why nothing can be asked or sent for an account that the settings do not know."""
    return (
        f"[keys.{account}] is not in the settings any more, and no other key can ask for what was sent by it: "
        "put it back, or decide with `batchd resolve`"
    )
