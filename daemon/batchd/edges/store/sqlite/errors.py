"""What SQLite says, sorted by what to do: wait, call a person, or mend the program."""

import os
import pwd
import re
import sqlite3
from pathlib import Path

from batchd.edges.store.statements import Taken, Violation
from batchd.errors import Unavailable, Unusable

_OF_THE_FILE = frozenset({sqlite3.OperationalError, sqlite3.DatabaseError})
"""What SQLite raises where the file, not the statement, is the trouble; the classes derived from them are not meant."""
_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,  # out of inodes or descriptors
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_TAKEN = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})
_OTHER_TABLES = re.compile(r"no such (table|column)|has no column")


def sorted_by_cause(error: sqlite3.DatabaseError) -> Exception:
    """Sort what SQLite says of the file itself; anything else is a defect of ours, and stays what it is."""
    if _is_of_the_statement(error):
        if _OTHER_TABLES.search(str(error)):
            return Unusable(f"the database has other tables than this batchd knows ({error}): see docs/operations.md")
        return error
    if isinstance(error, sqlite3.IntegrityError):
        kind = Taken if error.sqlite_errorcode in _TAKEN else Violation
        return kind(str(error).rpartition("constraint failed: ")[2], str(error))
    if isinstance(error, sqlite3.OperationalError):
        return Unavailable(f"the database cannot take it now: {error}")
    if type(error) in _OF_THE_FILE:
        return Unusable(f"the database is damaged: {error}; nothing was deleted, see docs/operations.md")
    return error


def is_of_the_file(error: Exception) -> bool:
    """Whether the file is the trouble, so that no other statement would fare better."""
    return type(error) in _OF_THE_FILE and not _is_of_the_statement(error)


def _is_of_the_statement(error: Exception) -> bool:
    """Whether SQLite could not make sense of what it was asked: waiting would change nothing."""
    return isinstance(error, sqlite3.OperationalError) and _code(error) == sqlite3.SQLITE_ERROR


def at_opening(path: Path, error: sqlite3.DatabaseError, done: str) -> Exception:
    """Say what keeps a file from being opened, and what to do.

    Args:
        path: The file.
        error: What SQLite raised.
        done: What was to be done with it, as a participle.
    """
    said = f"{path}: the database cannot be {done}: {error}"
    if _code(error) in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN} and _lacks_rights(path):
        return Unusable(
            f"{path}: {_owner(os.geteuid())} lacks the right to write in {path.parent}, as SQLite must to read it: "
            f"run the command as {_owner(path.parent.stat().st_uid)}"
        )
    if _code(error) in _PASSING:
        return Unavailable(said)
    return Unusable(f"{said}; see docs/operations.md")


def _lacks_rights(path: Path) -> bool:
    """Whether this user may not do with the file, which is there, what SQLite does."""
    return os.path.exists(path) and not (  # noqa: PTH110  one that may not be looked for is not there
        os.access(path.parent, os.R_OK | os.W_OK | os.X_OK) and os.access(path, os.R_OK | os.W_OK)
    )


def _owner(user: int) -> str:
    try:
        return f"user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"user {user}"


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
