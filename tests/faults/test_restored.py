"""An old state is noticed before anything is sent, and `run --restored` makes it safe, however old it is."""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import anyio
import pytest
from batchd import results
from batchd.app import serve
from batchd.edges import trash
from batchd.edges.evidence import NAME
from batchd.edges.store import DATABASE, open_store
from batchd.errors import Unusable
from batchd.journey.intake import Intake
from batchd.journey.packer import Packer
from batchd.journey.restoring import Restoring

from tests.support.house import NEVER, House, run_until, until

pytestmark = pytest.mark.anyio

WHOLE = ["short one [sandbox: words 20]", "short two [sandbox: words 30]"]
FAILS_ONCE = "it fails once [sandbox: fail overloaded_error]"
LONG = {"model": "claude-haiku-4-5", "max_tokens": 300}


def copy_if_there(source: str, target: str) -> None:
    """What the daemon removed between its listing and its copy is not in the backup."""
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)


def snapshot(state: Path, to: Path) -> None:
    """Copy a state while it is in use, as a good backup does: its files, and its database at one moment."""
    shutil.copytree(state, to, ignore=shutil.ignore_patterns(f"{DATABASE}*", "lock"), copy_function=copy_if_there)
    with sqlite3.connect(state / DATABASE) as source, sqlite3.connect(to / DATABASE) as copy:
        source.backup(copy)


def version(state: Path) -> str:
    with sqlite3.connect(state / DATABASE) as database:
        if not database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'recovered'").fetchone():
            return ""
        batches = database.execute("SELECT id, state, attempt FROM batches").fetchall()
        requests = database.execute("SELECT id, verdict, round, batch, sendings FROM requests").fetchall()
    return repr((batches, requests))


def refused(match: str) -> AbstractContextManager[object]:
    return pytest.RaisesGroup(pytest.RaisesExc(Unusable, match=match), flatten_subgroups=True)


def accepted(state: Path) -> bool:
    """Whether the state knows a job of which nothing was sent yet."""
    return (state / DATABASE).exists() and version(state).startswith("([], [(")


async def ages(home: House, to: Path) -> list[Path]:
    """Run everything, and keep a copy of the state whenever something has changed in it."""
    kept: dict[str, Path] = {}
    done = False

    async def keep() -> None:
        while not done:
            if (home.state / DATABASE).exists():
                seen = version(home.state)
                if seen and seen not in kept:
                    copy = to / f"{len(kept):03}"
                    await anyio.to_thread.run_sync(snapshot, home.state, copy)
                    if version(copy) == seen:
                        kept[seen] = copy
                    else:  # it went on meanwhile: files of one moment, a database of another
                        shutil.rmtree(copy)
            await anyio.sleep(0.01)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep)
        await until((home.place / "inbox").exists)
        assert await home.run()
        done = True
    return list(kept.values())


def put_back(home: House, age: Path, outbox: Path) -> None:
    for folder, source in ((home.state, age), (home.outbox, outbox)):
        shutil.rmtree(folder)
        shutil.copytree(source, folder)


def drop_all(home: House) -> None:
    home.drop("a.jsonl", [*WHOLE, FAILS_ONCE])
    (home.inbox / "long.md").write_text(
        "---\nmodel: claude-haiku-4-5\nmax_tokens: 4000\ncontinue: 4\n---\n"
        "Write a long text. [sandbox: words 600] [sandbox: truncate at 900 rounds 2]\n"
    )


def documents(outbox: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(outbox.rglob("documents/**/*")):
        if file.is_file():
            yield str(file.relative_to(outbox)), file.read_bytes()


async def test_a_state_of_any_age_pays_nothing_twice_and_delivers_what_was_paid(home: House, tmp_path: Path) -> None:
    drop_all(home)
    snapshots = await ages(home, tmp_path / "ages")
    assert len(snapshots) > 8
    whole = tmp_path / "whole"
    shutil.copytree(home.outbox, whole)
    sent = home.accepted()
    billed = home.server.ledger.billed()
    before = dict(documents(whole))
    for age in snapshots:
        put_back(home, age, whole)
        await _run(home, restored=True)
        assert home.accepted() == sent, f"{age.name}: something was sent again"
        assert home.server.ledger.billed() == billed
        for name in ("a", "long"):
            if (home.outbox / name).exists():
                assert home.job(name)["state"] == "done", age.name
        assert dict(documents(home.outbox)) == before, age.name
        # It is as any other state from now on.
        assert await home.run()


async def _run(home: House, *, restored: bool = False) -> None:
    with anyio.fail_after(NEVER):
        await serve(home.settings(), home.key, once=True, restored=restored, clock=home.clock)


async def put_back_before_all_was_sent(home: House, backup: Path) -> Counter[str]:
    """Run a job to its end, and put the state back in which it was accepted; what was sent is returned."""
    home.drop("a.jsonl", WHOLE)
    await run_until(home, lambda: accepted(home.state))
    snapshot(home.state, backup)
    assert await home.run()
    shutil.rmtree(home.state)
    shutil.copytree(backup, home.state)
    return home.accepted()


async def test_a_run_to_the_end_does_not_end_before_what_was_paid_is_adopted(
    home: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All becomes known between a look at what waits and the question whether anything is left."""
    sent = await put_back_before_all_was_sent(home, tmp_path / "old")
    look, find = Packer.pack, Restoring.run
    known = anyio.Event()

    async def slow_look(packer: Packer) -> float | None:
        leaves_in = await look(packer)
        await known.wait()
        return leaves_in

    async def find_and_say(restoring: Restoring) -> None:
        await find(restoring)
        known.set()

    monkeypatch.setattr(Packer, "pack", slow_look)
    monkeypatch.setattr(Restoring, "run", find_and_say)
    await _run(home, restored=True)
    async with open_store(home.state / DATABASE) as store:
        assert await store.jobs.all_delivered()
    assert home.accepted() == sent


async def test_an_old_state_stops_run_with_the_jobs_that_it_lacks_before_anything_is_sent(
    home: House, tmp_path: Path
) -> None:
    sent = await put_back_before_all_was_sent(home, tmp_path / "old")
    with refused(r"older than the outbox.*jobs a .*run --restored"):
        await _run(home)
    (home.outbox / "a" / "job.json").unlink()
    with refused(r"1 creates that it has lost"):
        await _run(home)
    assert home.accepted() == sent


async def test_a_new_job_of_a_restored_state_never_gets_the_answers_of_a_lost_one(home: House, tmp_path: Path) -> None:
    home.drop("a.jsonl", WHOLE)
    assert await home.run()
    snapshot(home.state, tmp_path / "old")
    home.drop("lost.jsonl", ["what is lost [sandbox: words 25]"])
    assert await home.run()
    shutil.rmtree(home.state)
    shutil.copytree(tmp_path / "old", home.state)
    await _run(home, restored=True)
    home.drop("new.jsonl", ["what is new [sandbox: words 12]"])
    assert await home.run()
    (line,) = home.lines("new")
    (lost,) = home.lines("lost")
    assert line["result"]["message"]["content"] != lost["result"]["message"]["content"]
    assert home.job("new")["requests"]["complete"] == 1


async def test_results_that_the_api_has_no_more_stay_as_they_lie_in_the_outbox(home: House, tmp_path: Path) -> None:
    home.drop("a.jsonl", WHOLE)
    await run_until(home, lambda: accepted(home.state))
    snapshot(home.state, tmp_path / "old")
    assert await home.run()
    results = (home.outbox / "a" / "results.jsonl").read_bytes()
    shutil.rmtree(home.state)
    shutil.copytree(tmp_path / "old", home.state)
    home.fault("results", "status", status=404, times=None)
    sent = home.accepted()
    await _run(home, restored=True)
    assert home.accepted() == sent
    assert (home.outbox / "a" / "results.jsonl").read_bytes() == results


@pytest.mark.parametrize("gone", [False, True], ids=["the API has them", "it has them no more"])
async def test_results_that_were_packed_meanwhile_are_neither_lost_nor_paid_again(
    home: House,
    tmp_path: Path,
    gone: bool,  # noqa: FBT001  a column
) -> None:
    home.drop("a.jsonl", WHOLE)
    await run_until(home, lambda: accepted(home.state))
    snapshot(home.state, tmp_path / "old")
    assert await home.run()
    before = {row.custom_id: row.text for row in results("a", home.outbox)}
    trash.pack_job(home.outbox, "a")
    shutil.rmtree(home.state)
    shutil.copytree(tmp_path / "old", home.state)
    sent = home.accepted()
    if gone:
        home.fault("results", "status", status=404, times=None)
    with refused("was restored, or is damaged"):
        await _run(home)
    await _run(home, restored=True)
    assert home.accepted() == sent
    assert {row.custom_id: row.text for row in results("a", home.outbox)} == before
    home.assert_nothing_twice()


async def test_what_a_crash_leaves_is_not_taken_for_an_old_state(home: House) -> None:
    home.drop("a.jsonl", WHOLE)
    await run_until(home, home.accepted)
    evidence = home.outbox / NAME
    told = json.loads(evidence.read_bytes())
    # The commit of an intent is durable before the outbox tells of it.
    evidence.write_bytes(json.dumps({**told, "intents": 0}).encode())
    with (home.outbox / "a" / "results.jsonl").open("ab") as results:
        results.write(b'{"custom_id":"r0"}\n' * 500)
    assert await home.run()
    assert home.job("a")["state"] == "done"
    home.assert_nothing_twice()


BROKEN = b'{"custom_id": "a", "params": {"model": 3}}\nnot json\n'


async def claimed(home: House, *names: str) -> None:
    """Run until these files are taken, and nothing else has been done with them."""
    with pytest.MonkeyPatch.context() as patch:
        for taking in ("_take_in_turn", "_take_together"):
            patch.setattr(Intake, taking, sleep_for_ever)
        await run_until(home, lambda: len(list((home.state / "claims").glob("*/*"))) == len(names))


async def sleep_for_ever(*_: object) -> None:
    await anyio.sleep_forever()


async def lose_a_life(home: House, backup: Path, *names: str) -> None:
    """Keep the state of the moment in which these files are taken, live on to the end, and put it back."""
    await claimed(home, *names)
    snapshot(home.state, backup)
    await home.run()
    shutil.rmtree(home.state)
    shutil.copytree(backup, home.state)


async def test_a_file_that_a_lost_life_has_refused_is_refused_once(home: House, tmp_path: Path) -> None:
    home.drop("a.jsonl", WHOLE)
    (home.inbox / "broken.jsonl").write_bytes(BROKEN)
    await lose_a_life(home, tmp_path / "old", "a.jsonl", "broken.jsonl")
    await _run(home, restored=True)
    refused = sorted(file.name for file in (home.outbox / "rejected").iterdir())
    assert refused == ["broken.jsonl", "broken.jsonl.errors.json"]
    home.assert_nothing_twice()


async def test_a_file_refused_by_a_life_that_sent_nothing_is_refused_once(home: House, tmp_path: Path) -> None:
    """Nothing tells such a state from a good one; a file that is dropped meanwhile is another."""
    (home.inbox / "broken.jsonl").write_bytes(BROKEN)
    await lose_a_life(home, tmp_path / "old", "broken.jsonl")
    (home.outbox / "events.jsonl").unlink()  # nobody knows whether it came to tell it
    await home.run()
    assert [of for _, _, of in notices(home)] == ["broken.jsonl"]
    (home.inbox / "broken.jsonl").write_bytes(BROKEN)
    await home.run()
    refused = sorted(file.name for file in (home.outbox / "rejected").glob("*.jsonl"))
    assert refused == ["broken-2.jsonl", "broken.jsonl"]


async def test_of_two_files_alike_each_is_a_job_of_its_own_or_told(home: House, tmp_path: Path) -> None:
    """The lost life made a job of one of them alone."""
    home.drop("b.jsonl", WHOLE)
    await claimed(home, "b.jsonl")
    home.drop("b.jsonl", WHOLE)
    await claimed(home, "b.jsonl", "b.jsonl")
    snapshot(home.state, tmp_path / "old")
    first = min((home.state / "claims").iterdir())
    first.rename(tmp_path / "aside")
    await home.run()
    shutil.rmtree(home.state)
    shutil.copytree(tmp_path / "old", home.state)
    await _run(home, restored=True)
    assert home.job("b")["state"] == "done"
    assert home.job("b-2")["state"] == "done", "the second file is a job, too"


async def test_a_job_that_a_lost_life_has_begun_and_not_finished_is_told_and_not_sent_again(
    home: House, tmp_path: Path
) -> None:
    home.drop("a.jsonl", WHOLE)
    await claimed(home, "a.jsonl")
    snapshot(home.state, tmp_path / "old")
    await run_until(home, home.accepted)
    sent = home.accepted()
    shutil.rmtree(home.state)
    shutil.copytree(tmp_path / "old", home.state)
    with refused(r"1 creates that it has lost"):
        await _run(home)
    await _run(home, restored=True)
    assert home.accepted() == sent
    (told,) = json.loads((home.outbox / "rejected" / "a.jsonl.errors.json").read_text())["errors"]
    assert "job a" in told["message"]
    assert "Drop it again" in told["message"]


async def test_a_job_of_which_a_lost_life_has_sent_nothing_keeps_its_name(home: House, tmp_path: Path) -> None:
    home.drop("a.jsonl", WHOLE)
    await claimed(home, "a.jsonl")
    snapshot(home.state, tmp_path / "old")
    await run_until(home, (home.outbox / "a" / "request.jsonl").exists, batch__linger=10_000.0)
    shutil.rmtree(home.state)
    shutil.copytree(tmp_path / "old", home.state)
    assert await home.run()
    assert home.job("a")["state"] == "done"
    assert not (home.outbox / "a-2").exists()


def notices(home: House) -> list[tuple[str, str, str]]:
    """The id, kind and subject of each."""
    lines = (home.outbox / "events.jsonl").read_text().splitlines() if (home.outbox / "events.jsonl").exists() else []
    events = [json.loads(line) for line in lines]
    return [(each["id"], each["type"], each["data"].get("job") or each["data"]["file"]) for each in events]


async def test_what_a_lost_life_has_ended_is_told_by_a_state_that_knows_nothing_of_it(
    home: House, tmp_path: Path
) -> None:
    """Nobody knows whether the lost life came to tell it; the job in a subfolder has not even left its file."""
    home.drop("a.jsonl", WHOLE)
    (home.inbox / "broken.jsonl").write_bytes(BROKEN)
    await claimed(home, "a.jsonl", "broken.jsonl")
    snapshot(home.state, tmp_path / "old")
    home.drop("nightly/b.jsonl", WHOLE)
    await home.run()
    told = {(kind, of) for _, kind, of in notices(home)}
    assert told == {
        ("batchd.job.finished", "a"),
        ("batchd.job.finished", "nightly/b"),
        ("batchd.file.rejected", "broken.jsonl"),
    }
    (home.outbox / "events.jsonl").unlink()
    shutil.rmtree(home.state)
    shutil.copytree(tmp_path / "old", home.state)
    await _run(home, restored=True)
    assert sorted((kind, of) for _, kind, of in notices(home)) == sorted(told), "each once"
    await _run(home, restored=True)
    assert len(notices(home)) == len(told), "what it has told it knows"


async def test_a_file_that_is_refused_since_its_job_was_lost_is_told_and_leaves_no_folder(
    home: House, tmp_path: Path
) -> None:
    home.drop("nightly/a.jsonl", WHOLE)
    await claimed(home, "nightly/a.jsonl")
    snapshot(home.state, tmp_path / "old")
    await run_until(home, home.accepted)
    shutil.rmtree(home.state)
    shutil.copytree(tmp_path / "old", home.state)
    await _run(home, restored=True)
    assert [(kind, of) for _, kind, of in notices(home)] == [("batchd.file.rejected", "nightly/a.jsonl")]
    assert not (home.outbox / "nightly" / "a").exists()
    home.drop("nightly/a.jsonl", WHOLE)
    assert await home.run()
    assert home.job("nightly/a")["state"] == "done"


async def test_no_notice_of_a_restored_state_has_the_id_of_a_lost_one(home: House, tmp_path: Path) -> None:
    """Whoever is told passes over an id that he has seen."""
    home.drop("a.jsonl", WHOLE)
    assert await home.run()
    snapshot(home.state, tmp_path / "old")
    home.drop("lost.jsonl", ["what is lost"])
    assert await home.run()
    before = notices(home)
    shutil.rmtree(home.state)
    shutil.copytree(tmp_path / "old", home.state)
    home.drop("new.jsonl", ["what is new"])
    await _run(home, restored=True)
    assert {of for _, _, of in notices(home)[len(before) :]} == {"lost", "new"}
    ids = [ident for ident, _, _ in notices(home)]
    assert len(set(ids)) == len(ids)
