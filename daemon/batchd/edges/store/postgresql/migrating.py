"""Whether a server's database is one to work with: looked over, made where there is none, and brought up to date."""

import os
from typing import Any, Final

import psycopg

from batchd.edges.store.postgresql import schema
from batchd.edges.store.postgresql.connection import LOCKS, WRITING, named
from batchd.edges.store.postgresql.errors import LOST, said
from batchd.edges.store.sqlite.schema import newest
from batchd.errors import Unusable

OLDEST: Final = 14
"""Of the versions of PostgreSQL that have what the schema needs."""
_SAYS: Final = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'batchd'"
_COLUMNS: Final = """SELECT relname || '.' || attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = to_regnamespace('batchd') AND relkind = 'r' AND attnum > 0 AND NOT attisdropped"""
_INDEXES: Final = "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace('batchd') AND relkind = 'i'"


async def known(db: "psycopg.AsyncConnection[Any]", url: str, *, to_be_migrated: bool) -> None:
    """Look whether a database is one that this program can work with.

    Args:
        db: A connection to it.
        url: Its own, by which it is named.
        to_be_migrated: Whether its tables are made, or brought to the newest version: the daemon's, under its lock.

    Raises:
        Unusable: It is not.
    """
    if db.info.server_version < OLDEST * 10_000:
        raise Unusable(f"{named(url)}: PostgreSQL {OLDEST} or newer is needed, not {db.info.server_version // 10_000}")
    if await _looked_over(db, url, to_be_migrated=to_be_migrated) == newest():
        return
    try:
        async with db.transaction():
            await db.execute(f"SELECT pg_advisory_xact_lock({LOCKS}, {WRITING})".encode())
            # Again: another process, which was opening it too, may have been quicker.
            version = await _looked_over(db, url, to_be_migrated=True)
            if version == 0:
                await _suits(db, url)
                await db.execute("CREATE SCHEMA batchd")
            await _take_steps(db, version)
    except LOST:
        raise
    except psycopg.Error as error:
        raise Unusable(
            f"{named(url)}: its tables cannot be brought to schema {newest()}: {said(error)}; nothing was changed"
        ) from error


async def is_empty(db: "psycopg.AsyncConnection[Any]", url: str) -> bool:
    """Whether nothing was made in a database yet.

    Raises:
        Unusable: Nothing can be: it keeps or orders text otherwise than SQLite.
    """
    if await _column(db, _SAYS):
        return False
    await _suits(db, url)
    return True


async def _looked_over(db: "psycopg.AsyncConnection[Any]", url: str, *, to_be_migrated: bool) -> int:
    """The version of a database that may be worked with; 0 where nothing was made."""
    version, known_by = _said(await _column(db, _SAYS))
    found = schema.Layout(frozenset(await _column(db, _COLUMNS)), frozenset(await _column(db, _INDEXES)))
    if objection := schema.objection(version, known_by, found, to_be_migrated=to_be_migrated):
        raise Unusable(f"{named(url)}: {objection}")
    return version


def _said(comments: list[Any]) -> tuple[int, str]:
    """Version and digest by the comment on the schema; the first version that a server had says no number."""
    if not comments:
        return 0, ""
    version, _, digest = (comments[0] or "").partition(" ")
    return (int(version), digest) if digest else (schema.OLDEST, "")


async def _column(db: "psycopg.AsyncConnection[Any]", sql: str) -> list[Any]:
    cursor = await db.execute(sql.encode())
    return [row[0] for row in await cursor.fetchall()]


async def _suits(db: "psycopg.AsyncConnection[Any]", url: str) -> None:
    """Refuse a database that keeps or orders text otherwise than SQLite."""
    cursor = await db.execute(
        "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = current_database()"
    )
    encoding, collation = await cursor.fetchone() or ("", "")
    if encoding != "UTF8" or collation not in {"C", "POSIX", "C.UTF-8", "C.utf8"}:
        raise Unusable(
            f"{named(url)}: text must be kept and ordered by its bytes there: make the database with "
            "`createdb --template=template0 --encoding=UTF8 --locale=C NAME`"
        )


async def _take_steps(db: "psycopg.AsyncConnection[Any]", found: int) -> None:
    """Bring a database from the version that was found to the newest, within a transaction."""
    for version, statements in schema.steps():
        if version > found:
            for statement in statements:
                await db.execute(statement.encode())
    if found == 0:
        await db.execute("INSERT INTO facts (name, value) VALUES ('installation', %s)", (os.urandom(10).hex(),))
    await db.execute(f"COMMENT ON SCHEMA batchd IS '{newest()} {schema.digest(newest())}'".encode())
