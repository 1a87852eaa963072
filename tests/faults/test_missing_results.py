"""Results that stay away, for a time or for good: read again for an hour, then held, and never called lost."""

import json
import sqlite3
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.edges.store import DATABASE, open_store

from tests.faults.test_doubt import another_client_creates
from tests.faults.test_wishes import wish
from tests.support.house import House, at_work, house, run_until, until
from tests.support.side_by_side import Played

pytestmark = pytest.mark.anyio

HOUR = 3600.0
SPEED = 600.0
"""An hour lasts six seconds."""
SIX = [f"say {n}" for n in range(6)]
ALL = dict.fromkeys((f"r{n}" for n in range(6)), "succeeded")


def lasting(home: House, kind: str, **more: Any) -> None:
    home.fault("results", kind, times=None, **more)


def held(home: House, job: str = "a") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home.outbox / job / "held.json").read_text("utf-8"))
    return found


def readings(home: House) -> int:
    return [call.route for call in home.server.ledger.calls].count("results")


FOR_GOOD: dict[str, tuple[str, dict[str, int], str, int]] = {
    "one line": ("missing", {"at": 1}, "its results end before their time: 1 of 6 lines are missing", 5),
    "the rest": ("short", {"at": 2}, "its results end before their time: 4 of 6 lines are missing", 2),
    "all": ("short", {"at": 0}, "its results end before their time: 6 of 6 lines are missing", 0),
    "what cannot be read": ("malformed", {"at": 3}, "its results end before their time: 1 of 6 lines are missing", 5),
    "the file": ("status", {"status": 404}, "its results are not found (not_found_error)", 0),
    "their ids": ("foreign_all", {}, "its results carry other ids, although the API named it", 0),
}
FOR_A_TIME: dict[str, tuple[str, dict[str, int]]] = {
    name: (kind, more) for name, (kind, more, *_) in FOR_GOOD.items() if name not in {"one line", "what cannot be read"}
}


async def stays_away(swift: House, name: str) -> None:
    kind, more, said, delivered = FOR_GOOD[name]
    lasting(swift, kind, **more)
    swift.drop("a.jsonl", SIX)
    began = swift.clock.now()
    assert not await swift.run(api__doubt=900.0)
    assert swift.clock.now() - began >= HOUR
    assert len(swift.lines("a")) == delivered
    reason = str(held(swift)["reason"])
    assert reason.startswith(said)
    assert reason.endswith("may have been charged")
    assert held(swift)["batches"][0]["answers"]
    assert not (swift.outbox / "a" / "job.json").exists()
    assert 3 <= readings(swift) < 60
    assert len(swift.server.ledger.batches()) == 1


async def comes_late(swift: House, name: str) -> None:
    kind, more = FOR_A_TIME[name]
    lasting(swift, kind, **more, ends=HOUR / 2)
    swift.drop("a.jsonl", SIX)
    assert await swift.run(api__doubt=900.0)
    assert swift.results("a") == ALL
    swift.assert_nothing_twice()
    assert len(swift.server.ledger.batches()) == 1


async def drop_by_drop(swift: House) -> None:
    """What comes drop by drop is waited for: three quarters of an hour, twice."""
    lasting(swift, "short", at=2, ends=0.75 * HOUR)
    lasting(swift, "short", at=4, ends=1.5 * HOUR)
    swift.drop("a.jsonl", SIX)
    assert await swift.run(api__doubt=900.0)
    assert swift.results("a") == ALL


async def given_up(swift: House) -> None:
    lasting(swift, "short", at=4)
    swift.drop("a.jsonl", SIX)
    assert not await swift.run(api__doubt=900.0)
    async with open_store(swift.state / DATABASE) as store:
        (batch,) = await store.batches.held()
        await store.resolutions.drop(batch, "given up")
    swift.server.faults.clear()
    assert not await swift.run(api__doubt=900.0)
    assert swift.job("a")["requests"]["canceled"] == 2
    await wish(swift, "a", "retry")
    assert not await swift.run(api__doubt=900.0)
    assert swift.job("a")["requests"]["canceled"] == 2
    assert len(swift.server.ledger.batches()) == 1


async def sent_again(swift: House) -> None:
    """None of its results came, and they may have been charged all the same."""
    lasting(swift, "short", at=0)
    swift.drop("a.jsonl", SIX)
    assert not await swift.run(api__doubt=900.0)
    places = [word for name in ("inbox", "outbox", "state") for word in ("--set", f"{name}={getattr(swift, name)}")]
    await anyio.run_process([sys.executable, "-m", "batchd", "resolve", "1", "--resend", *places])
    swift.server.faults.clear()
    assert await swift.run(api__doubt=900.0)
    assert swift.results("a") == ALL
    assert swift.job("a")["cost_usd"] is None, "of the first sending it is not known"
    assert {row["attempts"] for row in swift.lines("a", "report.jsonl")} == {2}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    plays = {f"for good: {name}": partial(stays_away, name=name) for name in FOR_GOOD}
    late = {f"for a time: {name}": partial(comes_late, name=name) for name in FOR_A_TIME}
    others = {play.__name__: play for play in (drop_by_drop, given_up, sent_again)}
    return Played(tmp_path_factory.mktemp("missing"), SPEED, {**plays, **late, **others})


@pytest.mark.parametrize("name", FOR_GOOD)
def test_what_stays_away_is_held_after_an_hour_with_the_number_missing(played: Played, name: str) -> None:
    played.judge(f"for good: {name}")


@pytest.mark.parametrize("name", FOR_A_TIME)
def test_what_stays_away_for_a_time_is_delivered_once(played: Played, name: str) -> None:
    played.judge(f"for a time: {name}")


def test_an_hour_counts_from_the_last_line_that_came(played: Played) -> None:
    played.judge("drop_by_drop")


async def test_a_restart_does_not_begin_the_hour_anew(home: House) -> None:
    lasting(home, "short", at=2)
    home.drop("a.jsonl", SIX)
    await run_until(home, lambda: home.lines("a") and "are missing" in trouble(home), api__doubt=900.0)
    home.jump(HOUR)
    began = home.clock.now()
    assert not await home.run(api__doubt=900.0)
    assert home.clock.now() - began < HOUR / 2
    assert "4 of 6" in str(held(home)["reason"])


async def test_a_strangers_batch_without_lines_settles_nothing_of_ours(tmp_path: Path) -> None:
    async with house(tmp_path, speed=600.0, duration=900.0) as slow:
        slow.fault("create", "close_late")
        lasting(slow, "short", at=0)
        slow.drop("a.jsonl", ["one", "two"])
        theirs: list[str] = []

        async def other() -> None:
            theirs.append(await another_client_creates(slow, 2))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            assert not await slow.run(api__doubt=900.0, poll__initial=60.0, poll__max=600.0)
        assert "2 of 2 lines are missing" in str(held(slow)["reason"])
        assert not (slow.outbox / "a" / "job.json").exists()
        assert [entry.id for entry in slow.server.ledger.batches()] == theirs


def test_what_a_person_gives_up_was_perhaps_charged_and_is_not_sent_by_retry(played: Played) -> None:
    played.judge("given_up")


# Downloads that are cut


async def test_a_download_that_is_always_cut_gets_to_its_end(home: House) -> None:
    lasting(home, "cut", at=3_000)
    home.drop("a.jsonl", SIX)
    assert await home.run()
    assert home.results("a") == ALL
    assert readings(home) > 2


async def test_what_came_before_a_cut_is_delivered_and_status_says_how_far_it_got(home: House) -> None:
    lasting(home, "no_ranges")
    lasting(home, "cut", at=3_000)
    home.drop("a.jsonl", SIX)
    async with at_work(home):
        await until(lambda: len(home.lines("a")) >= 2)
        await until(lambda: "of 6 results are here" in trouble(home))
        told = trouble(home)
        home.server.faults.clear()
    assert "cut 1 times" in told or "cut 2 times" in told
    assert home.results("a") == ALL
    home.assert_nothing_twice()


def trouble(home: House) -> str:
    """What keeps its batches, as `status` reads it."""
    with closing(sqlite3.connect(home.state / "batchd.sqlite")) as database:
        return " ".join(str(row[0]) for row in database.execute("SELECT trouble FROM batches"))


def test_what_was_created_and_is_sent_again_as_a_whole_counts_twice(played: Played) -> None:
    played.judge("sent_again")
