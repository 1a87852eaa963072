"""What has been kept long enough goes, exactly as it was listed; sums, names and whatever is not ours stay."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
import pytest
from batchd import results
from batchd.app import prepared
from batchd.decisions.retention import What
from batchd.edges import trash
from batchd.edges.store import DATABASE, Store, open_store, rollup
from batchd.edges.store.retention import PAGES
from batchd.edges.store.statements import Transaction, Violation
from batchd.journey.places import Places
from batchd.journey.pruning import Kept, Pruned, Pruning, Removal
from batchd.model import RequestId
from batchd.text import zstd

from tests.faults.torture.edge_steps import StepBlow
from tests.support.house import House, house, until
from tests.support.surroundings import REPOSITORY

pytestmark = pytest.mark.anyio

YEAR = 365 * 86_400.0
ALL: Mapping[What, float] = dict.fromkeys((What.OUTBOX, What.REJECTED, What.ROWS), 90.0)


async def years_later(home: House) -> None:
    """Three finished jobs and a refused file, a year old, and one of today."""
    home.drop("q/old.jsonl", ["one", "two [sandbox: error]"])
    home.drop("q/old/inner.jsonl", ["three"])
    home.drop("plain.jsonl", ["four"])
    (home.inbox / "wrong.jsonl").write_text("{")
    assert not await home.run()
    past = home.clock.now() - YEAR
    for reasons in (home.outbox / "rejected").glob("*.errors.json"):
        os.utime(reasons, (past, past))
    with sqlite3.connect(home.state / DATABASE) as raw:
        raw.execute("UPDATE jobs SET received_at = received_at - ?, finished_at = finished_at - ?", (YEAR, YEAR))
    home.drop("young.jsonl", ["five"])
    assert await home.run() is not None


def places(home: House) -> Places:
    return prepared(home.settings())


async def prune(home: House, store: Store, days: Mapping[What, float] = ALL) -> tuple[Pruned, list[Removal | Kept]]:
    pruning = Pruning(store, home.clock, places(home))
    plan = await pruning.plan(days)
    return plan, [each async for each in pruning.remove(plan)]


def names(home: House) -> set[str]:
    return {str(path.relative_to(home.outbox)) for path in home.outbox.rglob("*")}


async def sums(store: Store) -> dict[str, object]:
    told: dict[str, object] = {}
    for group in ("day", "folder", "model", "job"):
        told[group] = await store.spending.by(group)
    standing = await store.overview.read(finished=100)
    told["jobs"] = [(each.job.name, each.tally) for each in standing.jobs]
    return told


async def test_what_is_listed_goes_and_every_sum_stays(home: House) -> None:
    await years_later(home)
    before = names(home)
    async with open_store(home.state / DATABASE) as store:
        known = await sums(store)
        plan = await Pruning(store, home.clock, places(home)).plan(ALL)
        assert names(home) == before, "a plan changes nothing"
        assert plan == await Pruning(store, home.clock, places(home)).plan(ALL)
        listed = {(str(each.what), str(each.path.relative_to(home.outbox))) for each in plan.removes}
        assert listed == {
            ("outbox", "q/old/inner"),
            ("outbox", "plain"),
            ("rows", "q/old"),
            ("rows", "q/old/inner"),
            ("rows", "plain"),
            ("rejected", "rejected/wrong.jsonl"),
        }
        assert {(each.path.name, each.reason) for each in plan.keeps} == {
            ("old", "outbox: other jobs lie in it"),
            ("young", "outbox: it finished less than 90 days ago"),
            ("young", "rows: it finished less than 90 days ago"),
        }
        _, done = await prune(home, store)
        assert [each for each in done if isinstance(each, Kept)] == []
        gone = {name for name in before - names(home) if "/" not in name.replace("q/old/", "").replace("rejected/", "")}
        assert gone == {"plain", "q/old/inner", "rejected/wrong.jsonl", "rejected/wrong.jsonl.errors.json"}
        assert {"q/old/job.json", "young/job.json"} <= names(home)
        assert await sums(store) == known
        assert list((home.state / "trash").iterdir()) == []
        plan, _ = await prune(home, store)
        assert [each.path.name for each in plan.removes] == ["old"], "in it no other job lies any more"
        assert (await store.jobs.named("plain")) is not None
    home.drop("plain.jsonl", ["six"])
    await home.run()
    assert (home.outbox / "plain-2/job.json").exists(), "names stay taken"
    home.assert_nothing_twice()


async def test_no_id_of_a_request_is_given_twice(home: House) -> None:
    home.drop("a.jsonl", ["one", "two"])
    assert await home.run()
    async with open_store(home.state / DATABASE) as store:
        last = await _last_id(store)
        await prune(home, store, {What.ROWS: 1e-9})
        assert await _last_id(store) == 0
    home.drop("b.jsonl", ["three"])
    assert await home.run()
    async with open_store(home.state / DATABASE) as store:
        assert await _last_id(store) > last
    home.assert_nothing_twice()


async def _last_id(store: Store) -> RequestId:
    row = await store.database.row("SELECT coalesce(max(id), 0) AS id FROM requests")
    assert row is not None
    return RequestId(row["id"])


async def test_what_is_not_ours_stays(home: House, tmp_path: Path) -> None:
    for name in ("linked", "bare", "other", "file", "fine"):
        home.drop(f"{name}.jsonl", ["one"])
    assert await home.run()
    elsewhere = tmp_path / "elsewhere"
    (home.outbox / "linked").rename(elsewhere)
    (home.outbox / "linked").symlink_to(elsewhere)
    (home.outbox / "bare/job.json").unlink()
    (home.outbox / "other/job.json").write_text('{"job": "another"}')
    (home.outbox / "file").rename(tmp_path / "moved")
    (home.outbox / "file").write_text("mine")
    (home.outbox / "fine/documents").mkdir(exist_ok=True)
    (home.outbox / "fine/documents/link").symlink_to(elsewhere)
    async with open_store(home.state / DATABASE) as store:
        plan, _ = await prune(home, store, {What.OUTBOX: 1e-9})
    assert [each.path.name for each in plan.removes] == ["fine"]
    assert {(each.path.name, each.reason) for each in plan.keeps} == {
        ("linked", "outbox: it is no folder"),
        ("bare", "outbox: it has no job.json"),
        ("other", "outbox: its job.json is another job's"),
        ("file", "outbox: it is no folder"),
    }
    assert not (home.outbox / "fine").exists()
    assert (elsewhere / "job.json").exists()
    assert (home.outbox / "file").read_text() == "mine"


PACKED = {What.DOCUMENTS_ONLY: 1e-9}


async def test_results_are_packed_for_all_who_read_them_and_what_was_asked_goes(home: House) -> None:
    home.drop("q/a.jsonl", ["one", "two [sandbox: error]"])
    home.drop("mine.jsonl", ["three"])
    assert not await home.run()
    before = {row.custom_id: row for row in results("q/a", outbox=home.outbox)}
    raw = (home.outbox / "q/a/results.jsonl").read_bytes()
    (home.outbox / "mine/results.jsonl").rename(home.place / "elsewhere")
    (home.outbox / "mine/results.jsonl").symlink_to(home.place / "elsewhere")
    (home.outbox / "q/a/request").mkdir()
    (home.outbox / "q/a/request/prompt.md").write_text("three")
    stays = names(home) - {f"q/a/{name}" for name in ("results.jsonl", "request.jsonl", "request", "request/prompt.md")}
    async with open_store(home.state / DATABASE) as store:
        known = await sums(store)
        plan, done = await prune(home, store, PACKED)
        told = {each.path.name: (type(each), each.what if isinstance(each, Removal) else each.reason) for each in done}
        assert told["a"] == (Removal, What.DOCUMENTS_ONLY)
        assert told["mine"][0] is Kept, "a link is not ours to pack"
        assert await sums(store) == known
        assert not [each for each in (await prune(home, store, PACKED))[0].removes if each.path.name == "a"], "once"
        (a,) = [each for each in (await store.jobs.recent(9)) if each.name == "q/a"]
        assert a.pruned
        with pytest.raises(Violation):
            await store.retries.want(a.id)
    assert len(plan.removes) == 2
    assert (home.place / "elsewhere").exists()
    assert names(home) - {"q/a/results.jsonl.zst", "mine/request.jsonl"} == stays - {"mine/request.jsonl"}
    assert {row.custom_id: row for row in results("q/a", outbox=home.outbox)} == before
    with (home.outbox / "q/a/results.jsonl.zst").open("rb") as packed:
        assert b"".join(zstd.unpacked(packed)) == raw


@pytest.mark.parametrize("step", ["it is said", "results are packed", "what was asked is gone"])
async def test_packing_that_was_cut_off_is_gone_on_with(home: House, step: str) -> None:
    home.drop("a.jsonl", ["one", "two"])
    assert await home.run()
    raw = (home.outbox / "a/results.jsonl").read_bytes()
    async with open_store(home.state / DATABASE) as store:
        (aged,) = await store.retention.jobs()
        assert await store.retention.let_folder_be_packed(aged.job)
        if step != "it is said":
            (home.outbox / "a/results.jsonl.zst").write_bytes(b"".join(zstd.packed([raw])))
        if step == "what was asked is gone":
            (home.outbox / "a/results.jsonl").unlink()
            (home.outbox / "a/request.jsonl").unlink()
        await Pruning(store, home.clock, places(home)).go_on()
        assert [each.is_packed for each in await store.retention.jobs()] == [True]
    assert not (home.outbox / "a/results.jsonl").exists()
    assert not (home.outbox / "a/request.jsonl").exists()
    assert [row.custom_id for row in results("a", outbox=home.outbox)] == ["r0", "r1"]


STEPS = ("folder is said to go", "folder was moved", "rows are said to go", "some rows are gone")


@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_at_any_step_is_gone_on_from_at_the_next_start(tmp_path: Path, step: str) -> None:
    async with house(tmp_path) as home:
        home.drop("a.jsonl", ["one", "two"])
        assert await home.run()
        async with open_store(home.state / DATABASE) as store:
            known = await sums(store)
            (aged,) = await store.retention.jobs()
            if step in STEPS[:2]:
                assert await store.retention.let_folder_go(aged.job)
                if step == STEPS[1]:
                    (home.state / "trash").mkdir()
                    (home.outbox / "a").rename(home.state / "trash" / f"job-{aged.job}")
            else:
                assert await store.retention.let_rows_go(aged.job)
                if step == STEPS[3]:
                    await store.database.write(_one_row_less)
            assert await sums(store) == known
        assert await home.run() is not None
        async with open_store(home.state / DATABASE) as store:
            await Pruning(store, home.clock, places(home)).go_on()
            (left,) = [aged, *await store.retention.jobs()][-1:]
            assert not left.going
            assert await sums(store) == known
        if step in STEPS[:2]:
            assert not (home.outbox / "a").exists()
            assert list((home.state / "trash").iterdir()) == []
        home.assert_nothing_twice()


async def _one_row_less(db: Transaction) -> None:
    ((request,),) = await db.rows("SELECT min(id) FROM requests", ())
    await rollup.keep(db, [RequestId(request)])
    await db.update("DELETE FROM trips WHERE request = ?", (request,))
    await db.update("DELETE FROM requests WHERE id = ?", (request,))


async def test_what_is_to_be_sent_again_stays_and_what_is_pruned_is_not_sent_again(home: House) -> None:
    home.drop("a.jsonl", ["one [sandbox: error]"])
    home.drop("b.jsonl", ["two [sandbox: error]"])
    assert not await home.run()
    async with open_store(home.state / DATABASE) as store:
        a, b = [await store.jobs.named(name) for name in "ab"]
        assert a is not None
        assert b is not None
        plan = await Pruning(store, home.clock, places(home)).plan({What.OUTBOX: 1e-9})
        await store.retries.want(a.id)
        done = [each async for each in Pruning(store, home.clock, places(home)).remove(plan)]
        assert {each.path.name: type(each) for each in done} == {"a": Kept, "b": Removal}
        with pytest.raises(Violation):
            await store.retries.want(b.id)
        assert (await store.jobs.get(b.id)).pruned


async def test_the_daemon_does_it_by_itself(home: House) -> None:
    home.drop("a.jsonl", ["one"])
    assert await home.run()
    with sqlite3.connect(home.state / DATABASE) as raw:
        raw.execute("UPDATE jobs SET finished_at = finished_at - ?", (YEAR,))
    async with anyio.create_task_group() as tasks:
        soon = datetime.fromtimestamp(home.clock.now()).astimezone() + timedelta(minutes=2)
        tasks.start_soon(partial(home.run_on, keep__outbox=30, keep__rows=30, keep__at=soon.strftime("%H:%M")))
        await until(lambda: not (home.outbox / "a").exists())
        tasks.cancel_scope.cancel()
    assert json.loads((home.outbox / ".batchd.json").read_text())


async def test_the_file_becomes_smaller_and_no_commit_is_long(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path) as store:
        (laid_out,) = await store.database.rows("PRAGMA auto_vacuum")
        assert laid_out[0] == 2
    count = 20_000
    with sqlite3.connect(path) as raw:
        raw.executescript(
            f"""INSERT INTO jobs (id, claim, name, source, received_at, total, finished_at, delivered)
                VALUES (1, 'c', 'a', 'a', 0, {count}, 1, 1);
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
                INSERT INTO requests (id, job, custom_id, name, model, max_tokens, betas, offset, size, since, verdict)
                SELECT i, 1, 'request ' || i, 'request-' || i, 'm', 1, '', 0, 1, 0, 'complete' FROM n;
                INSERT INTO batches (id, state, betas, count, size, nonce, planned_at)
                VALUES (1, 'dissolved', '', {count}, 1, 'n', 90000);
                INSERT INTO trips (batch, row, request, outcome, cost) SELECT 1, id, id, 'succeeded', 7 FROM requests;
                INSERT INTO job_batches (batch, job, {", ".join(rollup.COLUMNS)})
                SELECT batch, job, {", ".join(f"sum({each})" for each in rollup.COLUMNS)} FROM charges GROUP BY 1, 2;
                PRAGMA wal_checkpoint(TRUNCATE);"""  # noqa: S608
        )
    full = path.stat().st_size
    async with open_store(path) as store:
        (aged,) = await store.retention.jobs()
        assert await store.retention.let_rows_go(aged.job)
        while await store.retention.remove_rows(aged.job):
            pass
        (empty,) = await store.database.rows("PRAGMA freelist_count")
        assert empty[0] > PAGES
        assert await store.retention.give_back_pages() == empty[0] - PAGES, "as many as are asked for, each time"
        while await store.retention.give_back_pages():
            pass
        (spent,) = await store.spending.by("job")
        assert (spent.requests, spent.cost) == (count, 7 * count)
        await store.database.give_back_log()
    assert path.stat().st_size < full / 3


def test_what_was_refused_is_found_with_its_reasons_alone(tmp_path: Path) -> None:
    rejected = tmp_path / "rejected/q"
    rejected.mkdir(parents=True)
    for name in ("a.jsonl", "a.jsonl.errors.json", "b.jsonl", "instructions.errors.json"):
        (rejected / name).write_text("x")
    (rejected / "c.job").mkdir()
    (rejected / "c.job/prompt.md").write_text("four")
    (rejected / "c.job.errors.json").write_text("x")
    (rejected / "d.jsonl").symlink_to(rejected / "b.jsonl")
    (rejected / "d.jsonl.errors.json").write_text("x")
    found = {each.name: each.size for each in trash.refused(tmp_path)}
    assert set(found) == {"q/a.jsonl", "q/c.job", "q/d.jsonl"}
    assert found["q/c.job"] == 5
    for name in found:
        trash.discard_refused(tmp_path, name, tmp_path / "trash", "key")
    assert sorted(each.name for each in rejected.iterdir()) == ["b.jsonl", "instructions.errors.json"]


def refuse(outbox: Path) -> Path:
    """A file and a bundle that were refused, each with its reasons."""
    place = outbox / "rejected" / "q"
    (place / "b.job").mkdir(parents=True)
    (place / "b.job" / "prompt.md").write_text("one")
    (place / "a.jsonl").write_text("{")
    for name in ("a.jsonl", "b.job"):
        (place / f"{name}.errors.json").write_text("x")
    return place


def discard_all(home: Path, elsewhere: str) -> None:
    """As a prune does it."""
    trash.empty(Path(elsewhere) / home.name)
    for each in trash.refused(home):
        trash.discard_refused(home, each.name, Path(elsewhere) / home.name, f"rejected-{each.name[-1]}")


def killed_at_each_step(folder: str, elsewhere: str) -> None:
    """Remove what was refused, in copies of a folder, and be killed at each step of it in one of them."""
    for step in range(1, 200):
        home = Path(folder) / str(step)
        shutil.copytree(Path(folder) / "whole", home)
        pid = os.fork()
        if pid == 0:
            StepBlow(step).strike(home / "steps")
            discard_all(home, elsewhere)
            os._exit(0)
        if os.waitpid(pid, 0)[1] == 0:
            return


@pytest.mark.parametrize("elsewhere", ["here", "another file system"])
def test_refused_files_that_a_kill_left_half_removed_go_with_the_next_prune(tmp_path: Path, elsewhere: str) -> None:
    refuse(tmp_path / "homes" / "whole")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if elsewhere != "here" else tmp_path) as bin_:  # noqa: S108  another file system
        subprocess.run(
            [sys.executable, "-c", f"from {__name__} import *; killed_at_each_step(*sys.argv[1:])",
             str(tmp_path / "homes"), bin_],
            cwd=REPOSITORY, check=True,
        )  # fmt: skip
        homes = [home for home in (tmp_path / "homes").iterdir() if home.name != "whole"]
        assert len(homes) > 20
        for home in homes:
            discard_all(home, bin_)
            left = [path for path in (home / "rejected").rglob("*") if not path.is_dir() or path.name != "q"]
            assert left == [], f"killed at step {home.name}"
            assert not any((Path(bin_) / home.name).iterdir())


def test_what_is_refused_anew_is_not_taken_for_what_a_kill_left(tmp_path: Path) -> None:
    place = refuse(tmp_path)
    (place / "a.jsonl.errors.json").rename(place / ".a.jsonl.errors.json.trash")
    (place / "a.jsonl.errors.json").write_text("anew")
    discard_all(tmp_path, str(tmp_path / "trash"))
    assert sorted(each.name for each in place.iterdir()) == ["a.jsonl", "a.jsonl.errors.json"]
    discard_all(tmp_path, str(tmp_path / "trash"))
    assert list(place.iterdir()) == []
