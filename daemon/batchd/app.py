"""A daemon from its start to its end: the one lock, the store, the accounts, and one dispatcher after the other."""

import asyncio
import ctypes
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path

import anyio
import structlog
from anyio import to_thread

from batchd.composition import Ground, composed, ground
from batchd.edges import disk, inbox, outbox
from batchd.edges.api import Api
from batchd.edges.api.meter import Meter
from batchd.edges.clock import Clock
from batchd.edges.lock import sole_daemon
from batchd.edges.store import DATABASE, Place, Store, look_into_store, open_store
from batchd.edges.store.facts import SANDBOX
from batchd.errors import Drifted, Occupied, Unusable
from batchd.fleet import Fleet, among_workers, worker
from batchd.journey.places import Places
from batchd.running.accounts import OWN, Accounts, Wanted
from batchd.running.key import Key
from batchd.running.reloading import Reloading
from batchd.settings import Settings, drift, key_in, to_agree_on

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_KNOCK = 1.0
"""Seconds between two tries to get the lock of the state folder."""
WORKERS = 40
"""Worker threads: for the disk, parsing, reports."""
_MOST_ARENAS, _TRIM, _MAP = -8, -1, -3
"""`M_ARENA_MAX`, `M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` of mallopt(3)."""
_KEPT_AT_HAND = 16 << 20
"""Bytes of each heap that stay with it when they are free: a kernel takes longer to give a page than to fill it."""
RESOLVERS = 8
"""Threads of the event loop's own, which look up names; by default their number goes by that of processors."""
_ANY_KEY = "sk-sandbox-{}"
"""A key of an account at the sandbox."""
OURS = frozenset({".backup", "claims", "spool", "drafts", "streams", "trash", "lock", "sandbox", "lost+found"})
"""What may lie in a state folder besides the database."""


async def serve(  # noqa: PLR0913  what a command can say
    settings: Settings,
    key: str | Callable[[], str | None] | None,
    *,
    once: bool = False,
    restored: bool = False,
    sandbox: bool = False,
    clock: Clock | None = None,
    load: Callable[[], Settings] | None = None,
) -> bool:
    """Run the daemon until SIGTERM or SIGINT, or until there is nothing left to do.

    Args:
        settings: All of them.
        key: The API key, or what looks for it, and is asked again; None for whatever the SDK finds.
        once: Whether to end when every job has finished.
        restored: Whether the state is known to be old: what was paid since is found before anything is sent.
        sandbox: Whether the API is a stand-in, whose text must never be taken for answers.
        clock: Another one than the machine's.
        load: Reads the settings anew, on SIGHUP.

    Returns:
        Whether every job and file of this run came to a good end.

    Raises:
        Occupied: Another daemon works on the state folder.
        Unusable: A folder or the database cannot be used, or the state is older than its outbox.
    """
    _bound_threads()
    clock, meter = clock or Clock(), Meter()
    places = prepared(settings)
    find = key if callable(key) else lambda: key
    first = find()

    fleet: Fleet | None = None

    def connect(found: str | None, base_url: str, account: str = OWN) -> AbstractAsyncContextManager[Api]:
        return Api.connect(
            key=found,
            base_url=base_url,
            per_minute=settings.api.requests_per_minute,
            patience=settings.api.timeout,
            clock=clock,
            meter=meter,
            quota=None if fleet is None else fleet.quota(account),
        )

    async with AsyncExitStack() as opened:
        if settings.fleet.workers > 1:
            if once:
                raise Unusable("--once is for a daemon that works alone: set fleet.workers to 1, or leave --once away")
            fleet = await opened.enter_async_context(among_workers(settings, clock, _say_standby))
            store = fleet.store
            await _agree_among_workers(fleet, to_agree_on(settings, first, sandbox=sandbox))
        else:
            store = await opened.enter_async_context(
                _alone(settings.database, places.state, to_agree_on(settings, first, sandbox=sandbox))
            )
        api = await opened.enter_async_context(connect(first, settings.api.base_url))
        if not await store.facts.claim_for(SANDBOX if sandbox else "api"):
            here, there = ("the API", "batchd run") if sandbox else ("the sandbox", "batchd run --sandbox")
            raise Unusable(f"{places.state} has work under way at {here}: finish it with `{there}`, or set --state")
        async with AsyncExitStack() as others:
            accounts = Accounts(api, Key(api, store, find, first), store, clock, connect, others)
            agree = partial(_settle, store, find, sandbox=sandbox)
            reloading = Reloading(settings, load or (lambda: settings), store, accounts, agree)
            await reloading.begin()
            with _all_that_is_there_kept():
                begin = partial(ground, reloading, places, store, api, clock, accounts)
                become = partial(_have_accounts, accounts, reloading, sandbox=sandbox)
                if fleet is not None:
                    await become()
                    return await worker(fleet, partial(begin, fleet.membership)).run(restored=restored)
                return await _served(begin, become, once=once, restored=restored)


@asynccontextmanager
async def _alone(database: Place, state: Path, agreed: Mapping[str, str]) -> AsyncIterator[Store]:
    """Open the store for the only daemon that works on it.

    The first that starts where none works says which settings are agreed on; one that waits must have the same.

    Of a file the lock of the state folder says who that is, and another daemon is refused. Of a server's database its
    own lock does, and another daemon waits for it: it takes over. Then the lock of the state folder may still be that
    of a host that is gone, until the shared file system has noticed.
    """
    if isinstance(database, Path):
        with sole_daemon(state):
            async with open_store(database) as store:
                yield store
        return
    waited = False

    async def stand_by(shown: str) -> None:
        nonlocal waited
        waited = True
        log.info("standby: another daemon has the lock of the database; this one takes over", database=shown)
        try:
            async with look_into_store(database) as seen:
                _agree(await seen.agreements.all(), agreed, shown)
        except Drifted:
            raise
        except Unusable as error:  # the tables of another version: whoever has the lock next brings them up to date
            log.info("the settings of the other daemon are not known yet", reason=str(error))

    async with open_store(database, stand_by) as store:
        log.info("this daemon has the lock of the database")
        if waited:  # the one before may have been given others since
            _agree(await store.agreements.all(), agreed, "the database")
        await store.agreements.settle(agreed)
        async with AsyncExitStack() as held:
            while True:
                try:
                    held.enter_context(sole_daemon(state))
                except Occupied:
                    await anyio.sleep(_KNOCK)
                else:
                    break
            yield store


async def _agree_among_workers(fleet: Fleet, agreed: Mapping[str, str]) -> None:
    """Make sure that a worker has the settings of the others that work; the first of them says what holds."""
    known = await fleet.store.agreements.all()
    if await fleet.membership.slots_held() > {fleet.membership.slot} and known:
        _agree(known, agreed, "the database")
    else:
        await fleet.store.agreements.settle(agreed)


async def _say_standby(database: str) -> None:
    log.info("standby: other workers have all slots; this one takes the first that is free", database=database)


async def _settle(store: Store, find: Callable[[], str | None], settings: Settings, *, sandbox: bool) -> None:
    """Let what others must have the same follow settings that were read anew."""
    if settings.store:
        await store.agreements.settle(to_agree_on(settings, await to_thread.run_sync(find), sandbox=sandbox))


def _agree(agreed: Mapping[str, str], own: Mapping[str, str], database: str) -> None:
    if said := drift(agreed, own):
        raise Drifted(
            f"other settings than those of the installation on {database}: {said}; give all daemons the same. To "
            "change one, stop them all: the first that starts says what holds"
        )


async def _served(
    begin: Callable[[], Ground], become: Callable[[], Awaitable[None]], *, once: bool, restored: bool
) -> bool:
    """Run daemons, one after the other, each by the settings that hold when it begins: to resume is to start."""
    all_well = True
    while True:
        await become()
        on = begin()
        await on.keyless.take_up()
        dispatcher = composed(on)
        all_well &= await dispatcher.run(once=once, restored=restored)
        if not dispatcher.reloaded:
            return all_well
        restored = False


async def _have_accounts(accounts: Accounts, reloading: Reloading, *, sandbox: bool) -> None:
    """Have the accounts that the settings name; at the sandbox any key will do, and none is read."""
    settings = reloading.settings
    wanted: dict[str, Wanted] = {}
    for name, key in settings.keys.items():
        base_url = settings.api.base_url if sandbox or not key.base_url else key.base_url
        in_file = None if sandbox or key.file is None else partial(key_in, key.file, f"keys.{name}.file")
        wanted[name] = Wanted(in_file or partial(_ANY_KEY.format, name), base_url, key)
    folders = {name: folder.key for name, folder in settings.folder.items() if folder.key}
    await accounts.become(wanted, folders, per_minute=settings.api.requests_per_minute)


def _bound_threads() -> None:
    """Keep the number of threads the same on any machine: the unit's `TasksMax` must not keep one from starting.

    They share two heaps: with one for each, as glibc has it, what forty threads have used now and then stays taken.
    """
    with suppress(OSError, AttributeError):  # another C library has no such heaps
        libc = ctypes.CDLL(None)
        for name, value in ((_MOST_ARENAS, 2), (_TRIM, _KEPT_AT_HAND), (_MAP, _KEPT_AT_HAND)):
            libc.mallopt(name, value)
    to_thread.current_default_thread_limiter().total_tokens = WORKERS
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(RESOLVERS, "names"))


@contextmanager
def _all_that_is_there_kept() -> Iterator[None]:
    """Tell the garbage collector that what was imported stays: looking it all over stops every thread for 0.1 s."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def prepared(settings: Settings) -> Places:
    """Make the folders that are missing, and say where they are.

    Args:
        settings: All of them.

    Raises:
        Unusable: One cannot be made, or is open to others.
    """
    places = Places(settings.inbox, settings.outbox, settings.state)
    inbox.prepare(places.inbox)
    for private in (places.outbox, places.state, places.claims, places.spool, places.drafts, places.streams):
        outbox.prepare(private)
    disk.close_to_others(places.state, lambda name: name.startswith(DATABASE) or name in OURS)
    return places
