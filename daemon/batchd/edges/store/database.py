"""One SQLite file: opened, migrated, and written to in groups.

WAL with `synchronous=FULL`: a commit that was answered survives a power cut. A commit costs a sync, so the steps
that many couriers want to store at one time share one (260,000 rows a second instead of 2,800).
"""

import os
import pwd
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar, cast
from urllib.parse import quote

import aiosqlite
import anyio
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from batchd.edges.store import schema
from batchd.errors import Unavailable, Unusable

T = TypeVar("T")
Row = sqlite3.Row
Step = Callable[[aiosqlite.Connection], Awaitable[T]]
"""A few statements that belong together; it runs inside a transaction and never commits itself."""

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
_LOG_BYTES = 64 << 20
"""To which the write-ahead log is cut back once a checkpoint has emptied it."""
_OTHER_TABLES = re.compile(r"no such (table|column)|has no column")
_BUSY = 5.0
"""Seconds for which another process may hold the file."""
GROUP = 256
"""Steps that share one commit at the most."""


@dataclass(slots=True)
class _Ticket:
    step: Step[Any]
    done: anyio.Event = field(default_factory=anyio.Event)
    result: object = None
    error: Exception | None = None


class Database:
    """The connections of one process: one that writes, in groups, and one that reads only what is committed."""

    def __init__(
        self, writer: aiosqlite.Connection, reader: aiosqlite.Connection, tickets: MemoryObjectSendStream[_Ticket]
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._tickets = tickets

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, *, migrate: bool = True) -> AsyncIterator[Self]:
        """Open the database to write to it.

        Args:
            path: The file; its folder must exist.
            migrate: Whether it is made, or brought to the newest schema. Only the daemon may, under its lock.

        Raises:
            Unusable: The file is no database of ours, damaged, or has other tables than this program works with.
            Unavailable: It is locked, or the disk full: another start may do.
        """
        try:
            async with _connected(path if migrate else f"file:{quote(str(path))}?mode=rw") as writer:
                await _prepare(writer, path, migrate=migrate)
                async with _connected(path) as reader, anyio.create_task_group() as tasks:
                    await reader.execute("PRAGMA query_only = ON")
                    await reader.execute("PRAGMA busy_timeout = 5000")
                    send, receive = anyio.create_memory_object_stream[_Ticket](float("inf"))
                    with send:  # whose end is the committing's
                        tasks.start_soon(_commit_groups, writer, receive)
                        yield cls(writer, reader, send)
        except sqlite3.DatabaseError as error:
            raise _at_opening(path, error, "used") from error

    @classmethod
    @asynccontextmanager
    async def look(cls, path: Path) -> AsyncIterator[Self]:
        """Open a database that exists to read from it; nothing is made, migrated or written.

        Args:
            path: The file.

        Raises:
            Unusable: The file is no database of ours, may not be read, or has other tables than ours.
            Unavailable: It cannot be read now.
        """
        send, receive = anyio.create_memory_object_stream[_Ticket]()
        receive.close()  # nobody would commit
        try:
            async with _connected(f"file:{quote(str(path))}?mode=ro") as db:
                await db.execute("PRAGMA busy_timeout = 5000")
                await _known(db, path, to_be_migrated=False)
                with send:
                    yield cls(db, db, send)
        except sqlite3.DatabaseError as error:
            raise _at_opening(path, error, "read") from error

    async def write(self, step: Step[T]) -> T:
        """Run a step and return once it is durable.

        Args:
            step: The statements; they may run again if the database was not able to, so they must have no
                other effect.

        Raises:
            Unavailable: The database could not take it (disk full, locked); nothing of it is stored.
        """
        ticket = _Ticket(step)
        await self._tickets.send(ticket)
        await ticket.done.wait()
        if ticket.error is not None:
            raise ticket.error
        return cast("T", ticket.result)

    async def rows(self, sql: str, *parameters: object) -> list[Row]:
        """Read rows.

        Args:
            sql: A SELECT.
            parameters: Its values.

        Raises:
            Unavailable: The database could not be read.
        """
        try:
            return list(await self._reader.execute_fetchall(sql, parameters))
        except sqlite3.DatabaseError as error:
            raise _sorted(error) from error

    async def values(self, make: Callable[[Row], T], sql: str, *parameters: object) -> list[T]:
        """Read rows, however many, as what is made of them in a thread: nobody waits for that.

        Args:
            make: Makes a value of a row; it touches nothing else.
            sql: A SELECT.
            parameters: Its values.

        Raises:
            Unavailable: The database could not be read.
        """
        # Never by a cursor that is open across an await: while one is, whoever else reads sees nothing that was
        # committed after it was opened, not even what he has just written.
        found = await self.rows(sql, *parameters)
        return await to_thread.run_sync(lambda: [make(row) for row in found])

    async def row(self, sql: str, *parameters: object) -> Row | None:
        """Read the first row, if there is one.

        Args:
            sql: A SELECT.
            parameters: Its values.
        """
        return next(iter(await self.rows(sql, *parameters)), None)

    async def flaws(self) -> list[str]:
        """Look the whole file over, which takes a while for a large one, and list the first things wrong with it."""
        found = await self.rows("PRAGMA quick_check(5)")
        return [said for row in found if (said := str(row[0])) != "ok"]

    async def answers(self) -> None:
        """Ask the connection that reads for something that is always there.

        Raises:
            Unavailable: The database could not be read.
        """
        await self.rows("PRAGMA user_version")

    async def version_of_data(self) -> int:
        """A number that changes when another process has written: how a command wakes the daemon.

        Raises:
            Unavailable: The database could not be read.
        """
        try:
            found = await self._writer.execute_fetchall("PRAGMA data_version")
        except sqlite3.DatabaseError as error:
            raise _sorted(error) from error
        return int(next(iter(found))[0])


@asynccontextmanager
async def _connected(place: Path | str) -> AsyncIterator[aiosqlite.Connection]:
    """A connection, closed also where the block was cancelled: its thread would stay."""
    db = aiosqlite.connect(place, uri=isinstance(place, str), isolation_level=None)
    try:
        await db
    except BaseException:
        # Its thread ends by itself, and would complain if the event loop were gone by then.
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(db._thread.join)  # noqa: SLF001  nothing else tells that it has ended
        raise
    try:
        db.row_factory = sqlite3.Row
        yield db
    finally:
        with anyio.CancelScope(shield=True):
            await db.close()


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


async def _prepare(db: aiosqlite.Connection, path: Path, *, migrate: bool) -> None:
    await db.execute("PRAGMA busy_timeout = 5000")
    found = await _known(db, path, to_be_migrated=migrate)
    await _log_ahead(db)
    await db.execute("PRAGMA synchronous = FULL")
    await db.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    # A migration may lay a table anew that others refer to: keys are checked at its end, and enforced from then on.
    await db.execute("PRAGMA foreign_keys = OFF")
    for version, script in schema.migrations():
        if version > found:
            await _migrate(db, version, script)
    await db.execute("PRAGMA foreign_keys = ON")


async def _known(db: aiosqlite.Connection, path: Path, *, to_be_migrated: bool) -> int:
    """Look whether a database is one that this program can work with, and return its version."""
    # In one transaction: another process may be taking a step of the schema just now.
    await db.execute("BEGIN")
    version, digest = await schema.found(db)
    await db.execute("COMMIT")
    if said := schema.objection(version, digest, to_be_migrated=to_be_migrated):
        raise Unusable(f"{path}: {said}")
    return version


async def _log_ahead(db: aiosqlite.Connection) -> None:
    """Switch to WAL, for good; SQLite does not wait by itself while another process is switching too."""
    until = anyio.current_time() + _BUSY
    while True:
        try:
            await db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if anyio.current_time() > until:
                raise
            await anyio.sleep(_BUSY / 100)
        else:
            return


async def _migrate(db: aiosqlite.Connection, version: int, script: str) -> None:
    """Take one step of the schema, unless another process, which was opening it too, has been quicker."""
    await db.execute("BEGIN IMMEDIATE")
    if await _version(db) < version:
        for statement in _statements(script):
            await db.execute(statement)
        if list(await db.execute_fetchall("PRAGMA foreign_key_check")):
            raise Unusable(
                f"the database cannot be brought to schema {version}: rows of it refer to rows that are gone"
            )
        await db.execute(f"PRAGMA user_version = {version}")
    await db.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """Cut a script, since `executescript` would commit by itself what must be one transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


async def _version(db: aiosqlite.Connection) -> int:
    return int(next(iter(await db.execute_fetchall("PRAGMA user_version")))[0])


async def _commit_groups(db: aiosqlite.Connection, tickets: MemoryObjectReceiveStream[_Ticket]) -> None:
    """Commit what is given until no more can be.

    A cancellation of the whole passes it by: threads that are at work then wait for their commit, and whoever cancelled
    for those threads.
    """
    with anyio.CancelScope(shield=True), tickets:
        async for first in tickets:
            group = [first]
            while len(group) < GROUP and tickets.statistics().current_buffer_used:
                group.append(tickets.receive_nowait())
            await _commit_or_tell(db, group)


async def _commit_or_tell(db: aiosqlite.Connection, group: list[_Ticket]) -> None:
    try:
        await _commit(db, group)
    except sqlite3.DatabaseError as error:
        for ticket in group:
            ticket.error = _sorted(error)
        if db.in_transaction:
            await db.rollback()
    for ticket in group:
        ticket.done.set()


async def _commit(db: aiosqlite.Connection, group: list[_Ticket]) -> None:
    await db.execute("BEGIN IMMEDIATE")
    for ticket in group:
        await db.execute("SAVEPOINT step")
        try:
            ticket.result = await ticket.step(db)
        except Exception as error:  # what one step raises is its caller's, not the others'; but not the file's trouble
            if type(error) in _OF_THE_FILE and not _is_of_the_statement(error):
                raise
            ticket.error = _sorted(error) if isinstance(error, sqlite3.DatabaseError) else error
            await db.execute("ROLLBACK TO step")
        await db.execute("RELEASE step")
    await db.execute("COMMIT")


def betas_of(row: Row) -> tuple[str, ...]:
    """Read the column `betas`, whose names are separated by commas.

    Args:
        row: One that has it.
    """
    return tuple(filter(None, row["betas"].split(",")))


def _sorted(error: sqlite3.DatabaseError) -> Exception:
    """Sort what SQLite says of the file itself; anything else is a defect of ours, and stays what it is."""
    if _is_of_the_statement(error):
        if _OTHER_TABLES.search(str(error)):
            return Unusable(f"the database has other tables than this batchd knows ({error}): see docs/operations.md")
        return error
    if isinstance(error, sqlite3.OperationalError):
        return Unavailable(f"the database cannot take it now: {error}")
    if type(error) in _OF_THE_FILE:
        return Unusable(f"the database is damaged: {error}; nothing was deleted, see docs/operations.md")
    return error


def _is_of_the_statement(error: Exception) -> bool:
    """Whether SQLite could not make sense of what it was asked: waiting would change nothing."""
    return isinstance(error, sqlite3.OperationalError) and _code(error) == sqlite3.SQLITE_ERROR


def _at_opening(path: Path, error: sqlite3.DatabaseError, done: str) -> Exception:
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
