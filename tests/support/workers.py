"""Workers in processes of their own, on one database: started, killed, stood still, and asked what they hold."""

import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import anyio
from anyio import to_thread
from anyio.abc import Process
from psycopg.conninfo import conninfo_to_dict

from tests.support.house import House, command, until
from tests.support.postgresql import Server

QUICK: Final[dict[str, Any]] = {
    "fleet__stalled": 2,
    "api__doubt": 5,
    "api__requests_per_minute": 100_000,
    "batch__linger": 0.1,
    "poll__initial": 0.2,
    "poll__max": 0.5,
}
_LOOK: Final = 0.05
"""Seconds between two looks into the database, which others work on."""
_CARRYING: Final = "SELECT count(*) FROM batchd.workers WHERE engine IS NOT NULL"
_HELD: Final = """SELECT count(*) || ' ' || coalesce(string_agg(DISTINCT state, ','), '')
    FROM batchd_tasks.procrastinate_jobs AS task
    JOIN batchd.workers ON workers.engine = task.worker_id
    JOIN batchd.batches ON batches.id = (task.args ->> 'batch')::bigint
    WHERE task.status = 'doing' AND workers.name = '{name}'"""


class Fleet:
    """Some workers of one installation."""

    def __init__(self, home: House, server: Server, url: str, opened: AsyncExitStack, settings: dict[str, Any]) -> None:
        self.home = home
        self.server = server
        self.url = url
        self._opened = opened
        self._settings = settings
        self._number = 0
        self.workers: dict[str, Process] = {}
        self.held = Counter[str]()
        """What was held by those that were killed or stood still, by state."""

    async def start(self) -> str:
        """Start a worker, and return its name."""
        self._number += 1
        name = f"w{self._number}"
        more = {**QUICK, "fleet__workers": 3, "store": self.url, "fleet__name": name, **self._settings}
        self.workers[name] = await self._opened.enter_async_context(command(self.home, once=False, **more))
        return name

    async def sql(self, statement: str) -> str:
        """Ask the database."""
        return await to_thread.run_sync(self.server.sql, statement, str(conninfo_to_dict(self.url)["dbname"]))

    async def all_work(self, number: int) -> None:
        """Wait until so many workers carry."""
        while int(await self.sql(_CARRYING)) < number:  # noqa: ASYNC110  another program's state
            await anyio.sleep(_LOOK)

    async def holds(self, name: str) -> list[str]:
        """In which states the batches are that a worker holds."""
        found = await self.sql(_HELD.format(name=name))
        count, _, states = found.partition(" ")
        return states.split(",") if int(count) else []

    async def holder(self, *states: str) -> str:
        """Wait until some worker holds a batch in one of these states, and name it."""
        while True:
            for name, process in self.workers.items():
                held = await self.holds(name) if process.returncode is None else []
                if any(state in states for state in held) or (held and not states):
                    self.held.update(held)
                    return name
            await anyio.sleep(_LOOK)

    def kill(self, name: str) -> None:
        """End a worker by kill -9."""
        self.workers.pop(name).kill()

    def stand_still(self, name: str) -> None:
        """Keep a worker from running."""
        self.workers[name].send_signal(signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        """Let it run."""
        self.workers[name].send_signal(signal.SIGCONT)

    async def ends(self, name: str) -> int:
        """Wait for a worker to end, and return its exit code."""
        return await self.workers.pop(name).wait()

    async def done(self, *jobs: str) -> None:
        """Wait until jobs have finished."""
        await until(lambda: all((self.home.outbox / job / "job.json").exists() for job in jobs))


@asynccontextmanager
async def fleet_of(home: House, server: Server, number: int, **settings: Any) -> AsyncIterator[Fleet]:
    """Some workers, until the block ends."""
    async with AsyncExitStack() as opened:
        fleet = Fleet(home, server, await to_thread.run_sync(server.with_tables), opened, settings)
        for _ in range(number):
            await fleet.start()
        yield fleet
