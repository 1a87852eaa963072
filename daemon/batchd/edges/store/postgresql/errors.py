"""What PostgreSQL says, sorted by what to do: wait, call a person, or mend the program."""

from typing import Final

import psycopg
from psycopg import errors

from batchd.edges.store.statements import Taken, Violation
from batchd.errors import Unavailable, Unusable

LOST: Final = (psycopg.OperationalError, psycopg.InterfaceError)
"""What is raised where the connection, or the server, is the trouble."""
_OTHER_TABLES: Final = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName)
_NEVER: Final = (
    errors.InvalidPassword,
    errors.InvalidAuthorizationSpecification,
    errors.InvalidCatalogName,
    errors.InsufficientPrivilege,
)


def sorted_by_cause(error: psycopg.Error) -> Exception:
    """Sort what the server says; anything else is a defect of ours, and stays what it is."""
    if isinstance(error, psycopg.IntegrityError):
        kind = Taken if isinstance(error, errors.UniqueViolation) else Violation
        return kind(error.diag.constraint_name or "", f"{error.diag.message_primary}")
    if isinstance(error, _OTHER_TABLES):
        return Unusable(f"the database has other tables than this batchd knows ({said(error)}): see docs/fleet.md")
    if isinstance(error, _NEVER):
        return Unusable(f"the database cannot be used: {said(error)}")
    if isinstance(error, LOST):
        return Unavailable(f"the database cannot take it now: {said(error)}")
    return error


def said(error: psycopg.Error) -> str:
    """The first line of what the server, or the way to it, says; it never has a password or a value."""
    primary = error.diag.message_primary
    return primary or next(iter(str(error).splitlines()), type(error).__name__).strip()
