"""What lies in our folders, or in the inbox, where it should not: one job's trouble, or nobody's; and it is told."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from anyio import to_thread
from batchd.edges import claims
from batchd.edges.store import DATABASE
from batchd.journey import intake
from batchd.journey.placing import Placing
from batchd.model import Job
from batchd.trouble import HOUR, Thing, Trouble, Work

from tests.faults.test_resources import look, running
from tests.support.house import NEVER, House, at_work, run_until, until

pytestmark = pytest.mark.anyio


def told(home: House) -> dict[str, str]:
    """What keeps which thing, as the store has it."""
    with closing(sqlite3.connect(home.state / DATABASE)) as database:
        return dict(database.execute("SELECT name, reason FROM troubles").fetchall())


async def test_what_lies_in_the_state_folder_by_mistake_keeps_no_start(home: House) -> None:
    for name in ("spool", "streams", "drafts", "claims"):
        (home.state / name / "folder" / "inside").mkdir(parents=True)
    (home.state / "claims" / "a-file").write_text("no claim")
    spoiled = home.state / "claims" / "spoiled" / "queue"
    spoiled.mkdir(parents=True)
    (spoiled / "a.md").write_text("Say a.")
    (spoiled.parent / ".origin").write_text("no JSON")
    home.state.chmod(0o700)
    home.drop("b.jsonl", ["one"])
    async with running(home):
        await until((home.outbox / "b" / "job.json").exists)
        assert any(name.endswith("claims/spoiled") for name in told(home))
        status = await to_thread.run_sync(look, home, "status")
        assert "claims/spoiled: not taken" in status


async def test_a_held_job_whose_folder_is_spoiled_stops_no_other(home: House) -> None:
    params = {"model": "claude-haiku-4-5", "max_tokens": 300, "messages": [{"role": "user", "content": "one"}]}
    lines = [{"job": {"budget": 0.0000001}}, {"custom_id": "one", "params": params}]
    (home.inbox / "a.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    assert not await home.run()
    (home.outbox / "a").rename(home.place / "elsewhere")
    (home.outbox / "a").symlink_to(home.place / "elsewhere")
    home.drop("b.jsonl", ["two"])
    assert not await home.run()
    assert home.job("b")["state"] == "done"


async def test_a_job_whose_folder_is_spoiled_says_why_it_is_not_finished(home: House) -> None:
    home.drop("a.jsonl", ["one [sandbox: take 8]"])
    home.drop("b.jsonl", ["two [sandbox: take 8]"])
    async with at_work(home):
        await until(home.accepted)
        (home.outbox / "a" / "report.jsonl").mkdir()
        await until((home.outbox / "b" / "job.json").exists)
        await until(lambda: "a" in told(home))
        status = await to_thread.run_sync(look, home, "status", "a")
        assert "! job a: not finished" in status
        (home.outbox / "a" / "report.jsonl").rmdir()
    assert home.job("a")["state"] == "done"
    assert "a" not in told(home)


async def test_what_the_world_keeps_from_being_done_for_an_hour_is_told_in_the_folder_of_the_job(home: House) -> None:
    home.drop("a.jsonl", ["one [sandbox: take 8]"])
    held = home.outbox / "a" / "held.json"
    async with at_work(home):
        await until(home.accepted)
        (home.outbox / "a" / "report.jsonl").mkdir()
        await until(lambda: "a" in told(home))
        home.jump(HOUR)
        await until(held.exists)
        note = json.loads(held.read_text())
        (trouble,) = note["troubles"]
        assert (note["job"], trouble["what"]) == ("a", Work.FINISH.undone)
        assert trouble["reason"] == note["reason"] == told(home)["a"]
        (home.outbox / "a" / "report.jsonl").rmdir()
    assert home.job("a")["state"] == "done"
    assert not held.exists()


def test_a_person_hears_of_a_defect_at_once_and_of_the_world_after_an_hour() -> None:
    thing = Thing(Work.FINISH, "1", "a")
    assert Trouble(thing, 0.0, "a defect", defect=True).lasts(0.0)
    assert not Trouble(thing, 0.0, "the disk is full").lasts(HOUR - 1)
    assert Trouble(thing, 0.0, "the disk is full").lasts(HOUR)


async def test_a_folder_that_keeps_its_files_is_named_with_its_remedy_and_delays_nobody(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = claims.claim

    def denied(inbox: Path, relative: PurePosixPath, *rest: Any) -> claims.Claim:
        if relative.parts[0] == "sub":
            raise PermissionError(13, "Permission denied")
        return whole(inbox, relative, *rest)

    monkeypatch.setattr(claims, "claim", denied)
    for number in range(3):
        home.drop(f"sub/{number}.jsonl", ["one"])
    home.drop("b.jsonl", ["two"])
    assert not await home.run()
    assert home.job("b")["state"] == "done"
    (said,) = [reason for name, reason in told(home).items() if name.endswith("/sub")]
    assert said.endswith(f"chmod -R g+rwX {home.inbox}/sub")
    assert len(list((home.inbox / "sub").iterdir())) == 3
    monkeypatch.setattr(claims, "claim", whole)
    assert await home.run()
    assert not told(home)


async def test_params_that_are_gone_are_their_jobs_trouble_alone(home: House) -> None:
    home.drop("a.jsonl", ["one"])
    home.drop("b.jsonl", ["two"])
    accepted = home.outbox / "a" / "request.jsonl"
    await run_until(
        home, lambda: accepted.exists() and (home.outbox / "b" / "request.jsonl").exists(), batch__linger=900
    )
    with closing(sqlite3.connect(home.state / DATABASE)) as database:
        ((claim,),) = database.execute("SELECT claim FROM jobs WHERE name = 'a'")
    params = home.state / "spool" / claim
    params.rename(home.place / "params")
    assert not await home.run()
    assert home.job("b")["state"] == "done"
    assert "params" in told(home)["a"]
    shutil.copy(home.place / "params", params)
    assert await home.run()
    assert home.job("a")["state"] == "done"
    home.assert_nothing_twice()


def test_a_stop_does_not_wait_for_a_large_file_to_be_read(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    message = [{"role": "user", "content": "x" * 60}]
    params = json.dumps({"model": "claude-haiku-4-5", "max_tokens": 10, "messages": message})
    with (inbox / ".part").open("w") as file:
        file.writelines(f'{{"custom_id": "r{number}", "params": {params}}}\n' for number in range(350_000))
    assert (inbox / ".part").stat().st_size > 60_000_000
    (inbox / ".part").rename(inbox / "a.jsonl")
    command = [
        sys.executable,
        "-m",
        "batchd",
        "run",
        "--set",
        "intake.settle=0",
        "--set",
        "api.base_url=http://127.0.0.1:9",
    ]
    places = [word for name in ("inbox", "outbox", "state") for word in (f"--{name}", str(tmp_path / name))]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, *places],
            env={**os.environ, "ANTHROPIC_API_KEY": "sk-ant-test"},
            stdout=log,
            stderr=log,
        )
    try:
        spool = tmp_path / "state" / "spool"
        while not any(file.stat().st_size > 1 << 20 for file in spool.glob("*")):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(NEVER) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert [path.name for path in (tmp_path / "state" / "claims").rglob("a.jsonl")] == ["a.jsonl"]


async def test_an_outbox_that_is_no_folder_is_told_by_its_name_and_nothing_is_lost(home: House) -> None:
    home.drop("a.jsonl", ["one [sandbox: take 2]"])
    async with at_work(home):
        await until(home.accepted)
        away = home.outbox.rename(home.place / "away")
        home.outbox.write_text("no folder")
        home.drop("b.jsonl", ["two"])
        await until(lambda: told(home).get("b.jsonl", "").endswith("is not a folder"))
        home.outbox.unlink()
        away.rename(home.outbox)
    assert home.job("a")["state"] == home.job("b")["state"] == "done"


async def test_a_dropped_file_that_another_hand_removes_from_its_claim_keeps_its_job_from_nothing(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Placing.place

    def too_late(self: Placing, claim: claims.Claim, job: Job) -> None:
        claim.path.unlink()
        place(self, claim, job)

    monkeypatch.setattr(Placing, "place", too_late)
    monkeypatch.setattr(intake, "goes_together", lambda _: False)
    home.drop("a.jsonl", ["one"])
    assert await home.run()
    assert not (home.outbox / "a" / "request.jsonl").exists()
    assert told(home) == {}
    assert list((home.state / "claims").iterdir()) == []
