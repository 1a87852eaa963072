"""Connections to the server: opened, and set so that a commit that was answered is durable."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import psycopg
from psycopg.conninfo import conninfo_to_dict

from batchd.edges.store.postgresql import schema
from batchd.edges.store.postgresql.errors import said, sorted_by_cause
from batchd.edges.store.postgresql.rows import adapt
from batchd.errors import Unusable

OLDEST: Final = 14
"""Of the versions of PostgreSQL that have what the schema needs."""
LOCKS: Final = 0x6261_7463
"""The first number of our advisory locks, `batc`; the second is one of these."""
WRITING, DAEMON = 1, 2
CHANNEL: Final = "batchd"
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
async def connected(url: str) -> AsyncIterator["psycopg.AsyncConnection[Any]"]:
    """A connection, closed also where the block was cancelled.

    Raises:
        Unusable: There is no such database, or this user may not use it.
        Unavailable: It cannot be reached now.
    """
    try:
        db = await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            application_name="batchd",
            connect_timeout=10,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=20_000,
            password=await anyio.to_thread.run_sync(_password),
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


def _password() -> str | None:
    """The password that systemd hands over; libpq itself reads `$PGPASSFILE` and `~/.pgpass`."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None or not (file := Path(folder, _CREDENTIAL)).exists():
        return None
    return file.read_text("utf-8").strip()


async def known(db: "psycopg.AsyncConnection[Any]", url: str, *, make: bool) -> None:
    """Look whether a database is one that this program can work with, and make the schema where there is none.

    Raises:
        Unusable: It is not.
    """
    if db.info.server_version < OLDEST * 10_000:
        raise Unusable(f"{named(url)}: PostgreSQL {OLDEST} or newer is needed, not {db.info.server_version // 10_000}")
    found = await _kept(db)
    if found is None and make:
        await _make(db, url)
        found = await _kept(db)
    if found is None:
        raise Unusable(f"{named(url)}: it has no tables of batchd: `batchd run` makes them")
    if found != schema.digest():
        raise Unusable(
            f"{named(url)}: its tables are not those of this batchd: another version made them; go on with that one, "
            "or set another database (docs/fleet.md)"
        )


async def _kept(db: "psycopg.AsyncConnection[Any]") -> str | None:
    """The digest of the schema that the database was made with; None where there is none."""
    cursor = await db.execute("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'batchd'")
    row = await cursor.fetchone()
    return None if row is None else str(row[0])


async def _make(db: "psycopg.AsyncConnection[Any]", url: str) -> None:
    """Make the schema, unless another process, which was opening it too, has been quicker."""
    cursor = await db.execute(
        """SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = current_database()"""
    )
    encoding, collation = await cursor.fetchone() or ("", "")
    if encoding != "UTF8" or collation not in {"C", "POSIX", "C.UTF-8", "C.utf8"}:
        raise Unusable(
            f"{named(url)}: text must be kept and ordered by its bytes there: make the database with "
            "`createdb --template=template0 --encoding=UTF8 --locale=C NAME`"
        )
    try:
        async with db.transaction():
            await db.execute(f"SELECT pg_advisory_xact_lock({LOCKS}, {WRITING})".encode())
            if await _kept(db) is not None:
                return
            await db.execute("CREATE SCHEMA batchd")
            for statement in schema.script():
                await db.execute(statement.encode())
            await db.execute("INSERT INTO facts (name, value) VALUES ('installation', %s)", (os.urandom(10).hex(),))
            await db.execute(f"COMMENT ON SCHEMA batchd IS '{schema.digest()}'".encode())
    except psycopg.Error as error:
        raise Unusable(f"{named(url)}: the tables cannot be made: {said(error)}") from error
