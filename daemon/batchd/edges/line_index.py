"""Where each request's line stands in a file of results, for a moment, on disk: of a million no more than their places.

A file of its own beside the spool, which nobody misses: made anew whenever it is needed. It blocks: callers run it in a
worker thread.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from batchd.edges import disk

SUFFIX: Final = ".lines"
"""How the name of an index ends."""
_CACHE: Final = -8_000
"""KB of pages that SQLite keeps in memory."""


class LineIndex:
    """Lines of one open file by what they belong to; of several the last counts."""

    def __init__(self, db: sqlite3.Connection, file: BinaryIO) -> None:
        self._db = db
        self._file = file

    def find(self, name: str) -> bytes | None:
        """Read a line; None where there is none of that name."""
        row = self._db.execute("SELECT offset, size FROM lines WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        self._file.seek(row[0])
        return self._file.read(row[1])


@contextmanager
def indexed(place: Path, file: BinaryIO, lines: Iterable[tuple[str, int, int]]) -> Iterator[LineIndex]:
    """Index the lines of a file for as long as the block lasts.

    Args:
        place: A new file, which is removed in the end.
        file: That they stand in.
        lines: Name, offset and size of each, in the order of the file.

    Raises:
        OSError: The disk refuses.
    """
    place.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(place, isolation_level=None)) as db:
            for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = {_CACHE}"):
                db.execute(f"PRAGMA {setting}")
            db.execute("CREATE TABLE lines (name TEXT PRIMARY KEY, offset INTEGER, size INTEGER) WITHOUT ROWID")
            db.execute("BEGIN")
            db.executemany("INSERT OR REPLACE INTO lines VALUES (?, ?, ?)", _patiently(lines))
            db.execute("COMMIT")
            yield LineIndex(db, file)
    except sqlite3.OperationalError as error:
        raise OSError(f"the index of results cannot be written: {error}") from error
    finally:
        place.unlink(missing_ok=True)


def _patiently(lines: Iterable[tuple[str, int, int]]) -> Iterator[tuple[str, int, int]]:
    for number, line in enumerate(lines):
        if not number % 1_000:
            disk.stop_if_told()
        yield line
