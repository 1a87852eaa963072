"""Rows and values between Python and PostgreSQL, as the store knows them from SQLite."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

_NUL: Final = "\0"
_INSTEAD: Final = "\N{REPLACEMENT CHARACTER}"


class Record:
    """One row, its values by the names of their columns or by their places."""

    __slots__ = ("_columns", "_values")

    def __init__(self, columns: dict[str, int], values: Sequence[Any]) -> None:
        self._columns = columns
        self._values = values

    def __getitem__(self, key: str | int) -> Any:  # noqa: ANN401  whatever a column holds
        return self._values[key if isinstance(key, int) else self._columns[key]]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def keys(self) -> list[str]:
        """The names of its columns."""
        return list(self._columns)


def records(cursor: "psycopg.AsyncCursor[Any] | psycopg.Cursor[Any]") -> Callable[[Sequence[Any]], Record]:
    """Make rows of what a cursor brings; of two columns of one name the first is meant, as in SQLite."""
    columns: dict[str, int] = {}
    for place, column in enumerate(cursor.description or ()):
        columns.setdefault(column.name, place)
    return lambda values: Record(columns, values)


class _Text(StrDumper):
    """Text as text: PostgreSQL has no NUL in it."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(str(obj).replace(_NUL, _INSTEAD))


class _Number(Loader):
    """What a sum is, whole wherever its parts are."""

    def load(self, data: Buffer) -> int | float:
        said = bytes(data).decode()
        return int(said) if said.lstrip("-").isdigit() else float(said)


def adapt(connection: "psycopg.AsyncConnection[Any]") -> None:
    """Let a connection take and give values of the types that the store has."""
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(str, _Text)
    connection.adapters.register_loader("numeric", _Number)
