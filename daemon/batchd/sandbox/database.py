"""One SQLite file that threads share, and that can be closed under them."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from batchd.sandbox.schema import SCHEMA


class DatabaseClosed(Exception):
    """The sandbox is shutting down."""


class Database:
    """The tables of one sandbox; methods block for milliseconds, and are safe to call from any thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, or create it.

        Args:
            path: Where it lies; its folder exists.
        """
        self._lock = threading.Lock()
        self._closed = False
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file; whatever was said to be kept is."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def all(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Every row that a query finds.

        Raises:
            DatabaseClosed: There is nobody to ask any more.
        """
        with self._opened() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """What is executed in this block happens as a whole, or not at all.

        Raises:
            DatabaseClosed: There is nobody to tell any more.
        """
        with self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._closed:
                raise DatabaseClosed
            yield self._connection
