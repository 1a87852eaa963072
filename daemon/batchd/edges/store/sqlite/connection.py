"""A connection to the database file: opened, looked over, and brought to the newest schema where that is asked."""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
import anyio
from anyio import to_thread

from batchd.edges.store.sqlite import schema
from batchd.errors import Unusable

_LOG_BYTES = 64 << 20
"""To which the write-ahead log is cut back once a checkpoint has emptied it."""
_QUICK_BYTES = 4 << 30
"""Up to which size a file is laid out anew at a start: 20 seconds for each GB."""
_ROOM = 3
"""How many times its size that takes: a copy, and the log of writing it back."""
INCREMENTAL = 2
"""Of `PRAGMA auto_vacuum`: empty pages are given back when that is asked for."""
BUSY = 5_000
"""Milliseconds for which another process may hold the file."""


@asynccontextmanager
async def connected(place: Path | str) -> AsyncIterator[aiosqlite.Connection]:
    """A connection, closed also where the block was cancelled: its thread would stay."""
    db = aiosqlite.connect(place, uri=isinstance(place, str), isolation_level=None)
    async with _thread_ending(db):
        await db
    try:
        db.row_factory = sqlite3.Row
        yield db
    finally:
        async with _thread_ending(db):
            with anyio.CancelScope(shield=True):
                await db.close()


@asynccontextmanager
async def _thread_ending(db: aiosqlite.Connection) -> AsyncIterator[None]:
    """Wait for the end of a connection's thread where the block is cut short, by Ctrl-C too, which no shield stops.

    It ends by itself, and would complain if the event loop were gone by then.
    """
    try:
        yield
    except BaseException:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(db._thread.join)  # noqa: SLF001  nothing else tells that it has ended
        raise


async def prepare(db: aiosqlite.Connection, path: Path, *, migrate: bool) -> None:
    """Make a connection one to write with.

    Args:
        db: The connection.
        path: Its file.
        migrate: Whether the file is brought to the newest schema.

    Raises:
        Unusable: The file is no database of ours, or has other tables than this program works with.
    """
    await db.execute(f"PRAGMA busy_timeout = {BUSY}")
    found = await known(db, path, to_be_migrated=migrate)
    if not found:
        await db.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
    await _log_ahead(db)
    await db.execute("PRAGMA synchronous = FULL")
    # The journal of one statement is nothing that a crash needs: as a file it would be most of what is written.
    await db.execute("PRAGMA temp_store = MEMORY")
    await db.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    # A migration may lay a table anew that others refer to: keys are checked at its end, and enforced from then on.
    await db.execute("PRAGMA foreign_keys = OFF")
    for version, script in schema.migrations():
        if version > found:
            await _migrate(db, version, script)
    await db.execute("PRAGMA foreign_keys = ON")
    if migrate:
        await _lay_out_to_shrink(db, path)


async def _lay_out_to_shrink(db: aiosqlite.Connection, path: Path) -> None:
    """Lay a file out anew, once, that cannot give pages back; not where the disk has no room, or it would take long."""
    (laid_out,) = await db.execute_fetchall("PRAGMA auto_vacuum")
    if laid_out[0] == INCREMENTAL:
        return
    size = (await to_thread.run_sync(path.stat)).st_size
    free = (await to_thread.run_sync(shutil.disk_usage, path.parent)).free
    if size <= _QUICK_BYTES and free > _ROOM * size + _LOG_BYTES:
        await db.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        await db.execute("VACUUM")


async def known(db: aiosqlite.Connection, path: Path, *, to_be_migrated: bool) -> int:
    """Look whether a database is one that this program can work with, and return its version.

    Raises:
        Unusable: It is not.
    """
    # In one transaction: another process may be taking a step of the schema just now.
    await db.execute("BEGIN")
    version, digest = await schema.found(db)
    await db.execute("COMMIT")
    if said := schema.objection(version, digest, to_be_migrated=to_be_migrated):
        raise Unusable(f"{path}: {said}")
    return version


async def _log_ahead(db: aiosqlite.Connection) -> None:
    """Switch to WAL, for good; SQLite does not wait by itself while another process is switching too."""
    until = anyio.current_time() + BUSY / 1_000
    while True:
        try:
            await db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if anyio.current_time() > until:
                raise
            await anyio.sleep(BUSY / 1_000 / 100)
        else:
            return


async def _migrate(db: aiosqlite.Connection, version: int, script: str) -> None:
    """Take one step of the schema, unless another process, which was opening it too, has been quicker."""
    await db.execute("BEGIN IMMEDIATE")
    if await _version(db) < version:
        for statement in schema.statements(script):
            await db.execute(statement)
        if list(await db.execute_fetchall("PRAGMA foreign_key_check")):
            raise Unusable(
                f"the database cannot be brought to schema {version}: rows of it refer to rows that are gone"
            )
        await db.execute(f"PRAGMA user_version = {version}")
    await db.execute("COMMIT")


async def _version(db: aiosqlite.Connection) -> int:
    return int(next(iter(await db.execute_fetchall("PRAGMA user_version")))[0])
