"""Two keys of two workspaces: what happens to the one is nothing to the other, and nothing is sent or paid twice."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.edges.store import DATABASE, look_into_store
from batchd.lifecycle import State

from tests.support.house import KEY, House, house, until

pytestmark = pytest.mark.anyio

LEGAL, NEW_LEGAL = "sk-ant-legal", "sk-ant-legal-new"


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, workspaces=True) as home:
        (tmp_path / "legal-key").write_text(LEGAL)
        yield home


def keyed(home: House, **more: object) -> dict[str, Any]:
    """The settings by which one folder has a key of its own."""
    return {"keys": {"legal": {"file": str(home.place / "legal-key")}}, "folder": {"legal": {"key": "legal"}}, **more}


def creates(home: House, key: str) -> int:
    """Batches of the API in the workspace of a key."""
    return home.server.ledger.made_in(home.server.admission.workspace(key))


def is_done(home: House, *names: str) -> Callable[[], bool]:
    return lambda: all((home.outbox / name / "job.json").exists() for name in names)


async def accounts(home: House) -> list[tuple[str, State, str | None]]:
    async with look_into_store(home.state / DATABASE) as store:
        rows = await store.database.rows("SELECT account, state, trouble FROM batches ORDER BY id")
        return [(row["account"], State(row["state"]), row["trouble"]) for row in rows]


async def test_each_folder_goes_by_its_key_and_no_batch_by_two(two: House) -> None:
    home = two
    home.fault("message", "status", status=400, key=KEY, times=None)
    home.drop("legal/a.jsonl", ["one", "two"])
    home.drop("b.jsonl", ["three", "four"])
    home.drop("legal/c.jsonl", ["now"], lane="sync")
    assert await home.run(**keyed(home))
    assert (creates(home, LEGAL), creates(home, KEY)) == (1, 1)
    assert sorted(account for account, _, _ in await accounts(home)) == ["", "legal", "legal"]
    home.assert_nothing_twice()


async def test_a_doubt_of_one_key_keeps_no_create_of_another_that_has_the_same_count(two: House) -> None:
    home = two
    home.fault("create", "reset", key=LEGAL)
    home.fault("list", "status", status=403, key=LEGAL, after=1, times=None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(home.run_on, **keyed(home, api__doubt=60.0)))
        home.drop("legal/a.jsonl", ["one", "two"])
        await until(lambda: creates(home, LEGAL) == 1)
        home.drop("b.jsonl", ["three", "four"])
        await until(is_done(home, "b"))
        assert not is_done(home, "legal/a")(), "its list is denied: it is in doubt"
        home.server.faults.clear()
        await until(is_done(home, "legal/a"))
        tasks.cancel_scope.cancel()
    assert (creates(home, LEGAL), creates(home, KEY)) == (1, 1), "it was found in its own list"
    home.assert_nothing_twice()


async def test_what_was_not_created_for_one_key_is_sent_again_by_that_one_alone(two: House) -> None:
    home = two
    home.fault("create", "close_late", key=LEGAL)
    home.drop("legal/a.jsonl", ["one", "two"])
    home.drop("b.jsonl", ["three", "four"])
    assert await home.run(**keyed(home))
    assert (creates(home, LEGAL), creates(home, KEY)) == (1, 1)
    home.assert_nothing_twice()


async def test_a_key_without_credit_parks_its_own_alone(two: House, capfd: pytest.CaptureFixture[str]) -> None:
    home = two
    home.fault("create", "low_credit", key=LEGAL, times=None)
    home.fault("message", "low_credit", key=LEGAL, times=None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(home.run_on, **keyed(home)))
        home.drop("legal/a.jsonl", ["one"])
        home.drop("legal/s.jsonl", ["four"], lane="sync")
        told = ""
        while "submissions parked" not in told:
            told += capfd.readouterr().out
            await anyio.sleep(0.02)
        home.drop("b.jsonl", ["two"])
        home.drop("c.jsonl", ["three"], lane="sync")
        await until(is_done(home, "b", "c"))
        assert (creates(home, LEGAL), creates(home, KEY)) == (0, 1)
        home.server.faults.clear()
        await until(is_done(home, "legal/a", "legal/s"))
        tasks.cancel_scope.cancel()
    assert "[keys.legal]" in told
    home.assert_nothing_twice()


async def test_the_quota_of_one_key_is_not_that_of_another(two: House) -> None:
    home = two
    home.fault("retrieve", "status", status=503, key=LEGAL, times=None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(home.run_on, **keyed(home, api__max_queued_requests=2, batch__linger=0.0)))
        home.drop("legal/a.jsonl", ["one", "two", "three"])
        await until(lambda: creates(home, LEGAL) == 1)
        home.drop("b.jsonl", ["four", "five", "six"])
        await until(is_done(home, "b"))
        assert creates(home, LEGAL) == 1
        home.server.faults.clear()
        await until(is_done(home, "legal/a"))
        tasks.cancel_scope.cancel()
    home.assert_nothing_twice()


async def test_a_key_is_rotated_by_itself(two: House) -> None:
    home = two
    home.server.admission.same_workspace(NEW_LEGAL, LEGAL)
    home.drop("legal/slow.jsonl", ["one [sandbox: take 60]"])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(home.run_on, **keyed(home)))
        await until(lambda: creates(home, LEGAL) == 1)
        home.server.admission.revoked.add(LEGAL)
        (home.place / "legal-key").write_text(NEW_LEGAL)
        home.drop("b.jsonl", ["two"])
        await until(is_done(home, "legal/slow", "b"))
        tasks.cancel_scope.cancel()
    home.assert_nothing_twice()


async def test_a_key_that_is_not_there_yet_keeps_its_own_alone(two: House) -> None:
    home = two
    (home.place / "legal-key").unlink()
    home.drop("legal/a.jsonl", ["one"])
    home.drop("b.jsonl", ["two"])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(home.run_on, **keyed(home)))
        await until(is_done(home, "b"))
        assert creates(home, LEGAL) == 0
        (home.place / "legal-key").write_text(LEGAL)
        await until(is_done(home, "legal/a"))
        tasks.cancel_scope.cancel()
    assert (creates(home, LEGAL), creates(home, KEY)) == (1, 1)
    home.assert_nothing_twice()


@pytest.mark.parametrize("where", ["under way", "in doubt"])
async def test_what_a_key_has_sent_that_is_taken_away_is_held_and_goes_on_when_it_is_back(
    two: House, where: str
) -> None:
    home = two
    if where == "in doubt":
        home.fault("create", "reset", key=LEGAL)
        home.fault("list", "status", status=503, key=LEGAL, after=1, times=None)
    home.fault("retrieve", "status", status=503, key=LEGAL, times=None)
    home.drop("legal/a.jsonl", ["one", "two"])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(home.run_on, **keyed(home)))
        await until(lambda: creates(home, LEGAL) == 1)
        tasks.cancel_scope.cancel()
    home.server.faults.clear()
    home.drop("b.jsonl", ["three", "four"])
    assert not await home.run(), "what is held is not done"
    assert home.job("b")["state"] == "done"
    held = [trouble or "" for account, state, trouble in await accounts(home) if state is State.HELD]
    assert len(held) == 1
    assert "[keys.legal] is not in the settings any more" in held[0]
    shown = json.loads((home.outbox / "legal" / "a" / "held.json").read_text("utf-8"))
    assert "keys.legal" in json.dumps(shown)
    assert await home.run(**keyed(home))
    assert home.job("legal/a")["state"] == "done"
    assert (creates(home, LEGAL), creates(home, KEY)) == (1, 1)
    home.assert_nothing_twice()


async def test_no_key_shows_in_a_log_a_command_or_a_file(two: House, capfd: pytest.CaptureFixture[str]) -> None:
    home = two
    home.fault("create", "reset", key=LEGAL)
    home.fault("create", "low_credit", key=LEGAL)
    home.drop("legal/a.jsonl", ["one"])
    assert await home.run(**keyed(home))
    home.server.admission.revoked.add(LEGAL)
    config = home.place / "batchd.toml"
    places = "".join(f'{name} = "{home.place / name}"\n' for name in ("inbox", "outbox", "state"))
    file = home.place / "legal-key"
    config.write_text(
        f'{places}[api]\nbase_url = "{home.server.base_url}"\n'
        f'[keys.legal]\nfile = "{file}"\n[folder.legal]\nkey = "legal"\n'
    )
    said = ""
    for words in (["doctor", "--json"], ["status", "legal/a", "--json"]):
        done = await anyio.run_process(
            [sys.executable, "-m", "batchd", *words, "--config", str(config)],
            env={**os.environ, "ANTHROPIC_API_KEY": KEY, "BATCHD_CONFIG": ""},
            check=False,
        )
        said += (done.stdout + done.stderr).decode()
    assert '"key":"legal"' in said, "a batch says by which key it goes"
    assert "api legal" in said, "doctor has tried it"
    said += "".join(capfd.readouterr())
    assert LEGAL not in said
    assert KEY not in said
    for place in (home.outbox, home.state):
        for each in place.rglob("*"):
            assert not each.is_file() or LEGAL.encode() not in each.read_bytes(), each


TELL = """#!{python}
import json, os, sys
with open({out!r}, "a") as out:
    out.write(sys.stdin.read() + repr(sys.argv) + repr(dict(os.environ)))
"""


async def test_a_key_comes_in_and_is_rotated_by_sighup_and_nothing_tells_of_it(two: House) -> None:
    home, prompt, answer = two, "canary-prompt-31", "canary-answer-32"
    config, log, told = (home.place / name for name in ("batchd.toml", "log", "told"))
    tell = home.place / "tell"
    tell.write_text(TELL.format(python=sys.executable, out=str(told)))
    tell.chmod(0o700)
    places = "".join(f'{name} = "{home.place / name}"\n' for name in ("inbox", "outbox", "state"))
    without = (
        f'{places}[api]\nbase_url = "{home.server.base_url}"\n[batch]\nlinger = 0.1\n[poll]\ninitial = 0.2\n'
        f'[intake]\nsettle = 0.0\n[notify.sinks.me]\ncommand = ["{tell}"]\nevents = ["job.finished", "file.rejected"]\n'
    )
    config.write_text(without)
    words = [sys.executable, "-m", "batchd", "run", "--config", str(config)]
    loud = {"ANTHROPIC_LOG": "debug", "HTTPX_LOG_LEVEL": "trace", "PYTHONASYNCIODEBUG": "1"}
    environment = {**os.environ, **loud, "ANTHROPIC_API_KEY": KEY, "BATCHD_CONFIG": ""}
    with log.open("wb") as said:
        async with await anyio.open_process(words, env=environment, stdout=said, stderr=said) as daemon:
            try:
                home.drop("legal/a.jsonl", [f"{prompt} [sandbox: answer {answer}]"])
                await until(is_done(home, "legal/a"))
                assert (creates(home, LEGAL), creates(home, KEY)) == (0, 1)

                config.write_text(
                    f'{without}[keys.legal]\nfile = "{home.place / "legal-key"}"\n[folder.legal]\nkey = "legal"\n'
                )
                daemon.send_signal(signal.SIGHUP)
                await until(lambda: log.read_text().count("settings read") == 1)
                home.drop("legal/b.jsonl", [f"{prompt} anew [sandbox: answer {answer}]"])
                home.drop("c.jsonl", ["three"])
                await until(is_done(home, "legal/b", "c"))
                assert (creates(home, LEGAL), creates(home, KEY)) == (1, 2)

                home.server.admission.same_workspace(NEW_LEGAL, LEGAL)
                home.server.admission.revoked.add(LEGAL)
                (home.place / "legal-key").write_text(NEW_LEGAL)
                daemon.send_signal(signal.SIGHUP)
                await until(lambda: log.read_text().count("settings read") == 2)
                assert "a new key is used" in log.read_text()
                home.drop("legal/d.jsonl", [f"{prompt} again"])
                (home.inbox / "wrong.jsonl").write_text(f'{{"custom_id": "{prompt}"}}\n')
                await until(is_done(home, "legal/d"))
                assert (creates(home, LEGAL), creates(home, KEY)) == (2, 2)
                await until(lambda: told.exists() and told.read_text().count("BATCHD_EVENT") == 5)
                shown = await anyio.Path(f"/proc/{daemon.pid}/cmdline").read_text()
            finally:
                if daemon.returncode is None:
                    daemon.kill()
    home.assert_nothing_twice()
    shown += log.read_text() + told.read_text() + (home.outbox / "events.jsonl").read_text()
    assert "legal/d" in shown
    assert [each for each in (KEY, LEGAL, NEW_LEGAL, prompt, answer) if each in shown] == []


async def test_a_folder_that_gets_another_key_leaves_what_it_has_sent_with_the_old_one(two: House) -> None:
    home = two
    home.drop("legal/slow.jsonl", ["one"])
    home.fault("retrieve", "status", status=503, times=None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(home.run_on, **keyed(home)))
        await until(lambda: creates(home, LEGAL) == 1)
        home.fault("create", "low_credit", key=LEGAL, times=None)
        home.drop("legal/next.jsonl", ["two"])
        while [account for account, state, _ in await accounts(home) if state is State.PLANNED] != ["legal"]:  # noqa: ASYNC110  the daemon's state
            await anyio.sleep(0.02)
        tasks.cancel_scope.cancel()
    home.server.faults.clear()
    without = {"keys": keyed(home)["keys"]}
    assert await home.run(**without)
    assert (creates(home, LEGAL), creates(home, KEY)) == (1, 1)
    ends = [(account, state) for account, state, _ in await accounts(home)]
    assert ends == [("legal", State.SETTLED), ("legal", State.DISSOLVED), ("", State.SETTLED)]
    home.assert_nothing_twice()
