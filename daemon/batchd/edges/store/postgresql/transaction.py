"""The statements of one transaction, on the connection that writes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, cast

import psycopg
from anyio import to_thread

from batchd.edges.store.postgresql.placeholders import in_order, placed
from batchd.edges.store.postgresql.rows import records
from batchd.edges.store.statements import Row


class PostgresqlTransaction:
    """A transaction of PostgreSQL, as `Transaction` says."""

    def __init__(self, db: "psycopg.AsyncConnection[Any]") -> None:
        self._db = db

    async def update(self, sql: str, parameters: Sequence[object]) -> int:
        """Run one INSERT, UPDATE or DELETE, and say how many rows it changed."""
        async with psycopg.AsyncRawCursor(self._db) as cursor:
            await cursor.execute(_text(placed(sql)[0]), parameters)
            return cursor.rowcount

    async def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object]) -> list[Row]:
        """Run one statement, and return its rows."""
        return await fetched(self._db, sql, parameters)

    async def many(self, sql: str, rows: Iterable[Sequence[object] | Mapping[str, object]]) -> None:
        """Run one statement for each row, in one go; the rows are drawn in a worker thread."""
        text, names = placed(sql)
        values = await to_thread.run_sync(lambda: [in_order(names, row) for row in rows])
        if values:
            async with psycopg.AsyncRawCursor(self._db) as cursor:
                await cursor.executemany(_text(text), values)

    async def at_once(self, sql: str, columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> None:
        """Run a statement for many rows at a time: their values travel as one list for each column."""
        if not rows:
            return
        text = _of_lists(sql, tuple(columns.items()))
        lists = await to_thread.run_sync(_lists, [*columns.values()], rows)
        async with psycopg.AsyncRawCursor(self._db) as cursor:
            await cursor.execute(_text(text), lists)


async def fetched(
    db: "psycopg.AsyncConnection[Any]", sql: str, parameters: Sequence[object] | Mapping[str, object] = ()
) -> list[Row]:
    """Run one statement on a connection, and return its rows."""
    text, names = placed(sql)
    async with psycopg.AsyncRawCursor(db, row_factory=records) as cursor:
        await cursor.execute(_text(text), in_order(names, parameters))
        return cast("list[Row]", await cursor.fetchall()) if cursor.description else []


_OF_KIND: Mapping[str, Callable[[Any], object]] = {
    "BIGINT": int,
    "BOOLEAN": bool,
    "DOUBLE PRECISION": float,
    "TEXT": str,
}


def _lists(kinds: Sequence[str], rows: Sequence[Sequence[object]]) -> list[list[object]]:
    """The values of each column, all of one class: a list is asked for it but once."""
    return [
        [None if value is None else _OF_KIND[kind](value) for value in column]
        for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)
    ]


def _text(sql: str) -> bytes:
    """A statement as psycopg takes one that was put together: nothing of it comes from a user."""
    return sql.encode()


@cache
def _of_lists(sql: str, columns: tuple[tuple[str, str], ...]) -> str:
    lists = ", ".join(f"CAST(${number} AS {kind}[])" for number, (_, kind) in enumerate(columns, 1))
    names = ", ".join(f'"{name}"' for name, _ in columns)
    return sql.format(rows=f"(SELECT * FROM unnest({lists}) AS each ({names}))")  # noqa: S608  our own names
