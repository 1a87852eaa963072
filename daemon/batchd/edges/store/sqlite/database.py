"""One SQLite file: read from by one connection, and written to in groups by another.

WAL with `synchronous=FULL`: a commit that was answered survives a power cut. A commit costs a sync, so the steps
that many couriers want to store at one time share one (260,000 rows a second instead of 2,800).
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, cast
from urllib.parse import quote

import aiosqlite
import anyio
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from batchd.edges.store.sqlite.connection import BUSY, INCREMENTAL, connected, known, prepare
from batchd.edges.store.sqlite.errors import at_opening, is_of_the_file, sorted_by_cause
from batchd.edges.store.sqlite.schema import newest
from batchd.edges.store.sqlite.transaction import SqliteTransaction
from batchd.edges.store.statements import Row, Step, Transaction, update
from batchd.errors import Defect

T = TypeVar("T")
GROUP = 256
"""Steps that share one commit at the most."""
LONG = 0.05
"""Seconds after which a commit takes in no further step: another process that writes waits for all of it."""


_GLANCE = 100
"""Milliseconds for which a checkpoint waits for whoever reads the log: everybody who writes waits with it."""


@dataclass(slots=True)
class _Ticket:
    step: Step[Any] | None
    between: Callable[[aiosqlite.Connection], Awaitable[object]] | None = None
    """Runs between two commits, in none."""
    done: anyio.Event = field(default_factory=anyio.Event)
    result: object = None
    error: Exception | None = None
    stored: bool = False
    """Whether its commit is done, whatever comes behind that."""

    async def run(self, statements: SqliteTransaction) -> object:
        return None if self.step is None else await self.step(statements)


class SqliteDatabase:
    """A file, as `Database` says: one connection that writes, in groups, and one that reads only what is committed."""

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
            async with connected(path if migrate else f"file:{quote(str(path))}?mode=rw") as writer:
                await prepare(writer, path, migrate=migrate)
                async with connected(path) as reader, anyio.create_task_group() as tasks:
                    await reader.execute("PRAGMA query_only = ON")
                    await reader.execute("PRAGMA busy_timeout = 5000")
                    send, receive = anyio.create_memory_object_stream[_Ticket](float("inf"))
                    with send:  # whose end is the committing's
                        tasks.start_soon(_commit_groups, writer, receive)
                        yield cls(writer, reader, send)
        except sqlite3.DatabaseError as error:
            raise at_opening(path, error, "used") from error

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
            with send:
                async with _to_read(path) as db:
                    await known(db, path, to_be_migrated=False)
                    yield cls(db, db, send)
        except sqlite3.DatabaseError as error:
            raise at_opening(path, error, "read") from error

    @property
    def schema(self) -> int:
        """The version of the tables."""
        return newest()

    async def write(self, step: Step[T]) -> T:
        """Run a step and return once it is durable.

        Args:
            step: The statements; they may run again if the database was not able to, so they must have no
                other effect.

        Raises:
            Unavailable: The database could not take it (disk full, locked); nothing of it is stored.
        """
        return cast("T", await self._done(_Ticket(step)))

    async def give_back_log(self) -> bool:
        """Bring all that the write-ahead log holds into the file, and cut the log to nothing.

        Returns:
            Whether that could be done; while another process reads, the next checkpoint does it.

        Raises:
            Unavailable: The disk refuses.
        """
        return cast("bool", await self._done(_Ticket(None, between=_give_back_log)))

    async def spare_others_the_log(self) -> None:
        """Bring into the file what can be of the write-ahead log: else whoever commits next may have to.

        Raises:
            Unavailable: The disk refuses.
        """
        await self._done(_Ticket(None, between=_bring_over))

    async def give_back_pages(self, most: int) -> int:
        """Give empty pages of the file back to the file system, and say how many are left.

        Returns:
            0 also where the file was not laid out for that: the next start of the daemon sees to it.

        Raises:
            Unavailable: The disk refuses.
        """
        return cast("int", await self._done(_Ticket(None, between=partial(_give_back_pages, most=most))))

    async def _done(self, ticket: _Ticket) -> object:
        await self._tickets.send(ticket)
        await ticket.done.wait()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    async def rows(self, sql: str, *parameters: object) -> list[Row]:
        """Read rows.

        Args:
            sql: A SELECT.
            parameters: Its values.

        Raises:
            Unavailable: The database could not be read.
        """
        try:
            return cast("list[Row]", await self._reader.execute_fetchall(sql, parameters))
        except sqlite3.DatabaseError as error:
            raise sorted_by_cause(error) from error

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

    async def number_from(self, table: str, least: int) -> None:
        """Have the next row of a table with AUTOINCREMENT get this id, or a higher one."""

        async def step(db: Transaction) -> None:
            if not await update(db, "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", least - 1, table):
                await update(db, "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", table, least - 1)

        await self.write(step)

    def still_held(self) -> None:
        """Nothing: the lock of the state folder ends with the process."""

    async def in_hand(self) -> Mapping[int, Sequence[int]]:
        """Nothing: a file has one daemon, and no timetable."""
        return {}

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
            raise sorted_by_cause(error) from error
        return int(next(iter(found))[0])


@asynccontextmanager
async def _to_read(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """A connection that reads, also where this user may write nothing beside the file.

    To read a file in WAL mode SQLite makes its index anew where the last to close it has taken it away. Where it may
    not and there is no log, nobody has the file open to write: it is read as one that does not change.
    """
    async with AsyncExitStack() as opened:
        place = f"file:{quote(str(path))}?mode=ro"
        db = await opened.enter_async_context(connected(place))
        await db.execute("PRAGMA busy_timeout = 5000")
        try:
            await db.execute_fetchall("PRAGMA user_version")
        except sqlite3.OperationalError:
            if await to_thread.run_sync(os.path.lexists, f"{path}-wal"):
                raise
            await opened.aclose()
            db = await opened.enter_async_context(connected(f"{place}&immutable=1"))
        yield db


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
            try:
                await _commit_or_tell(db, group)
            except sqlite3.Error:  # the file cannot even take back what was begun
                raise
            except Exception as bug:  # noqa: BLE001  it is the trouble of those that wait for it
                await _tell_of_defect(db, group, bug)


async def _give_back_log(db: aiosqlite.Connection) -> bool:
    await db.execute(f"PRAGMA busy_timeout = {_GLANCE}")
    try:
        (found,) = await db.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        await db.execute(f"PRAGMA busy_timeout = {BUSY}")
    return not found[0]


async def _bring_over(db: aiosqlite.Connection) -> None:
    await db.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")


async def _give_back_pages(db: aiosqlite.Connection, most: int) -> int:
    (laid_out,) = await db.execute_fetchall("PRAGMA auto_vacuum")
    if laid_out[0] != INCREMENTAL:
        return 0
    # It steps once a page, and gives no columns: Python would take the first step alone, but for a script.
    await db.executescript(f"PRAGMA incremental_vacuum({most})")
    (left,) = await db.execute_fetchall("PRAGMA freelist_count")
    return int(left[0])


async def _commit_or_tell(db: aiosqlite.Connection, group: Sequence[_Ticket]) -> None:
    steps: Sequence[_Ticket] = [ticket for ticket in group if ticket.step is not None]
    while steps:
        some = steps
        try:
            some = await _commit(db, steps)
        except sqlite3.DatabaseError as error:
            await _tell(db, some, error)
        for ticket in some:
            ticket.done.set()
        steps = steps[len(some) :]
    for ticket in group:
        if ticket.between is not None:
            try:
                ticket.result = await ticket.between(db)
            except sqlite3.DatabaseError as error:
                await _tell(db, [ticket], error)
            ticket.done.set()


async def _tell(db: aiosqlite.Connection, group: Sequence[_Ticket], error: sqlite3.DatabaseError) -> None:
    for ticket in group:
        ticket.error = sorted_by_cause(error)
    if db.in_transaction:
        await db.rollback()


async def _tell_of_defect(db: aiosqlite.Connection, group: Sequence[_Ticket], bug: Exception) -> None:
    """Tell a defect to those whose commit it has kept from being done, and to nobody else."""
    if db.in_transaction:
        await db.rollback()
    for ticket in group:
        if not ticket.stored and ticket.error is None and not ticket.done.is_set():
            ticket.error = Defect.of(bug)
        ticket.done.set()


async def _commit(db: aiosqlite.Connection, group: Sequence[_Ticket]) -> Sequence[_Ticket]:
    """Commit the first steps of a group, and return them: all of it, or as many as are quick together."""
    await db.execute("BEGIN IMMEDIATE")
    statements = SqliteTransaction(db)
    if len(group) == 1:
        await _commit_alone(db, group[0], statements)
        return group
    began, done = anyio.current_time(), 0
    while done < len(group) and anyio.current_time() - began < LONG:
        ticket = group[done]
        await db.execute("SAVEPOINT step")
        try:
            ticket.result = await ticket.run(statements)
        except Exception as error:  # noqa: BLE001  told to its caller, if it is not the file's
            ticket.error = _own(error)
            await db.execute("ROLLBACK TO step")
        await db.execute("RELEASE step")
        done += 1
    await db.execute("COMMIT")
    for ticket in group[:done]:
        ticket.stored = True
    return group[:done]


async def _commit_alone(db: aiosqlite.Connection, ticket: _Ticket, statements: SqliteTransaction) -> None:
    """Commit a step that shares its transaction with no other: what it raises takes back all of that."""
    try:
        ticket.result = await ticket.run(statements)
    except Exception as error:  # noqa: BLE001  told to its caller, if it is not the file's
        ticket.error = _own(error)
        await db.rollback()
    else:
        await db.execute("COMMIT")
        ticket.stored = True


def _own(error: Exception) -> Exception:
    """What a step's caller is told; trouble of the file is everybody's, and raised."""
    if is_of_the_file(error):
        raise error
    return sorted_by_cause(error) if isinstance(error, sqlite3.DatabaseError) else error
