"""Connections to the server: opened, and set so that a commit that was answered is durable."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import psycopg
from psycopg.conninfo import conninfo_to_dict

from batchd.edges.store.postgresql.errors import sorted_by_cause
from batchd.edges.store.postgresql.rows import adapt

LOCKS: Final = 0x6261_7463
"""The first number of our advisory locks, `batc`; the second is one of these."""
WRITING, SWEEPING, SLOTS = 1, 3, 100
"""What they guard: that one writes at a time; that one takes, packs and delivers; from here on, slots of workers."""
CHANNEL: Final = "batchd"
TIMETABLE: Final = "batchd_tasks"
"""The schema of the timetable of many workers: beside that of the store, and not part of what is backed up."""
_CREDENTIAL: Final = "store"
"""The name of the file in `$CREDENTIALS_DIRECTORY` that holds the password."""
_SETTINGS: Final = (
    "SET search_path = batchd, pg_catalog",
    "SET lock_timeout = '5s'",
    # Of a host that is gone the server is to know in half a minute: until then that one holds the lock.
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    # A process that stands still must not keep all others from writing.
    "SET idle_in_transaction_session_timeout = '15s'",
    """SELECT set_config('synchronous_commit', 'on', FALSE)
       WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')""",
)


def named(url: str) -> str:
    """A database as it may be shown: never with a password."""
    parts = conninfo_to_dict(url)
    return f"postgresql://{parts.get('host') or 'localhost'}/{parts.get('dbname') or ''}"


@asynccontextmanager
async def connected(url: str, name: str = "batchd") -> AsyncIterator["psycopg.AsyncConnection[Any]"]:
    """A connection, closed also where the block was cancelled.

    Args:
        url: As libpq takes it.
        name: What the server knows it by.

    Raises:
        Unusable: There is no such database, or this user may not use it.
        Unavailable: It cannot be reached now.
    """
    try:
        db = await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            application_name=name,
            connect_timeout=10,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=20_000,
            password=await anyio.to_thread.run_sync(password),
        )
    except psycopg.Error as error:
        raise sorted_by_cause(error) from None  # the connection string is on the way here
    try:
        adapt(db)
        for setting in _SETTINGS:
            await db.execute(setting)
        yield db
    finally:
        with anyio.CancelScope(shield=True):
            await db.close()


def password() -> str | None:
    """The password that systemd hands over; libpq itself reads `$PGPASSFILE` and `~/.pgpass`."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None or not (file := Path(folder, _CREDENTIAL)).exists():
        return None
    return file.read_text("utf-8").strip()
