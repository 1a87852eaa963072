"""Single statements of SQL, as the steps of a transaction run them."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, TypeVar, cast

import aiosqlite

from batchd.errors import Unavailable

T = TypeVar("T")
Row = sqlite3.Row
Step = Callable[[aiosqlite.Connection], Awaitable[T]]
"""A few statements that belong together; it runs inside a transaction and never commits itself."""

AMONG = "{} IN (SELECT value FROM json_each(?))"
"""A condition on a column, whose values come as one JSON list."""


async def update(db: aiosqlite.Connection, sql: str, *parameters: object) -> int:
    """Run one statement and say how many rows it changed.

    Args:
        db: The connection that a step was given.
        sql: An INSERT, UPDATE or DELETE.
        parameters: Its values.
    """
    async with db.execute(sql, parameters) as cursor:
        return cursor.rowcount


async def insert(db: aiosqlite.Connection, table: str, **values: object) -> int:
    """Insert one row and return its id.

    Args:
        db: The connection that a step was given.
        table: Its name.
        values: Column by column.
    """
    columns, places = ", ".join(values), ", ".join("?" * len(values))
    sql = f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608  names come from our own code
    async with db.execute(sql, tuple(values.values())) as cursor:
        if cursor.lastrowid is None:
            raise Unavailable("the database gave the new row no id")
        return cursor.lastrowid


async def returning(db: aiosqlite.Connection, sql: str, *parameters: object) -> Row | None:
    """Run one statement and return the row that it changed, if there is one.

    Args:
        db: The connection that a step was given.
        sql: An INSERT, UPDATE or DELETE of one row at the most, with RETURNING.
        parameters: Its values.
    """
    async with db.execute(sql, parameters) as cursor:
        return await cursor.fetchone()


async def many(db: aiosqlite.Connection, sql: str, rows: Iterable[Sequence[object] | Mapping[str, object]]) -> None:
    """Run one statement for each row; the rows are drawn in the database's own thread.

    Args:
        db: The connection that a step was given.
        sql: An INSERT, UPDATE or DELETE.
        rows: The values of each, by position or by name.
    """
    async with db.executemany(sql, cast("Iterable[Iterable[Any]]", rows)):
        pass


_PORTIONS = (64, 8, 1)
"""Rows that one statement takes; few sizes, since the connection keeps each statement that it has read."""


async def at_once(db: aiosqlite.Connection, sql: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Run a statement for many rows at a time.

    Of each row by itself, the journal of the statement, and handing over Python's lock and getting it back, would be
    most of the work.

    Args:
        db: The connection that a step was given.
        sql: An INSERT, UPDATE or DELETE, in which `{rows}` is a table of the values.
        columns: Names of its columns.
        rows: Their values; none of them may depend on what the statement does for another.
    """
    done = 0
    for size in _PORTIONS:
        end = done + (len(rows) - done) // size * size
        if end > done:
            portions = (tuple(chain.from_iterable(rows[at : at + size])) for at in range(done, end, size))
            await many(db, _of_size(sql, tuple(columns), size), portions)
            done = end


@cache
def _of_size(sql: str, columns: tuple[str, ...], size: int) -> str:
    names = ", ".join(f"column{number} AS {name}" for number, name in enumerate(columns, 1))
    row = f"({', '.join('?' * len(columns))})"
    return sql.format(rows=f"(SELECT {names} FROM (VALUES {', '.join([row] * size)}))")  # noqa: S608  our own names


def betas_of(row: Row) -> tuple[str, ...]:
    """Read the column `betas`, whose names are separated by commas.

    Args:
        row: One that has it.
    """
    return tuple(filter(None, row["betas"].split(",")))
