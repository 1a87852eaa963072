"""A backup is made while the daemon works, whatever is killed, and what is restored from it pays nothing twice."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from batchd.app import serve
from batchd.edges import disk
from batchd.edges.drafts import Drafts
from batchd.edges.store import DATABASE
from batchd.errors import Unusable
from batchd.model import RequestId

from tests.support.house import House, run_and_kill, run_and_kill_when

pytestmark = pytest.mark.anyio


def call(home: House, *words: str, state: Path | None = None) -> subprocess.CompletedProcess[str]:
    places = {"inbox": home.inbox, "outbox": home.outbox, "state": state or home.state}
    flags = [word for key, value in places.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "batchd", *words, *flags]
    environment = {**os.environ, "BATCHD_CONFIG": ""}
    return subprocess.run(command, env=environment, cwd=home.place, capture_output=True, text=True, check=False)


def drop_all(home: House) -> None:
    home.drop("a.jsonl", [f"prompt {n} [sandbox: words 20] [sandbox: take 150]" for n in range(20)])
    home.drop("now.jsonl", ["at once [sandbox: words 30]"], lane="sync")
    (home.inbox / "long.md").write_text(
        "---\nmodel: claude-haiku-4-5\nmax_tokens: 4000\ncontinue: 4\n---\n"
        "Write a long text. [sandbox: words 600] [sandbox: truncate at 900 rounds 2]\n"
    )


async def test_what_is_restored_from_a_backup_in_a_storm_of_kills_pays_nothing_twice(
    home: House, tmp_path: Path
) -> None:
    drop_all(home)
    made: list[Path] = []
    # However slow the machine is: there is a state to be saved.
    await run_and_kill_when(home, (home.outbox / ".batchd.json").exists, batch__linger=0.1)
    for n in range(4):
        await run_and_kill(home, 1.2, batch__linger=0.1, poll__initial=0.2, poll__max=0.5)
        home.drop(f"more {n}.jsonl", [f"more {n} [sandbox: words 20] [sandbox: take 100]"])
        folder = tmp_path / f"backup {n}"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(run_and_kill, home, 1.2, batch__linger=0.1, poll__initial=0.2, poll__max=0.5))
            ended = await to_thread.run_sync(call, home, "backup", str(folder))
        assert ended.returncode == 0, ended.stderr
        made.append(folder)
    await home.run()
    sent = home.accepted()
    messages = len(home.server.ledger.messages())
    home.assert_nothing_twice()
    for folder in (made[0], made[-1]):
        summary = json.loads((folder / "backup.json").read_text())
        assert {"installation", "epoch", "last_intent", "files"} <= set(summary)
        assert set(summary["files"]) == {
            str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file() and file.name != "backup.json"
        }
        there = House(tmp_path / f"there {folder.name}", home.server, home.clock)
        ended = call(there, "restore", str(folder))
        assert ended.returncode == 0, ended.stderr
        with pytest.RaisesGroup(pytest.RaisesExc(Unusable, match="filled from a backup"), flatten_subgroups=True):
            await there.run()
        with anyio.move_on_after(60):
            await serve(there.settings(), there.key, once=True, restored=True, clock=there.clock)
        assert home.accepted() == sent, f"{folder.name}: something was sent again"
        assert len(home.server.ledger.messages()) == messages
        home.assert_nothing_twice()


async def test_a_backup_that_is_not_as_it_was_restores_nothing(home: House, tmp_path: Path) -> None:
    home.drop("a.jsonl", ["one"])
    await home.run()
    backup, state = tmp_path / "backup", tmp_path / "new"
    assert call(home, "backup", str(backup)).returncode == 0
    assert not (home.state / ".backup").exists()
    assert (backup.stat().st_mode & 0o077, (backup / DATABASE).stat().st_mode & 0o077) == (0, 0)
    assert call(home, "backup", str(backup)).returncode == 2, "it is not empty"
    assert call(home, "restore", str(backup)).returncode == 2, "the state is not empty"
    assert call(home, "backup", str(home.state / "inside")).returncode == 2
    with (backup / DATABASE).open("r+b") as database:
        database.seek(5_000)
        database.write(b"\x00\x01\x02")
    ended = call(home, "restore", str(backup), state=state)
    assert (ended.returncode, state.exists()) == (2, False)
    assert "SHA-256" in ended.stderr
    assert call(home, "restore", str(tmp_path), state=state).returncode == 2


async def test_while_a_backup_is_made_nothing_is_removed_that_it_may_need(home: House) -> None:
    home.drop("a.jsonl", ["one"])
    home.state.mkdir()
    drafts = Drafts(home.state / "drafts")
    (home.state / "drafts").mkdir()
    (home.state / "drafts/7.1").write_bytes(b"{}")
    with disk.removals_stopped(home.state):
        await home.run()
        assert len(list((home.state / "spool").iterdir())) == 1
        drafts.discard(RequestId(7), 1)
        assert (home.state / "drafts/7.1").exists()
    drafts.discard(RequestId(7), 1)
    assert not (home.state / "drafts/7.1").exists()
    await home.run()
    assert list((home.state / "spool").iterdir()) == [], "the next start sweeps it"


def test_a_wish_that_nobody_took_back_lapses(tmp_path: Path) -> None:
    with disk.removals_stopped(tmp_path):
        assert not disk.may_remove(tmp_path)
        os.utime(tmp_path / ".backup", (0, 0))
        assert disk.may_remove(tmp_path)
    assert disk.may_remove(tmp_path)
