"""Who is told of what, with a whole daemon: at least once, under one id, in codes alone, and at nobody's cost."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from anyio.abc import TaskGroup
from batchd.app import serve
from batchd.edges.store import DATABASE
from batchd.edges.store.notices import Due, Notices
from batchd.errors import Unavailable

from tests.support.house import KEY, NEVER, House, house, run_and_kill, until
from tests.support.receiver import Got, Receiver, receiver

pytestmark = pytest.mark.anyio
SECRET = "whsec_" + "Q2FuYXJ5LW9mLWEtc2VjcmV0LXRoYXQtc2lnbnM="
PROMPT = "canary-of-a-prompt-4711"


def sink(told: Receiver, **more: object) -> dict[str, object]:
    return {"url": told.url, "private": True, **more}


def events(home: House) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home.outbox / "events.jsonl").read_text("utf-8").splitlines()]


async def test_what_happens_is_told_signed_and_stands_in_the_outbox(home: House, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\nwhsec_{'QUJD' * 10}\n")
    secret.chmod(0o600)
    home.drop("legal/good.jsonl", [f"{PROMPT} one", "two"])
    (home.inbox / "legal" / "bad.jsonl").write_text(f'{{"custom_id": "{PROMPT}"}}\n')
    with receiver() as all_, receiver() as legal, receiver() as default:
        sinks = {
            "all": sink(all_, events=["job.finished", "file.rejected"], secret=str(secret)),
            "legal": sink(legal, events=["job.finished"], folders=["legal"]),
            "default": sink(default, folders=["elsewhere"]),
        }
        home.drop("elsewhere/other.jsonl", ["three"])
        await home.run(notify__sinks=sinks, notify__page="https://page.example/")
    finished = [got for got in all_.got if got.json["type"] == "batchd.job.finished"]
    assert sorted(all_.types()) == ["file.rejected", "job.finished", "job.finished"]
    assert all(got.signed_with(SECRET) and got.signed_with(f"whsec_{'QUJD' * 10}") for got in all_.got)
    assert [got.json["data"]["job"] for got in legal.got] == ["legal/good"]
    assert not default.got, "a good end is no news, unless somebody asks for it"
    (told,) = (got.json["data"] for got in finished if got.json["data"]["job"] == "legal/good")
    assert told["state"] == "done"
    assert told["queue"] == "legal"
    assert told["requests"]["complete"] == 2
    assert told["cost_usd"] == home.job("legal/good")["cost_usd"]
    assert told["url"].startswith("https://page.example/jobs/")
    written = events(home)
    assert sorted(each["id"] for each in written) == sorted(got.id for got in all_.got)
    by_id = {each["id"]: each for each in written}
    assert all(by_id[got.id] == got.json for got in all_.got)
    assert PROMPT not in "".join(map(str, all_.got)) + json.dumps(written)


async def test_a_sink_that_fails_delays_nobody_and_is_told_later(
    home: House, capfd: pytest.CaptureFixture[str]
) -> None:
    with receiver() as good, receiver() as bad, receiver() as target:
        statuses = iter((500, 302))

        def answer(_: Got) -> tuple[int, dict[str, str], bytes]:
            return next(statuses, 200), {"location": target.url}, b"x" * 100_000

        bad.answer = answer
        sinks = {"good": sink(good, events=["job.finished"]), "bad": sink(bad, events=["job.finished"])}
        home.drop("a.jsonl", ["one"])
        await home.run(notify__sinks=sinks)
        assert good.types() == ["job.finished"]
        said = capfd.readouterr().out
        assert "notice not delivered" in said
        assert "defect" not in said, "it was noted, for the next try to come in its time"
        for _ in range(2):  # each start tries what is due
            home.jump(10_000)
            await home.run(notify__sinks=sinks)
        assert not target.got, "a redirect was followed"
        assert len(bad.got) == 3
        assert len({got.id for got in bad.got}) == 1
        assert len({got.body for got in bad.got}) == 1
        assert len(good.got) == 1


async def test_new_settings_bring_new_sinks_and_whoever_wanted_nothing_is_asked_again(
    home: House, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []

    def is_said(words: str, times: int) -> bool:
        said.append(capfd.readouterr().out)
        return "".join(said).count(words) >= times

    with receiver() as gone, receiver() as new:
        gone.answer = lambda _: (410 if len(gone.got) == 1 else 204, {}, b"")
        sinks = {"gone": sink(gone, events=["job.finished"])}
        more = {**sinks, "new": sink(new, events=["job.finished"])}
        now = home.settings(notify__sinks=sinks)
        home.drop("a.jsonl", ["one"])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(serve, now, KEY, clock=home.clock, load=lambda: now))
            await to_thread.run_sync(gone.wait_for, 1)
            await until(lambda: is_said("sink stopped", 1))
            os.kill(os.getpid(), signal.SIGHUP)  # nothing in the settings has changed
            await to_thread.run_sync(gone.wait_for, 2)
            now = home.settings(notify__sinks=more)
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: is_said("ready", 2))
            home.drop("b.jsonl", ["two"])
            await to_thread.run_sync(new.wait_for, 1)
            tasks.cancel_scope.cancel()
    assert [got.json["data"]["job"] for got in new.got] == ["b"]
    assert len({got.id for got in gone.got[:2]}) == 1


async def test_files_without_number_are_told_in_one(home: House) -> None:
    for number in range(200):
        (home.inbox / f"bad-{number:03}.jsonl").write_text("{}\n")
    with receiver() as told:
        await home.run(notify__sinks={"team": sink(told)})
    assert told.types() == ["file.rejected"] * 21
    (summary,) = (got.json["data"] for got in told.got if got.json["data"].get("summary"))
    assert (summary["files"], summary["errors"]) == (180, 360)


async def test_what_a_job_names_is_told_of_it_and_what_nobody_knows_is_refused(home: House) -> None:
    (home.inbox / "named.md").write_text("---\nmodel: claude-haiku-4-5\nmax_tokens: 50\nnotify: team\n---\nHello.\n")
    home.drop("unnamed.jsonl", ["two"])
    home.drop("sales/by-folder.jsonl", ["five"])
    home.drop("unknown.jsonl", ["three"], notify=["team", "nobody"])
    home.drop("address.jsonl", ["four"], notify="http://127.0.0.1/steal")
    with receiver() as told:
        sinks = {"team": sink(told, events=["job.held"]), "beat": {"ping": told.url, "private": True}}
        await home.run(notify__sinks=sinks, folder={"sales": {"notify": ["team"]}})
    assert sorted(got.json["data"]["job"] for got in told.got if got.method == "POST") == ["named", "sales/by-folder"]
    reasons = json.loads((home.outbox / "rejected" / "unknown.jsonl.errors.json").read_text())
    (error,) = reasons["errors"]
    assert (error["line"], error["field"]) == (1, "notify")
    assert "there is no sink" in error["message"]
    assert error["message"].endswith("are team")
    assert "address.jsonl" in {file.name for file in (home.outbox / "rejected").iterdir()}


async def test_a_command_gets_the_notice_on_its_stdin_and_no_key(home: House, tmp_path: Path) -> None:
    out = tmp_path / "told.json"
    script = tmp_path / "tell.py"
    script.write_text(
        "import json, os, sys\n"
        "said = {'stdin': json.load(sys.stdin), 'env': dict(os.environ), 'argv': sys.argv[2:]}\n"
        "open(sys.argv[1], 'w').write(json.dumps(said))\n"
    )
    home.drop("a.jsonl", [PROMPT])
    command = [sys.executable, str(script), str(out)]
    await home.run(notify__sinks={"script": {"command": command, "events": ["job.finished"]}})
    said = json.loads(out.read_text())
    assert said["stdin"]["data"]["job"] == "a"
    assert said["env"].pop("BATCHD_EVENT") == "batchd.job.finished"
    assert set(said["env"]) <= {"PATH", "LANG", "LC_CTYPE"}
    assert said["argv"] == []
    assert PROMPT not in out.read_text()


async def test_a_hold_is_told_of_once_it_lasts(home: House) -> None:
    home.drop("dear.jsonl", ["one", "two"], budget=0.000001)
    with receiver() as told:
        await home.run(notify__sinks={"team": sink(told)})
        await home.run(notify__sinks={"team": sink(told)})
    assert told.types() == ["job.held"]
    assert told.got[0].json["data"]["reason"] == "request"


async def running(home: House, tasks: TaskGroup, **changes: object) -> None:
    tasks.start_soon(partial(serve, home.settings(**changes), KEY, clock=home.clock))


async def test_what_stands_is_told_once_it_lasts_and_its_end_too(home: House) -> None:
    """A revoked key, wrong instructions, a full disk, a spent budget, the day."""
    home.fault("create", "status", status=401, times=3)
    home.drop("a.jsonl", ["one"])
    home.drop("dear/b.jsonl", ["two"])
    (home.inbox / "misled").mkdir()
    (home.inbox / "misled" / ".batchd.md").write_text("---\nmodell: x\n---\n{{text}}\n")
    with receiver() as told, receiver() as beats:
        sinks = {"team": sink(told), "beat": {"ping": beats.url + "?x=1", "private": True, "every": 20}}
        async with anyio.create_task_group() as tasks:
            await running(
                home,
                tasks,
                notify__sinks=sinks,
                notify__disk_low=2**62,
                notify__digest=(datetime.now(UTC) + timedelta(minutes=2)).astimezone().strftime("%H:%M"),
                folder={"dear": {"per_day": 0.0000001}},
            )
            wanted = {
                "instructions",
                "sending.parked",
                "sending.resumed",
                "disk.low",
                "budget.reached",
                "job.held",
                "digest",
            }
            with anyio.fail_after(NEVER):
                while not (wanted <= set(told.types()) and "/hook?x=1" in {got.path for got in beats.got}):  # noqa: ASYNC110
                    await anyio.sleep(0.1)
            tasks.cancel_scope.cancel()
    count = Counter(told.types())
    assert count["sending.parked"] == count["sending.resumed"] == count["instructions"] == count["digest"] == 1
    assert count["disk.low"] == 2, "for outbox and state"
    assert count["budget.reached"] == 2, "80 and 100 per cent"
    assert beats.got[0].path == "/hook/start?x=1"
    assert "/hook/fail?x=1" in {got.path for got in beats.got}
    by_type = {str(got.json["type"]): got.json["data"] for got in told.got}
    assert by_type["batchd.sending.parked"]["reason"] == "key"
    assert by_type["batchd.instructions"]["folder"] == "misled"


@pytest.mark.parametrize("at", range(6))
async def test_a_kill_around_a_finish_loses_no_notice(tmp_path: Path, at: int) -> None:
    """Killed at a random step; then it goes on. `make torture` kills at each edge step."""
    async with house(tmp_path) as home:
        home.drop("a.jsonl", ["one", "two"])
        with receiver() as told:
            sinks = {"team": sink(told, events=["job.finished"])}
            said = {f"notify__sinks__team__{key}": value for key, value in (("url", told.url), ("private", "true"))}
            said["notify__sinks__team__events"] = "job.finished"
            await run_and_kill(home, 1.0 + at * 0.35, **said)
            await home.run(notify__sinks=sinks)
        assert {got.json["data"]["job"] for got in told.got} == {"a"}
        assert len({got.id for got in told.got}) == 1
        assert {each["id"] for each in events(home)} == {got.id for got in told.got}


async def test_a_run_to_the_end_does_not_end_before_its_last_notices_are_told(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full just as all is done: what is told then nobody else would tell."""
    hasten, address = Notices.hasten, Notices.address
    full: list[object] = []

    async def hasten_once_it_can(notices: Notices, now: float) -> None:
        if len(full) < 2:
            full.append(None)
            raise Unavailable("the database cannot take it now: database or disk is full")
        await hasten(notices, now)

    async def address_at_the_end(notices: Notices, due: Due, *args: Any, **named: Any) -> None:
        if len(full) < 2:
            raise Unavailable("the database cannot take it now: database or disk is full")
        await address(notices, due, *args, **named)

    monkeypatch.setattr(Notices, "hasten", hasten_once_it_can)
    monkeypatch.setattr(Notices, "address", address_at_the_end)
    home.drop("a.jsonl", ["one"])
    with receiver() as told:
        await home.run(notify__sinks={"team": sink(told, events=["job.finished"])})
    assert [got.json["data"]["job"] for got in told.got] == ["a"]
    assert {each["data"]["job"] for each in events(home)} == {"a"}


async def test_a_run_that_could_not_write_its_notices_down_does_not_end_well(home: House) -> None:
    home.drop("a.jsonl", ["one"])
    (home.outbox / "events.jsonl").mkdir(parents=True)
    assert not await home.run()
    assert home.job("a")["state"] == "done"
    (home.outbox / "events.jsonl").rmdir()
    assert await home.run()
    assert [each["data"]["job"] for each in events(home)] == ["a"]


_READER = """import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("BEGIN")
print(db.execute("SELECT count(*) FROM jobs").fetchone(), flush=True)
sys.stdin.read()
"""


async def test_a_log_that_grows_is_warned_of_with_whoever_reads(
    home: House, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.drop("first.jsonl", ["one"])
    assert await home.run()
    monkeypatch.setattr("batchd.running.lookout.LONG_LOG", 10_000)
    said: list[str] = []

    def warned() -> bool:
        said.append(capfd.readouterr().out)
        return "the database's log grows" in "".join(said)

    with subprocess.Popen(  # noqa: ASYNC220  it is there before the daemon
        [sys.executable, "-c", _READER, str(home.state / DATABASE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        home.drop("second.jsonl", ["two"] * 50)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(home.run_on)
            await until(warned)
            tasks.cancel_scope.cancel()
        assert reader.stdin is not None
        reader.stdin.close()
    assert f"({reader.pid})" in "".join(said)
    assert "".join(said).count("the database's log grows") == 1
