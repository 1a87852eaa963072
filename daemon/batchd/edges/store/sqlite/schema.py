"""By what a database is known: the digest of its tables and indexes, for each version of the schema."""

import re
import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

import aiosqlite

_TABLES = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
_BESIDE_THE_POINT = re.compile(r"--[^\n]*|\s+|\"")
"""Comments, white space, and the quotes that SQLite sets where it renames a table."""


@lru_cache(maxsize=1)
def migrations() -> tuple[tuple[int, str], ...]:
    """Every version of the schema with the script that leads to it, oldest first."""
    folder = files("batchd.edges.store") / "migrations"
    scripts = (entry for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(sorted((int(script.name[:3]), script.read_text("utf-8")) for script in scripts))


def statements(script: str) -> Iterator[str]:
    """Cut a script, since `executescript` would commit by itself what must be one transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def newest() -> int:
    """The version of the schema that this program works with."""
    return migrations()[-1][0]


@lru_cache(maxsize=8)
def expected(version: int) -> str:
    """The digest of a database of some version, as the scripts make it; 0 is an empty one."""
    db = sqlite3.connect(":memory:")
    try:
        for number, script in migrations():
            if number <= version:
                db.executescript(script)
        return _digest(db.execute(_TABLES).fetchall())
    finally:
        db.close()


async def found(db: aiosqlite.Connection) -> tuple[int, str]:
    """The version that a database says it has, and the digest of what it has."""
    version = int(next(iter(await db.execute_fetchall("PRAGMA user_version")))[0])
    rows = await db.execute_fetchall(_TABLES)
    return version, _digest([(row[0], row[1]) for row in rows])


def objection(version: int, digest: str, *, to_be_migrated: bool) -> str | None:
    """Say in a sentence why this program cannot work with a database, and what to do; None where it can.

    Args:
        version: From `found`, as is the digest.
        digest: Of its tables.
        to_be_migrated: Whether an older version is brought up to date, rather than refused.
    """
    if version > newest():
        return f"written by a newer batchd (schema {version}, this one knows {newest()}): update batchd"
    if digest != expected(version):
        if version == 0:
            return "it holds tables that are not batchd's: set another state folder"
        return (
            f"its tables are not those of schema {version}: another build of batchd made it; go on with that build, or "
            "set another state folder (docs/operations.md, Upgrading)"
        )
    if version < newest() and not to_be_migrated:
        return f"it has schema {version}, this batchd reads {newest()}: `batchd run` updates it"
    return None


def _digest(rows: list[tuple[str, str | None]]) -> str:
    said = "\n".join(f"{name} {_BESIDE_THE_POINT.sub('', sql or '').lower()}" for name, sql in rows)
    return sha256(said.encode()).hexdigest()
