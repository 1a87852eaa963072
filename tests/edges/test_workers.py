"""What many workers share of one database: who sweeps, and what `batchd status` says of them to a reader."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from batchd.cli.status_view import worker_table
from batchd.edges.store import AtWork, Membership, Store, Worker, open_worker
from batchd.edges.store.postgresql.timetable import Timetable
from batchd.model import BatchId
from batchd.settings import Fleet
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console

from tests.acceptance.installation import Installation
from tests.support.postgresql import Server

pytestmark = pytest.mark.anyio

READER = """DO $$ BEGIN CREATE ROLE onlooker LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    GRANT USAGE ON SCHEMA batchd, batchd_tasks TO onlooker;
    GRANT SELECT ON ALL TABLES IN SCHEMA batchd, batchd_tasks TO onlooker"""
NAMES = ("host-a.example", "a-host-with-a-very-long-name.of-a-region.example")


@asynccontextmanager
async def workers(url: str, number: int) -> AsyncIterator[list[tuple[Store, Membership]]]:
    """Some workers in slots of their own, of a fleet of two."""
    async with open_worker(url, workers=2, stalled=30.0) as one:
        if number == 1:
            yield [one]
            return
        async with open_worker(url, workers=2, stalled=30.0) as other:
            yield [one, other]


async def begin(url: str, joined: list[tuple[Store, Membership]]) -> None:
    """Have them join, the first sweep, and each hold batches."""
    for (store, own), name in zip(joined, NAMES, strict=False):
        now = await own.now()
        worker = Worker(own.slot, name, own.token, own.slot + 1, own.slot == 0, now - 3_600, now)
        assert await store.workers.begin(worker) is None
    async with Timetable.open(url, joined[0][1].token, lambda: None) as timetable:
        await timetable.fill(map(BatchId, range(1, 9)))


def sql(server: Server, url: str, *statements: str) -> None:
    for statement in statements:
        server.sql(statement, str(conninfo_to_dict(url)["dbname"]))


HOLD = (
    "INSERT INTO batchd_tasks.procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (1), (2)",
    """SET search_path = batchd_tasks; UPDATE procrastinate_jobs
       SET status = 'doing', worker_id = CASE WHEN id < 8 THEN 1 ELSE 2 END""",
)


def look(made: Installation, url: str, *words: str, workers: int = 2) -> Any:
    return made.call("status", *words, "--set", f"store={url}", "--set", f"fleet.workers={workers}")


async def test_status_names_the_workers_and_what_they_hold_to_a_user_who_may_only_read(
    server: Server, tmp_path: Path
) -> None:
    url, made = server.with_tables(), Installation(tmp_path)
    for folder in ("inbox", "outbox", ".batchd"):
        (tmp_path / folder).mkdir(mode=0o700)
    async with workers(url, 2) as joined:
        await begin(url, joined)
        await to_thread.run_sync(partial(sql, server, url, *HOLD, READER))
        before = await to_thread.run_sync(server.dump, url)
        reader = url.replace("//batchd@", "//onlooker@")
        told = json.loads((await to_thread.run_sync(partial(look, made, reader, "--json"))).stdout)
        first, second = told["workers"]
        assert [(each["slot"], each["name"], each["sweeps"]) for each in (first, second)] == [
            (0, NAMES[0], True),
            (1, NAMES[1], False),
        ]
        assert (first["batches"], second["batches"]) == ([1, 2, 3, 4, 5, 6, 7], [8])
        assert first["since"] < first["heard_at"]
        shown = (await to_thread.run_sync(partial(look, made, reader))).stdout
        assert f"{NAMES[0]} (sweeps)" in shown
        assert "1, 2, 3, 4, 5, …" in shown
        assert "\x1b" not in shown
        assert "ago!" not in shown
        await to_thread.run_sync(partial(sql, server, url, "UPDATE batchd.workers SET heard_at = heard_at - 60"))
        assert "ago!" in (await to_thread.run_sync(partial(look, made, reader))).stdout, "one that stands still is seen"
        await to_thread.run_sync(partial(sql, server, url, "UPDATE batchd.workers SET heard_at = heard_at + 60"))
        assert await to_thread.run_sync(server.dump, url) == before, "looking changes nothing"


async def test_status_of_one_daemon_names_no_workers(server: Server, tmp_path: Path) -> None:
    url, made = server.with_tables(), Installation(tmp_path)
    for folder in ("inbox", "outbox", ".batchd"):
        (tmp_path / folder).mkdir(mode=0o700)
    alone = await to_thread.run_sync(partial(look, made, url, workers=1))
    assert "WORKER" not in alone.stdout
    assert json.loads((await to_thread.run_sync(partial(look, made, url, "--json", workers=1))).stdout)["workers"] == []
    none_yet = await to_thread.run_sync(partial(look, made, url))
    assert "0 of 2 workers are there" in none_yet.stdout, "also before the timetable has its tables"


def test_the_workers_are_shown_in_80_columns_without_colour() -> None:
    each = Worker(0, NAMES[1], "token", 1, True, 0.0, 1_000.0)
    held = tuple(map(BatchId, range(1_000_000, 1_000_200)))
    narrow = Console(width=80, file=StringIO(), color_system=None)
    narrow.print(worker_table([AtWork(each, held)], Fleet(workers=2), 1_000.0 + 3_600))
    assert isinstance(narrow.file, StringIO)
    lines = narrow.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "60 min ago!" in lines[2]
    assert "1000000" in "".join(lines)
    assert lines[0] == "1 of 2 workers are there"


async def test_one_worker_at_a_time_sweeps(server: Server) -> None:
    async with workers(server.with_tables(), 2) as ((_, one), (_, other)):
        assert await one.sweeps()
        assert not await other.sweeps()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "api.doubt=60"), "api.doubt (60) should be more than twice fleet.stalled (30)"),
        (("--once",), "--once is for a daemon that works alone"),
    ],
)
async def test_what_many_workers_cannot_do_is_refused_in_one_sentence(
    server: Server, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    made, store = Installation(tmp_path), ("--set", f"store={server.with_tables()}", "--set", "fleet.workers=2")
    ended = await to_thread.run_sync(partial(made.call, "run", "--sandbox", *store, *words))
    assert ended.returncode == 2
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("batchd: ")]
    assert said in line
