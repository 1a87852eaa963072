"""A database of a PostgreSQL server: read from by one connection, and written to in groups by another.

The connection that writes holds the lock of the daemon. So what commits is what holds the lock, and a process that has
lost one has lost both: it commits no intent any more, and ends.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeVar, cast

import anyio
import psycopg
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from batchd.edges.store.postgresql.connection import CHANNEL, DAEMON, LOCKS, WRITING, connected, named
from batchd.edges.store.postgresql.errors import LOST, said, sorted_by_cause
from batchd.edges.store.postgresql.migrating import known
from batchd.edges.store.postgresql.safety import risks
from batchd.edges.store.postgresql.transaction import PostgresqlTransaction, fetched
from batchd.edges.store.sqlite.schema import newest
from batchd.edges.store.statements import Row, Step
from batchd.errors import Unavailable

T = TypeVar("T")
GROUP: Final = 256
"""Steps that share one commit at the most."""
LONG: Final = 0.05
"""Seconds after which a commit takes in no further step: another process that writes waits for all of it."""
HEARTBEAT: Final = 5.0
"""Seconds between two looks whether the connection that writes is still there."""
PATIENCE: Final = 10.0
"""Seconds for which it may not answer."""
_KNOCK: Final = 1.0
"""Seconds between two tries to get the lock."""

ONE_AT_A_TIME: Final = f"SELECT pg_advisory_xact_lock({LOCKS}, {WRITING})".encode()
"""What a step may take for granted, as on a file: that no step of another process comes between its statements."""
_HELD: Final = """SELECT 1 FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND pid = ? AND classid = ? AND objid = ?
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


@dataclass(slots=True)
class _Ticket:
    step: Step[Any]
    done: anyio.Event = field(default_factory=anyio.Event)
    result: object = None
    error: Exception | None = None


class PostgresqlDatabase:
    """A database of a server, as `Database` says."""

    def __init__(
        self,
        writer: "psycopg.AsyncConnection[Any]",
        reader: "psycopg.AsyncConnection[Any]",
        tickets: MemoryObjectSendStream[_Ticket],
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._tickets = tickets
        self._heard = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, *, daemon: bool, waits: Callable[[str], Awaitable[None]] | None = None
    ) -> AsyncIterator[Self]:
        """Open the database to write to it.

        Args:
            url: As libpq takes it.
            daemon: Whether the tables are made where there are none, and the lock of the daemon is held: where another
                one has it, this one waits until that one is gone.
            waits: Is told that another daemon has the lock, once.

        Raises:
            Unusable: The database is not ours, or this user may not use it.
            Unavailable: It cannot be reached, or was lost: nothing is committed any more.
        """
        async with AsyncExitStack() as opened:
            writer = await opened.enter_async_context(connected(url))
            if daemon:
                await _sole(writer, url, waits)
            await known(writer, url, to_be_migrated=daemon)
            reader = await opened.enter_async_context(connected(url))
            tasks = await opened.enter_async_context(anyio.create_task_group())
            send, receive = anyio.create_memory_object_stream[_Ticket](float("inf"))
            database = cls(writer, reader, send)
            if daemon:
                listener = await opened.enter_async_context(connected(url))
                watched = await opened.enter_async_context(anyio.create_task_group())
                watched.start_soon(database._listen, listener)
                watched.start_soon(database._watch, url)
                opened.callback(watched.cancel_scope.cancel)
            opened.enter_context(send)  # whose end is the committing's
            tasks.start_soon(_commit_groups, writer, receive)
            yield database

    @classmethod
    @asynccontextmanager
    async def look(cls, url: str) -> AsyncIterator[Self]:
        """Open a database that has our tables to read from it; nothing is made or written.

        Raises:
            Unusable: The database is not ours, or this user may not use it.
            Unavailable: It cannot be reached.
        """
        send, receive = anyio.create_memory_object_stream[_Ticket]()
        receive.close()  # nobody would commit
        with send:
            async with connected(url) as db:
                await db.execute("SET default_transaction_read_only = on")
                await known(db, url, to_be_migrated=False)
                yield cls(db, db, send)

    @property
    def schema(self) -> int:
        """The version of the tables."""
        return newest()

    async def write(self, step: Step[T]) -> T:
        """Run a step and return once it is durable; no other step of any process runs at the same time."""
        ticket = _Ticket(step)
        await self._tickets.send(ticket)
        await ticket.done.wait()
        if ticket.error is not None:
            raise ticket.error
        return cast("T", ticket.result)

    async def rows(self, sql: str, *parameters: object) -> list[Row]:
        """Read rows by a SELECT."""
        try:
            return await fetched(self._reader, sql, parameters)
        except psycopg.Error as error:
            raise sorted_by_cause(error) from error

    async def values(self, make: Callable[[Row], T], sql: str, *parameters: object) -> list[T]:
        """Read rows, however many, as what is made of them in a thread: nobody waits for that."""
        found = await self.rows(sql, *parameters)
        return await to_thread.run_sync(lambda: [make(row) for row in found])

    async def row(self, sql: str, *parameters: object) -> Row | None:
        """Read the first row of a SELECT, if there is one."""
        return next(iter(await self.rows(sql, *parameters)), None)

    async def answers(self) -> None:
        """Ask the connection that reads for something that is always there."""
        await self.rows("SELECT 1")

    async def version_of_data(self) -> int:
        """A number that changes when another process has written: it is told of that, and asks for nothing."""
        return self._heard

    async def flaws(self) -> list[str]:
        """What of the server's settings could lose a commit that was answered; its pages it checks itself."""
        return await risks(self._reader)

    async def give_back_log(self) -> bool:
        """Nothing: the server keeps its log itself."""
        return True

    async def spare_others_the_log(self) -> None:
        """Nothing: the server writes its log back itself."""

    async def give_back_pages(self, most: int) -> int:  # noqa: ARG002  of a file that is ours
        """Nothing: the server gives room to what is written next."""
        return 0

    async def _listen(self, listener: "psycopg.AsyncConnection[Any]") -> None:
        own = self._writer.info.backend_pid
        try:
            await listener.execute(f"LISTEN {CHANNEL}".encode())
            async for notice in listener.notifies():
                self._heard += notice.pid != own
        except LOST as error:
            raise Unavailable(f"the database is lost, and with it the lock: {said(error)}") from error

    async def _watch(self, url: str) -> None:
        """Raise where the connection that writes, and so the lock, is lost, or the server cannot be asked."""
        while True:
            await anyio.sleep(HEARTBEAT)
            try:
                with anyio.fail_after(PATIENCE):
                    held = await fetched(self._reader, _HELD, (self._writer.info.backend_pid, LOCKS, DAEMON))
            except psycopg.Error as error:
                raise Unavailable(f"{named(url)}: it is lost, and with it the lock: {said(error)}") from error
            except TimeoutError:
                raise Unavailable(f"{named(url)}: it does not answer for {PATIENCE:g} s") from None
            if not held:
                raise Unavailable(f"{named(url)}: the lock is lost: another daemon may work on it now")


async def _sole(
    writer: "psycopg.AsyncConnection[Any]", url: str, waits: Callable[[str], Awaitable[None]] | None
) -> None:
    """Take the lock of the daemon, for as long as this connection lasts."""
    told = False
    try:
        while True:
            cursor = await writer.execute(f"SELECT pg_try_advisory_lock({LOCKS}, {DAEMON})".encode())
            if (await cursor.fetchone() or (False,))[0]:
                return
            if waits is not None and not told:
                told = True
                await waits(named(url))
            await anyio.sleep(_KNOCK)
    except psycopg.Error as error:
        raise sorted_by_cause(error) from error


async def _commit_groups(db: "psycopg.AsyncConnection[Any]", tickets: MemoryObjectReceiveStream[_Ticket]) -> None:
    """Commit what is given until no more can be; a cancellation of the whole passes it by, as in SQLite's."""
    with anyio.CancelScope(shield=True), tickets:
        async for first in tickets:
            group = [first]
            while len(group) < GROUP and tickets.statistics().current_buffer_used:
                group.append(tickets.receive_nowait())
            while group:
                some = group
                try:
                    some = await _commit(db, group)
                except psycopg.Error as error:
                    for ticket in some:
                        ticket.error = sorted_by_cause(error)
                    await _roll_back(db)
                for ticket in some:
                    ticket.done.set()
                group = group[len(some) :]


async def _commit(db: "psycopg.AsyncConnection[Any]", group: list[_Ticket]) -> list[_Ticket]:
    """Commit the first steps of a group, and return them: all of it, or as many as are quick together."""
    await db.execute("BEGIN")
    await db.execute(ONE_AT_A_TIME)
    statements = PostgresqlTransaction(db)
    began, done = anyio.current_time(), 0
    while done < len(group) and anyio.current_time() - began < LONG:
        ticket = group[done]
        await db.execute("SAVEPOINT step")
        try:
            ticket.result = await ticket.step(statements)
        except Exception as error:
            if isinstance(error, LOST):
                raise
            ticket.error = sorted_by_cause(error) if isinstance(error, psycopg.Error) else error
            await db.execute("ROLLBACK TO SAVEPOINT step")
        await db.execute("RELEASE SAVEPOINT step")
        done += 1
    await db.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
    await db.execute("COMMIT")
    return group[:done]


async def _roll_back(db: "psycopg.AsyncConnection[Any]") -> None:
    try:
        await db.execute("ROLLBACK")
    except psycopg.Error:
        return  # the connection is gone, and its transaction with it
