"""A connection to the database file, cut short."""

import asyncio
import threading
import time
from functools import partial
from pathlib import Path

import aiosqlite
import pytest
from batchd.edges.store.sqlite.connection import connected

pytestmark = pytest.mark.anyio


async def test_ctrl_c_while_it_is_being_closed_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    opened: list[aiosqlite.Connection] = []

    async def open_and_close() -> None:
        async with connected(tmp_path / "x.sqlite") as db:
            # Behind its closing, so that its thread has yet to end then.
            asyncio.get_running_loop().call_soon(db._tx.put_nowait, (None, partial(time.sleep, 0.3)))  # noqa: SLF001
            opened.append(db)

    task = asyncio.create_task(open_and_close())
    while not opened or opened[0]._connection is not None:  # noqa: ASYNC110, SLF001  nothing rings when it is closed
        await asyncio.sleep(0.001)
    # As asyncio does on SIGINT: no shield of a cancel scope stops it.
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [each.name for each in set(threading.enumerate()) - before if "_connection_worker" in each.name] == []
