"""The live view of `run --once` and the demo: a table that is redrawn, or a line for each change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio import CancelScope
from rich.console import Console, Group
from rich.live import Live

from batchd.cli.console import cell, usd
from batchd.cli.status_view import read_standing, tables
from batchd.edges.clock import Clock
from batchd.edges.store import Place, Standing
from batchd.errors import BatchdError
from batchd.model import Verdict
from batchd.standing.jobs import state

LOOK = 0.25
"""Seconds between looks at the database."""


@asynccontextmanager
async def shown(database: Place, console: Console) -> AsyncIterator[None]:
    """Show the progress of the jobs of a database while the block lasts, and once more at its end.

    Args:
        database: Where it is; it may come into being later.
        console: Where; on a terminal the table stays in place, elsewhere lines follow each other.
    """
    view = _LiveTable(console) if console.is_terminal else _Lines(console)
    clock = Clock()

    async def look() -> None:
        try:
            standing = await read_standing(database, finished=20)
        except BatchdError:
            return  # it is just being made, or busy: the next look will do
        view.show(standing, clock.now())

    async def keep_looking() -> None:
        while True:
            await look()
            await clock.sleep(LOOK)

    view.begin()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep_looking)
            yield
            tasks.cancel_scope.cancel()
        with CancelScope(shield=True):
            await look()
    finally:
        view.end()


class _LiveTable:
    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=8)

    def begin(self) -> None:
        self._live.start()

    def show(self, standing: Standing, now: float) -> None:
        self._live.update(tables(standing, now) if standing.jobs else Group(cell("waiting for files", "dim")))

    def end(self) -> None:
        self._live.stop()


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, str] = {}

    def begin(self) -> None:
        """Nothing to open."""

    def show(self, standing: Standing, now: float) -> None:
        del now
        for each in standing.jobs:
            complete = each.tally.verdicts.get(Verdict.COMPLETE, 0)
            cost = usd(each.tally.cost.charged, sandbox=each.job.sandbox)
            line = f"{state(each, standing)}, {complete:,} of {each.job.total:,} complete, {cost}"
            if self._told.get(each.job.name) != line:
                self._told[each.job.name] = line
                self._console.print(cell(f"{each.job.name}: {line}"))

    def end(self) -> None:
        """Nothing to close."""
