"""The statements of one transaction, on the connection that writes."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, cast

import aiosqlite

from batchd.edges.store.statements import Row

_PORTIONS = (64, 8, 1)
"""Rows that one statement takes; few sizes, since the connection keeps each statement that it has read."""


class SqliteTransaction:
    """A transaction of SQLite, as `Transaction` says."""

    def __init__(self, db: aiosqlite.Connection) -> None:
        self._db = db

    async def update(self, sql: str, parameters: Sequence[object]) -> int:
        """Run one INSERT, UPDATE or DELETE, and say how many rows it changed."""
        async with self._db.execute(sql, parameters) as cursor:
            return cursor.rowcount

    async def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object]) -> list[Row]:
        """Run one statement, and return its rows."""
        return cast("list[Row]", await self._db.execute_fetchall(sql, cast("Iterable[Any]", parameters)))

    async def many(self, sql: str, rows: Iterable[Sequence[object] | Mapping[str, object]]) -> None:
        """Run one statement for each row; the rows are drawn in the database's own thread."""
        async with self._db.executemany(sql, cast("Iterable[Iterable[Any]]", rows)):
            pass

    async def at_once(self, sql: str, columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> None:
        """Run a statement for many rows at a time.

        Of each row by itself, the journal of the statement, and handing over Python's lock and getting it back, would
        be most of the work.
        """
        done = 0
        for size in _PORTIONS:
            end = done + (len(rows) - done) // size * size
            if end > done:
                portions = (tuple(chain.from_iterable(rows[at : at + size])) for at in range(done, end, size))
                await self.many(_of_size(sql, tuple(columns), size), portions)
                done = end


@cache
def _of_size(sql: str, columns: tuple[str, ...], size: int) -> str:
    names = ", ".join(f'column{number} AS "{name}"' for number, name in enumerate(columns, 1))
    row = f"({', '.join('?' * len(columns))})"
    return sql.format(rows=f"(SELECT {names} FROM (VALUES {', '.join([row] * size)}))")  # noqa: S608  our own names
