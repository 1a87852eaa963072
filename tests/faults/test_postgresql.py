"""The daemon on PostgreSQL: the same outbox as on SQLite, a standby that takes over, and an end with the lock."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.edges.store import look_into_store, open_store, write_to_store
from batchd.errors import Unavailable, worst_of

from tests.support.house import NEVER, House, command, house, until
from tests.support.postgresql import Server

pytestmark = pytest.mark.anyio
QUICK = {"batch__linger": 0.1, "poll__initial": 0.2, "poll__max": 0.5, "api__requests_per_minute": 100_000}
_OF_ONE_RUN = {"batches", "chain", "id"}
"""Of a line: what another run has otherwise."""
PROMPTS = [*(f"question {n}" for n in range(20)), "fails [sandbox: error]", "is refused [sandbox: refusal]"]


def _told(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        for name in _OF_ONE_RUN:
            line.pop(name, None)
        if "result" in line:
            message = line["result"].get("message", {})
            line["result"] = [line["result"]["type"], message.get("content"), message.get("stop_reason")]
    return sorted(lines, key=lambda line: str(line["custom_id"]))


def _outbox(home: House) -> dict[str, object]:
    """All that a user finds, but for what no two runs have in common."""
    folder = home.outbox / "night"
    documents = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.md")}
    names = ("results.jsonl", "report.jsonl", "failures.jsonl")
    return {**documents, **{name: _told(folder / name) for name in names}, "state": home.job("night")["state"]}


async def test_a_job_comes_out_of_both_databases_the_same(tmp_path: Path, server: Server) -> None:
    found = []
    for name, store in (("sqlite", ""), ("postgresql", server.new())):
        async with house(tmp_path / name) as home:
            home.drop("night.jsonl", PROMPTS)
            assert not await home.run(store=store), "two of them fail"
            home.assert_nothing_twice()
            found.append(_outbox(home))
            assert (home.state / "batchd.sqlite").exists() == (store == "")
    assert len(found[0]) > len(PROMPTS) - 2
    assert found[0] == found[1]


async def test_a_standby_takes_over_what_a_killed_daemon_had_under_way(home: House, server: Server) -> None:
    url = server.new()
    home.drop("night.jsonl", [f"question {n}" for n in range(30)])
    quick: dict[str, Any] = {**QUICK, "store": url, "batch__max_requests": 5}
    home.fault("results", "status", status=503, times=None)  # so that it is under way for as long as that takes
    async with command(home, once=False, **quick) as first:
        await until(home.accepted)
        async with command(home, once=True, **quick) as standby:
            await until(lambda: _connections(server, url) > 3)
            assert standby.returncode is None
            first.kill()
            home.server.faults.clear()
            with anyio.fail_after(NEVER):
                assert await standby.wait() == 0
    assert len(home.results("night")) == 30
    home.assert_nothing_twice()


def _connections(server: Server, url: str) -> int:
    return int(server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'batchd%'", _name(url)))


def _name(url: str) -> str:
    return url.removeprefix("postgresql://batchd@/").partition("?")[0]


def cut_connections(server: Server, url: str) -> None:
    server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        _name(url),
    )


def restart(server: Server, _: str) -> None:
    server.stop("immediate")
    server.start()


CUTS: dict[str, Callable[[Server, str], None]] = {
    "its connections are cut": cut_connections,
    "the server restarts": restart,
}


@pytest.mark.parametrize("cut", CUTS)
async def test_a_daemon_that_loses_the_database_ends_and_another_goes_on(home: House, server: Server, cut: str) -> None:
    url = server.new()
    home.drop("night.jsonl", [f"question {n}" for n in range(30)])
    home.fault("results", "status", status=503, times=3)
    ended: list[BaseException] = []

    async def work() -> None:
        try:
            await home.run_on(store=url, batch__max_requests=5)
        except BaseExceptionGroup as error:
            ended.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        await until(home.accepted)
        await anyio.to_thread.run_sync(CUTS[cut], server, url)
    assert isinstance(worst_of(ended[0]), Unavailable)
    assert await home.run(store=url, batch__max_requests=5)
    assert len(home.results("night")) == 30
    home.assert_nothing_twice()


async def test_a_command_wakes_the_daemon(server: Server) -> None:
    url = server.new()
    async with open_store(url) as store:
        before = await store.database.version_of_data()
        await store.facts.prove()
        async with write_to_store(url) as other:
            await other.facts.prove()
        with anyio.fail_after(NEVER):
            while await store.database.version_of_data() == before:  # noqa: ASYNC110  what another process rings
                await anyio.sleep(0.01)
        async with look_into_store(url) as looking:
            assert looking.installation == store.installation
