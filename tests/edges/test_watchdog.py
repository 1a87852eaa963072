"""The watchdog is fed from the event loop while work comes round, and not a moment longer."""

import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import anyio
import pytest
from batchd.edges.store import DATABASE, Store, open_store
from batchd.edges.store.sqlite.database import SqliteDatabase
from batchd.running.watchdog import Watchdog
from structlog.testing import capture_logs

pytestmark = pytest.mark.anyio

INTERVAL = 0.02
"""Seconds between two pings: half of what the manager is told to ask for."""
PATIENCE = 0.2
NEVER = 60.0
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / DATABASE) as opened:
        yield opened


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A stand-in of the service manager, which hears every ping."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hearing:
        hearing.bind(str(tmp_path / "notify"))
        hearing.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", str(int(2 * INTERVAL * 1e6)))
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield hearing


async def pings(manager: socket.socket, count: int) -> None:
    """Hear so many."""
    with anyio.fail_after(NEVER):
        for _ in range(count):
            await anyio.wait_readable(manager)
            assert manager.recv(99) == b"WATCHDOG=1"


def heard(manager: socket.socket) -> int:
    """How many have come that nobody has heard."""
    count = 0
    while True:
        try:
            manager.recv(99)
        except BlockingIOError:
            return count
        count += 1


async def until_it_stands_still(logs: Sequence[Mapping[str, object]], at: str) -> None:
    with anyio.fail_after(NEVER):
        while {"event": "standing still", "log_level": "error", "at": at} not in logs:  # noqa: ASYNC110  a list of logs has no bell
            await anyio.sleep(INTERVAL)


async def test_nobody_is_told_where_nobody_asks(
    store: Store, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC")
    with anyio.fail_after(NEVER):
        await Watchdog(store).feed()
    assert heard(manager) == 0


async def test_pings_come_from_the_event_loop_and_not_while_it_is_blocked(store: Store, manager: socket.socket) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Watchdog(store).feed)
        await pings(manager, 3)
        heard(manager)
        time.sleep(10 * INTERVAL)  # noqa: ASYNC251  blocked on purpose
        assert heard(manager) == 0
        await pings(manager, 3)
        tasks.cancel_scope.cancel()


async def test_no_ping_is_sent_once_no_look_at_the_store_comes_round(store: Store, manager: socket.socket) -> None:
    watchdog = Watchdog(store, round_=PATIENCE)
    with capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watchdog.feed)
            await pings(manager, 1)
            await until_it_stands_still(logs, "looking at the store")
            heard(manager)
            await anyio.sleep(5 * INTERVAL)
            assert heard(manager) == 0
            watchdog.came_round()
            await pings(manager, 1)
            tasks.cancel_scope.cancel()
    assert [line["event"] for line in logs].count("standing still") >= 1


async def test_no_ping_is_sent_while_the_connection_that_reads_does_not_answer(
    store: Store, manager: socket.socket
) -> None:
    watchdog = Watchdog(store, reader=PATIENCE)
    with capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watchdog.feed)
            await pings(manager, 1)
            tasks.start_soon(read_for_ever, store)
            await until_it_stands_still(logs, "reading the database")
            heard(manager)
            await anyio.sleep(5 * INTERVAL)
            assert heard(manager) == 0
            assert isinstance(store.database, SqliteDatabase)
            await store.database._reader.interrupt()  # noqa: SLF001  nothing else ends such a query
            await pings(manager, 1)
            tasks.cancel_scope.cancel()


async def read_for_ever(store: Store) -> None:
    with pytest.raises(Exception, match="interrupted"):
        await store.database.rows(ENDLESS)


async def test_a_database_that_another_process_holds_is_no_reason_to_end_this_one(
    store: Store, manager: socket.socket, tmp_path: Path
) -> None:
    watchdog = Watchdog(store, reader=PATIENCE)
    with sqlite3.connect(tmp_path / DATABASE, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watchdog.feed)
            await pings(manager, int(2 * PATIENCE / INTERVAL))
            tasks.cancel_scope.cancel()
        other.execute("ROLLBACK")
    other.close()
