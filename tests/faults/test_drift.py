"""Daemons on one database of a server: with other settings than the installation's, none of them works."""

import json
import signal
import subprocess
import sys
from functools import partial
from typing import Any

import anyio
import pytest
from anyio import to_thread
from batchd.edges.store import look_into_store, open_store

from tests.faults.test_resources import look
from tests.support.house import NEVER, House, command
from tests.support.postgresql import Server, binaries, running
from tests.support.surroundings import environment

pytestmark = pytest.mark.anyio


async def agreed(url: str, name: str) -> str | None:
    async with look_into_store(url) as store:
        return (await store.agreements.all()).get(name)


async def until_agreed(url: str, amount: str) -> None:
    with anyio.fail_after(NEVER):
        while await agreed(url, "budget.per_day") != amount:  # noqa: ASYNC110  another program's state
            await anyio.sleep(0.05)


async def started(home: House, url: str, *words: str, **more: str) -> str:
    """Run it until nothing is left to do, and return all that it says."""
    places = ("--inbox", home.inbox, "--outbox", home.outbox, "--state", home.state)
    flags = ("--set", f"store={url}", "--set", f"api.base_url={home.server.base_url}", *words)
    done = await anyio.run_process(
        [sys.executable, "-m", "batchd", "run", "--once", *map(str, places), *flags],
        env=environment(home.place, {"ANTHROPIC_API_KEY": home.key, **more}),
        stderr=subprocess.STDOUT,
        check=False,
    )
    return f"{done.stdout.decode()}exit {done.returncode}"


async def test_a_standby_with_other_settings_says_so_and_ends(home: House, server: Server) -> None:
    url = server.with_tables()
    same: dict[str, Any] = {"store": url, "budget__per_day": 100}
    async with command(home, once=False, **same):
        await until_agreed(url, "100")
        said = await started(home, url, "--set", "budget.per_day=50")
        assert "budget.per_day is 50 here, and 100 there" in said
        assert said.endswith("exit 2")
        assert home.key not in said
        assert await agreed(url, "budget.per_day") == "100"


async def test_the_first_that_starts_after_all_have_stopped_says_what_holds(home: House, server: Server) -> None:
    url = server.with_tables()
    for amount in ("100", "50"):
        assert (await started(home, url, "--set", f"budget.per_day={amount}")).endswith("exit 0")
        assert await agreed(url, "budget.per_day") == amount
    assert home.key not in server.dump(url)


async def test_a_standby_whose_settings_are_not_those_any_more_does_not_take_over(home: House, server: Server) -> None:
    url = server.with_tables()
    words = [sys.executable, "-m", "batchd", "run", "--once", "--inbox", str(home.inbox), "--outbox", str(home.outbox)]
    words += ["--state", str(home.state), "--set", f"store={url}"]
    said, holds, drifted = b"", anyio.Event(), anyio.Event()

    async def first() -> None:
        async with open_store(url) as store:
            holds.set()
            await drifted.wait()
            await store.agreements.settle({"budget.per_day": "7"})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await holds.wait()
        async with await anyio.open_process(
            words, env=environment(home.place, {"ANTHROPIC_API_KEY": home.key}), stderr=subprocess.STDOUT
        ) as standby:
            assert standby.stdout is not None
            with anyio.fail_after(NEVER):
                async for more in standby.stdout:
                    said += more
                    if b"standby" in said:
                        drifted.set()
                assert await standby.wait() == 2
    assert b"budget.per_day is 0 here, and 7 there" in said


async def test_settings_read_anew_are_agreed_on(home: House, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.with_tables()
    config = home.place / "batchd.toml"
    config.write_text("[budget]\nper_day = 2\n")
    monkeypatch.setenv("BATCHD_CONFIG", str(config))
    async with command(home, once=False, store=url) as daemon:
        await until_agreed(url, "2")
        config.write_text("[budget]\nper_day = 3\n")
        while await agreed(url, "budget.per_day") != "3":
            daemon.send_signal(signal.SIGHUP)  # until it listens to that
            await anyio.sleep(0.5)


async def test_the_doctor_names_what_could_lose_an_intent(home: House, server: Server) -> None:
    url = server.new()
    said = await to_thread.run_sync(partial(look, home, "doctor", "--offline", "--json", "--set", f"store={url}"))
    found = json.loads(said.rpartition("exit ")[0])["findings"]
    ((health, message),) = [(each["health"], each["message"]) for each in found if each["about"] == "database"]
    assert health == "warning"
    assert "could lose an intent: fsync is off" in message


async def test_the_doctor_finds_an_empty_database_well(home: House) -> None:
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here")
    with running(programs, fsync=True) as durable:
        said = await to_thread.run_sync(partial(look, home, "doctor", "--offline", "--set", f"store={durable.new()}"))
        assert "✓ database" in said
        assert "made at the first start" in " ".join(said.split())


PASSWORD = "canary-9f31-password"  # noqa: S105  of a server of these tests


@pytest.mark.parametrize("way", ["PGPASSFILE", "CREDENTIALS_DIRECTORY"])
async def test_a_password_from_a_file_opens_the_database_and_stands_in_no_log(home: House, way: str) -> None:
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here")
    with running(programs, password=PASSWORD) as guarded:
        url = guarded.new()
        home.drop("night.jsonl", ["question"])
        refused = await started(home, url)
        assert not refused.endswith("exit 0"), "without a password"
        file = home.place / "store"
        file.write_text(PASSWORD if way == "CREDENTIALS_DIRECTORY" else f"*:*:*:*:{PASSWORD}")
        file.chmod(0o600)
        said = await started(home, url, **{way: str(file.parent if way == "CREDENTIALS_DIRECTORY" else file)})
        assert said.endswith("exit 0")
        assert len(home.results("night")) == 1
        written = [path.read_bytes() for path in home.place.rglob("*") if path.is_file() and path != file]
        assert PASSWORD not in refused + said
        assert all(PASSWORD.encode() not in each for each in written)
