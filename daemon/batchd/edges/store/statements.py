"""Single statements of SQL, as the steps of a transaction run them: one text, which SQLite and PostgreSQL both speak.

Values stand at `?`, `?1` or `:name`. What only one of the two would understand is written in no room of the store:
no `INSERT OR …`, no `IS ?`, truth as TRUE and FALSE, every derived table with a name. The few functions of SQLite that
PostgreSQL lacks it has from its schema (`postgresql/003-before.sql`).
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

AMONG = "{} IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"
"""A condition on a column of numbers, whose values come as one JSON list."""


class Row(Protocol):
    """One row, its values by the names of their columns or by their places."""

    def __getitem__(self, key: str | int, /) -> Any: ...  # noqa: ANN401  whatever a column holds
    def __iter__(self) -> Iterator[Any]: ...
    def keys(self) -> Sequence[str]:
        """The names of its columns."""
        ...


class Transaction(Protocol):
    """What a step is given: statements of one transaction, which commits when the step has returned."""

    async def update(self, sql: str, parameters: Sequence[object]) -> int:
        """Run one INSERT, UPDATE or DELETE, and say how many rows it changed."""
        ...

    async def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object]) -> list[Row]:
        """Run one statement, and return its rows."""
        ...

    async def many(self, sql: str, rows: Iterable[Sequence[object] | Mapping[str, object]]) -> None:
        """Run one statement for each row."""
        ...

    async def at_once(self, sql: str, columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> None:
        """Run one statement for many rows at a time; see `at_once`."""
        ...


Step = Callable[[Transaction], Awaitable[T]]
"""A few statements that belong together; it runs inside a transaction and never commits itself."""


class Violation(Exception):
    """A constraint of the tables does not let it be: a defect, or somebody was quicker.

    Attributes:
        where: What says so: the name of a constraint or an index, or table and column.
    """

    def __init__(self, where: str, said: str) -> None:
        super().__init__(said)
        self.where = where


class Taken(Violation):
    """A row like it is there already, where there may be only one."""


async def update(db: Transaction, sql: str, *parameters: object) -> int:
    """Run one INSERT, UPDATE or DELETE, and say how many rows it changed."""
    return await db.update(sql, parameters)


async def insert(db: Transaction, table: str, **values: object) -> int:
    """Insert one row, given column by column, and return its id."""
    columns, places = ", ".join(values), ", ".join("?" * len(values))
    sql = f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING id"  # noqa: S608  names come from our own code
    (row,) = await db.rows(sql, tuple(values.values()))
    return int(row["id"])


async def fetch(db: Transaction, sql: str, *parameters: object) -> list[Row]:
    """Run one statement and return its rows: those that it reads, or with RETURNING those that it changed."""
    return await db.rows(sql, parameters)


async def returning(db: Transaction, sql: str, *parameters: object) -> Row | None:
    """Run one statement and return its first row, if there is one."""
    return next(iter(await db.rows(sql, parameters)), None)


async def many(db: Transaction, sql: str, rows: Iterable[Sequence[object] | Mapping[str, object]]) -> None:
    """Run one statement for each row, whose values come by position or by name."""
    await db.many(sql, rows)


async def at_once(db: Transaction, sql: str, columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> None:
    """Run a statement for many rows at a time.

    Args:
        sql: An INSERT, UPDATE or DELETE, in which `{rows}` is a table of the values.
        columns: Names and types of its columns.
        rows: Their values; none of them may depend on what the statement does for another.
    """
    await db.at_once(sql, columns, rows)


def betas_of(row: Row) -> tuple[str, ...]:
    """Read the column `betas`, whose names are separated by commas."""
    return tuple(filter(None, row["betas"].split(",")))
