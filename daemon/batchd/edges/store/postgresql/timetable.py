"""The timetable of many workers: who carries which batch, and when. Procrastinate keeps it, in tables of its own.

Nothing else is in it: with its tables emptied, the worker that sweeps fills them again from the store. A batch has one
task for its whole journey, which asks to be run again when the batch must rest.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final, Self

import anyio
import psycopg
import structlog
from anyio import to_thread
from procrastinate import App, PsycopgConnector, exceptions
from procrastinate.jobs import DeleteJobCondition, Job, Status
from procrastinate.manager import JobManager
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker

from batchd.edges.store.postgresql.connection import TIMETABLE, password
from batchd.errors import Unavailable
from batchd.model import BatchId

log = structlog.get_logger()

_LOCKS: Final = 0x6261_7464
_LOOK: Final = 1.0
"""Seconds between two looks for what is due."""
_GRACE: Final = 5.0
"""Seconds that tasks have to end by themselves at a stop; what is cut off then is given back."""
_AT_ONCE: Final = datetime.fromtimestamp(0, UTC)
_FAILED: Final = 5
"""Seconds after which a task is run again that died of something else than its batch."""
_TASK: Final = "carry"
_QUEUE: Final = "batches"
_MISSING: Final = """SELECT batch FROM unnest(%(batches)s::bigint[]) AS each (batch)
    WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs
        WHERE lock = 'batch ' || each.batch AND status IN ('todo', 'doing'))"""
_SOONER: Final = """UPDATE procrastinate_jobs SET scheduled_at = NULL
    WHERE status = 'todo' AND scheduled_at IS NOT NULL AND lock = ANY(%(locks)s::text[])"""
_LOST: Final = """DELETE FROM procrastinate_workers WHERE id = ANY(%(engines)s::bigint[])"""
_FORGET: Final = "DELETE FROM procrastinate_events"

Carry = Callable[[BatchId], Awaitable[float | None]]
"""Carries a batch, and says at which time it is to be carried on; None where it is not any more."""


class Rests(Exception):
    """A batch is to be carried on at some time."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at


class _Again(BaseRetryStrategy):
    """A task goes on when its batch says so; one that was cut off, or failed of a defect, soon."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:  # noqa: ARG002  the engine's form
        match exception:
            case Rests(at=at):
                return RetryDecision(retry_at=datetime.fromtimestamp(at, UTC))
            case asyncio.CancelledError():
                return RetryDecision(retry_at=_AT_ONCE)
            case _:
                return RetryDecision(retry_in={"seconds": _FAILED})


class _Fenced(JobManager):
    """Changes no task any more when others may have taken over what this worker held."""

    def __init__(self, connector: PsycopgConnector, still_held: Callable[[], None]) -> None:
        super().__init__(connector)
        self._still_held = still_held
        self.lost = asyncio.Event()
        """Set where a task could not be given out of hand: nobody would carry its batch until this worker has ended."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:  # noqa: FBT001  the engine's form
        with self._noted():
            await super().finish_job(job, status, delete_job)

    async def retry_job(self, job: Job, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  the engine's form
        with self._noted():
            await super().retry_job(job, *arguments, **named)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            self._still_held()
            yield
        except (exceptions.ConnectorException, Unavailable):
            self.lost.set()


class Timetable:
    """The timetable, as one worker sees it."""

    def __init__(self, app: App, connector: PsycopgConnector, tasks: _Fenced) -> None:
        self._app = app
        self._tasks = tasks
        self._connector = connector
        self._worker: Worker | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, token: str, still_held: Callable[[], None]) -> AsyncIterator[Self]:
        """Open it, and make its tables where there are none.

        Args:
            url: Of the database.
            token: By which the server knows this process.
            still_held: Raises where others may have given this worker up.

        Raises:
            Unavailable: The database is out of reach.
        """
        for name in ("procrastinate", "psycopg.pool"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters of it is raised, and told once
        connector = PsycopgConnector(
            conninfo=url,
            kwargs={"application_name": token, "password": await to_thread.run_sync(password)},
            configure=_configure,
            min_size=1,
            max_size=4,
        )
        app = App(connector=connector)
        app.job_manager = tasks = _Fenced(connector, still_held)
        with _told():
            await app.open_async()
        try:
            with _told():
                await _make(app, connector)
            yield cls(app, connector, tasks)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(_GRACE):
                await app.close_async()

    @property
    def engine(self) -> int | None:
        """The number of this worker in it; None while it does not work."""
        return None if self._worker is None else self._worker.worker_id

    async def fill(self, batches: Iterable[BatchId]) -> int:
        """Give a task to each batch that has none, and say how many that were. One worker at a time may."""
        with _told():
            rows = await self._connector.execute_query_all_async(_MISSING, batches=list(batches))
            missing = [BatchId(row["batch"]) for row in rows]
            if missing:
                await self._tasks.batch_defer_jobs_async([_task_of(each) for each in missing])
        return len(missing)

    async def sooner(self, batches: Collection[BatchId]) -> None:
        """Have batches carried now that rest: somebody wants something of them."""
        with _told():
            await self._connector.execute_query_async(_SOONER, locks=[_lock_of(each) for each in batches])

    async def give_back(self, engines: Collection[int], *, stalled: float) -> int:
        """Let others carry what dead workers had in hand, and say how much that was.

        Args:
            engines: The numbers of workers that are known to be dead.
            stalled: Seconds after which any other that is not heard is taken for dead.
        """
        with _told():
            if engines:
                await self._connector.execute_query_async(_LOST, engines=list(engines))
            given = 0
            for job in await self._tasks.get_stalled_jobs(seconds_since_heartbeat=stalled):
                with suppress(exceptions.ConnectorException):  # another worker was quicker
                    await JobManager.retry_job(self._tasks, job, retry_at=_AT_ONCE)
                    given += 1
        return given

    async def forget(self) -> None:
        """Forget what has been: the timetable is asked for what is, alone."""
        with _told():
            await self._connector.execute_query_async(_FORGET)

    async def run(self, carry: Carry, *, tasks: int, stalled: float) -> None:
        """Carry what is due, until cancelled; what is in hand then is given back.

        Args:
            carry: Carries a batch.
            tasks: How many at a time.
            stalled: Seconds after which this worker is given up when it is not heard.

        Raises:
            Unavailable: The engine has lost the database.
        """

        @self._app.task(name=_TASK, retry=_Again())
        async def _(batch: int) -> None:
            at = await carry(BatchId(batch))
            if at is not None:
                raise Rests(at)

        self._worker = Worker(
            self._app,
            concurrency=tasks,
            fetch_job_polling_interval=_LOOK,
            abort_job_polling_interval=3600.0,
            shutdown_graceful_timeout=0.0,
            delete_jobs=DeleteJobCondition.ALWAYS,
            install_signal_handlers=False,
            update_heartbeat_interval=stalled / 6,
            stalled_worker_timeout=stalled,
        )
        # Its tasks are the event loop's own: a cancellation from here would reach into its midst.
        working = asyncio.create_task(self._worker.run())  # type: ignore[no-untyped-call]  # the engine's
        lost = asyncio.create_task(self._tasks.lost.wait())
        try:
            await asyncio.wait((working, lost), return_when=asyncio.FIRST_COMPLETED)
            raise Unavailable("the timetable has lost the database")
        finally:
            lost.cancel()
            with anyio.CancelScope(shield=True), anyio.move_on_after(_GRACE):
                self._worker.stop()  # type: ignore[no-untyped-call]  # the engine's
                await asyncio.wait((working,))
            working.add_done_callback(_read)
            working.cancel()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except exceptions.ConnectorException as error:
        raise Unavailable(f"the timetable cannot be used now: {error.__cause__ or error}") from error


def _read(working: "asyncio.Task[None]") -> None:
    """Look at how it ended, so that nobody complains of what was not looked at."""
    if not working.cancelled():
        working.exception()


def _lock_of(batch: BatchId) -> str:
    return f"batch {batch}"


def _task_of(batch: BatchId) -> Job:
    return Job(queue=_QUEUE, lock=_lock_of(batch), queueing_lock=None, task_name=_TASK, task_kwargs={"batch": batch})


async def _configure(connection: "psycopg.AsyncConnection[Any]") -> None:
    await connection.execute(f"SET search_path = {TIMETABLE}, pg_catalog".encode())
    await connection.commit()


async def _make(app: App, connector: PsycopgConnector) -> None:
    """Make its tables, unless another worker, which is beginning too, has been quicker."""
    async with connector.pool.connection() as db:
        await db.execute(f"SELECT pg_advisory_xact_lock({_LOCKS})".encode())
        there = await db.execute("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")
        if (await there.fetchone() or (False,))[0]:
            return
        await db.execute(f"CREATE SCHEMA IF NOT EXISTS {TIMETABLE}".encode())
        await db.execute(app.schema_manager.get_schema().encode())
