"""Names of jobs, for a shell that completes one: `batchd completion jobs -- BEGINNING`.

It answers while somebody types, so it imports next to nothing, and asks the database by itself, read-only. Where
anything is in the way it prints nothing: nobody asked for more than a help in typing.
"""

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

DATABASE: Final = "batchd.sqlite"
_MOST: Final = 200
"""Names that are offered at once: more are no help."""
_PATIENCE: Final = 0.2
"""Seconds for a database that somebody else keeps."""


def print_names(words: Sequence[str]) -> int:
    """Print names that begin as the last word says, letter case ignored; the latest where it says nothing."""
    beginning = words[-1] if words and words[-1] != "--" else ""
    try:
        from batchd.settings import load_settings  # noqa: PLC0415  its errors are nobody's here

        found = _names(load_settings({}, None).state / DATABASE, beginning)
    except Exception:  # noqa: BLE001  see above
        return 0
    sys.stdout.writelines(f"{name}\n" for name in found if name.isprintable())
    return 0


def _names(database: Path, beginning: str) -> list[str]:
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE)
    with closing(connection):
        if not beginning:
            rows = connection.execute("SELECT name FROM jobs ORDER BY id DESC LIMIT ?", (_MOST,))
        else:
            # The index of the names is asked; U+10FFFF sorts behind all that may follow.
            sql = "SELECT name FROM jobs WHERE name >= ?1 AND name < ?1 || char(1114111) ORDER BY name LIMIT ?2"
            rows = connection.execute(sql, (beginning, _MOST))
        return [name for (name,) in rows]
