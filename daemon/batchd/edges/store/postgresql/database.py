"""A database of a PostgreSQL server: read from by one connection, and written to in groups by another.

The connection that writes holds the lock of the daemon's slot. So what commits is what holds the lock, and a process
that has lost one has lost both: it commits no intent any more, and ends.
"""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeVar, cast

import anyio
import psycopg
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from psycopg.pq import TransactionStatus

from batchd.edges.store.postgresql.connection import (
    CHANNEL,
    LOCKS,
    SLOTS,
    SWEEPING,
    TIMETABLE,
    WRITING,
    connected,
    named,
)
from batchd.edges.store.postgresql.errors import LOST, said, sorted_by_cause
from batchd.edges.store.postgresql.migrating import known
from batchd.edges.store.postgresql.safety import risks
from batchd.edges.store.postgresql.transaction import PostgresqlTransaction, fetched
from batchd.edges.store.sqlite.schema import newest
from batchd.edges.store.statements import Row, Step, Transaction, fetch
from batchd.errors import Defect, Unavailable

T = TypeVar("T")
GROUP: Final = 256
"""Steps that share one commit at the most."""
LONG: Final = 0.05
"""Seconds after which a commit takes in no further step: another process that writes waits for all of it."""
STALLED: Final = 30.0
"""Seconds after which a process that is not heard is given up, where nothing else is said."""
_KNOCK: Final = 1.0
"""Seconds between two tries to get the lock."""

ONE_AT_A_TIME: Final = f"SELECT pg_advisory_xact_lock({LOCKS}, {WRITING})".encode()
"""What a step may take for granted, as on a file: that no step of another process comes between its statements."""
_BY_WORKER: Final = "worker"
"""What a notice of a commit says that only changes what a worker has in hand: nobody need look for it."""
_HELD: Final = """SELECT 1 FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND pid = ? AND classid = ? AND objid = ?
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
_IN_HAND: Final = f"""SELECT worker_id AS engine, array_agg(CAST(args ->> 'batch' AS BIGINT) ORDER BY id) AS batches
    FROM {TIMETABLE}.procrastinate_jobs WHERE status = 'doing' AND worker_id IS NOT NULL GROUP BY worker_id"""  # noqa: S608  our own name
_SLOTS_HELD: Final = """SELECT CAST(objid AS BIGINT) - ?2 AS slot FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND classid = ?1 AND objid >= ?2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


@dataclass(slots=True)
class _Ticket:
    step: Step[Any]
    done: anyio.Event = field(default_factory=anyio.Event)
    result: object = None
    error: Exception | None = None
    stored: bool = False
    """Whether its commit is done, whatever comes behind that."""


class PostgresqlDatabase:
    """A database of a server, as `Database` says."""

    def __init__(  # noqa: PLR0913  its connections, and whose they are
        self,
        writer: "psycopg.AsyncConnection[Any]",
        reader: "psycopg.AsyncConnection[Any]",
        tickets: MemoryObjectSendStream[_Ticket],
        token: str,
        slot: int = 0,
        stalled: float = STALLED,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._tickets = tickets
        self._heard = 0
        self._held_at = _boot_time()
        self._stalled = stalled
        self._token = token
        self._slot = slot

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        *,
        daemon: bool,
        waits: Callable[[str], Awaitable[None]] | None = None,
        workers: int = 1,
        stalled: float = STALLED,
    ) -> AsyncIterator[Self]:
        """Open the database to write to it.

        Args:
            url: As libpq takes it.
            daemon: Whether the tables are made where there are none, and the lock of a slot is held: where others have
                them all, this one waits until one of those is gone.
            waits: Is told that others have the slots, once.
            workers: How many slots there are.
            stalled: Seconds after which others give up a process that is not heard; it relies on its lock for half of
                that without having heard of it.

        Raises:
            Unusable: The database is not ours, or this user may not use it.
            Unavailable: It cannot be reached, or was lost: nothing is committed any more.
        """
        token = f"batchd {os.urandom(8).hex()}" if daemon else "batchd"
        async with AsyncExitStack() as opened:
            writer = await opened.enter_async_context(connected(url, token))
            slot = await _slot(writer, url, waits, workers) if daemon else 0
            await known(writer, url, to_be_migrated=daemon)
            reader = await opened.enter_async_context(connected(url, token))
            tasks = await opened.enter_async_context(anyio.create_task_group())
            send, receive = anyio.create_memory_object_stream[_Ticket](float("inf"))
            database = cls(writer, reader, send, token, slot, stalled)
            if daemon:
                listener = await opened.enter_async_context(connected(url, token))
                watched = await opened.enter_async_context(anyio.create_task_group())
                watched.start_soon(database._listen, listener)
                watched.start_soon(database._watch, url)
                opened.callback(watched.cancel_scope.cancel)
            opened.enter_context(send)  # whose end is the committing's
            tasks.start_soon(_commit_groups, writer, receive, _BY_WORKER if workers > 1 else "")
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
                yield cls(db, db, send, "batchd")

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

    async def number_from(self, table: str, least: int) -> None:
        """Have the next row of a table with an identity get this id, or a higher one."""

        async def step(db: Transaction) -> None:
            sequence = "pg_get_serial_sequence(?1, 'id')"
            await fetch(db, f"SELECT setval({sequence}, greatest(nextval({sequence}), ?2), false)", table, least)

        await self.write(step)

    async def in_hand(self) -> Mapping[int, Sequence[int]]:
        """What the timetable says; before the first of many workers has made its tables, nothing."""
        (made,) = await self.rows("SELECT to_regclass(?) IS NOT NULL AS made", f"{TIMETABLE}.procrastinate_jobs")
        rows = await self.rows(_IN_HAND) if made["made"] else []
        return {int(row["engine"]): list(row["batches"]) for row in rows}

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

    @property
    def token(self) -> str:
        """By which the server knows the connections of this process."""
        return self._token

    @property
    def slot(self) -> int:
        """Which of the workers it is, from 0."""
        return self._slot

    async def tell_sweeper(self) -> None:
        """Have the worker that sweeps look into the store: what this one had in hand has become its business."""
        await self.rows(f"SELECT pg_notify('{CHANNEL}', '')")

    async def now(self) -> float:
        """Unix seconds by the server's clock, which all workers live by."""
        (row,) = await self.rows("SELECT CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION) AS now")
        return float(row["now"])

    async def sweeps(self) -> bool:
        """Take the lock of the one that takes, packs and delivers, for as long as this process lasts."""

        async def step(db: Transaction) -> bool:
            (row,) = await fetch(db, f"SELECT pg_try_advisory_lock({LOCKS}, {SWEEPING}) AS got")
            return bool(row["got"])

        return await self.write(step)

    async def slots_held(self) -> frozenset[int]:
        """The slots whose workers are connected."""
        rows = await self.rows(_SLOTS_HELD, LOCKS, SLOTS)
        return frozenset(int(row["slot"]) for row in rows)

    async def cut_off(self, token: str) -> None:
        """End the connections of a worker that was not heard for too long: from now on it commits nothing."""
        await self.rows(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = ? AND pid <> pg_backend_pid()""",
            token,
        )

    def still_held(self) -> None:
        """Make sure that this process has heard from the server lately, so that no other has taken its place.

        Raises:
            Unavailable: It has not: it stood still, or the server was out of reach.
        """
        silent = _boot_time() - self._held_at
        if silent > self._stalled / 2:
            raise Unavailable(
                f"nothing was heard of the database for {silent:.0f} s: another may work in this one's place"
            )

    async def _listen(self, listener: "psycopg.AsyncConnection[Any]") -> None:
        own = self._writer.info.backend_pid
        try:
            await listener.execute(f"LISTEN {CHANNEL}".encode())
            async for notice in listener.notifies():
                self._heard += notice.payload != _BY_WORKER and notice.pid != own
        except LOST as error:
            raise Unavailable(f"the database is lost, and with it the lock: {said(error)}") from error

    async def _watch(self, url: str) -> None:
        """Raise where the connection that writes, and so the lock, is lost, or the server cannot be asked."""
        while True:
            await anyio.sleep(self._stalled / 6)
            asked = _boot_time()
            try:
                with anyio.fail_after(self._stalled / 3):
                    held = await fetched(
                        self._reader, _HELD, (self._writer.info.backend_pid, LOCKS, SLOTS + self._slot)
                    )
            except psycopg.Error as error:
                raise Unavailable(f"{named(url)}: it is lost, and with it the lock: {said(error)}") from error
            except TimeoutError:
                raise Unavailable(f"{named(url)}: it does not answer for {self._stalled / 3:g} s") from None
            if not held:
                raise Unavailable(f"{named(url)}: the lock is lost: another daemon may work on it now")
            self._held_at = asked


def _boot_time() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def _slot(
    writer: "psycopg.AsyncConnection[Any]", url: str, waits: Callable[[str], Awaitable[None]] | None, workers: int
) -> int:
    """Take the lock of a slot that is free, for as long as this connection lasts."""
    told = False
    try:
        while True:
            for slot in range(workers):
                cursor = await writer.execute(f"SELECT pg_try_advisory_lock({LOCKS}, {SLOTS + slot})".encode())
                if (await cursor.fetchone() or (False,))[0]:
                    return slot
            if waits is not None and not told:
                told = True
                await waits(named(url))
            await anyio.sleep(_KNOCK)
    except psycopg.Error as error:
        raise sorted_by_cause(error) from error


async def _commit_groups(
    db: "psycopg.AsyncConnection[Any]", tickets: MemoryObjectReceiveStream[_Ticket], told: str
) -> None:
    """Commit what is given until no more can be; a cancellation of the whole passes it by, as in SQLite's."""
    with anyio.CancelScope(shield=True), tickets:
        async for first in tickets:
            group = [first]
            while len(group) < GROUP and tickets.statistics().current_buffer_used:
                group.append(tickets.receive_nowait())
            while group:
                some = group
                try:
                    some = await _commit(db, group, told)
                except psycopg.Error as error:
                    for ticket in some:
                        ticket.error = sorted_by_cause(error)
                    await _roll_back(db)
                except Exception as bug:  # noqa: BLE001  it is the trouble of those that wait for it
                    if db.info.transaction_status is not TransactionStatus.IDLE:
                        await _roll_back(db)
                    for ticket in some:
                        ticket.error = None if ticket.stored else ticket.error or Defect.of(bug)
                for ticket in some:
                    ticket.done.set()
                group = group[len(some) :]


async def _commit(db: "psycopg.AsyncConnection[Any]", group: list[_Ticket], told: str) -> list[_Ticket]:
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
    await db.execute("SELECT pg_notify(%s, %s)", (CHANNEL, told))
    await db.execute("COMMIT")
    for ticket in group[:done]:
        ticket.stored = ticket.error is None
    return group[:done]


async def _roll_back(db: "psycopg.AsyncConnection[Any]") -> None:
    try:
        await db.execute("ROLLBACK")
    except psycopg.Error:
        return  # the connection is gone, and its transaction with it
