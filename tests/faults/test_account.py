"""Trouble with the account fails nobody's request: it parks, says so, asks a few times, and goes on by itself."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from batchd.sandbox.faults import account

from tests.faults.test_quota import troubles
from tests.faults.test_wishes import wish
from tests.support.house import House, at_work, house, until
from tests.support.side_by_side import Played

pytestmark = pytest.mark.anyio

MINUTE = 60.0
SPEED = 400.0
"""An hour lasts nine seconds."""
KINDS = [kind for kind in account.TROUBLES if kind != "ramp_limit"]
EIGHT = [f"say {n}" for n in range(8)]
OTHERS = [f"tell {n}" for n in range(8)]


@pytest.fixture
async def swift(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, speed=SPEED) as opened:
        yield opened


def creates(home: House) -> int:
    """Creates that were refused, or whose requests all came back errored."""
    failed = sum(entry.ended_at is not None and not entry.billed for entry in home.server.ledger.batches())
    return failed + sum(call.route == "create" and call.status != 200 for call in home.server.ledger.calls)


def assert_nobody_failed(home: House, *jobs: str) -> None:
    assert set(home.server.ledger.billed().values()) <= {1}
    for name in jobs:
        assert home.job(name)["state"] == "done"
        assert not (home.outbox / name / "failures.jsonl").exists()
        assert {row["attempts"] for row in home.lines(name, "report.jsonl")} == {1}


async def refused(swift: House, kind: str) -> None:
    """It refuses every create for half an hour."""
    swift.fault("create", kind, times=None, ends=30 * MINUTE)
    swift.drop("a.jsonl", EIGHT)
    swift.drop("b.jsonl", OTHERS)
    assert await swift.run(api__doubt=900.0)
    assert creates(swift) < 10
    assert_nobody_failed(swift, "a", "b")


async def came_back(swift: House, kind: str) -> None:
    """It comes as an error of every request for half an hour."""
    swift.fault("create", kind, times=None, ends=30 * MINUTE, late=True)
    swift.drop("a.jsonl", EIGHT)
    assert await swift.run(api__doubt=900.0)
    assert creates(swift) < 10
    assert_nobody_failed(swift, "a")


async def refused_each_message(swift: House, kind: str) -> None:
    swift.fault("message", kind, times=None, ends=30 * MINUTE)
    swift.drop("a.jsonl", [f"say {n}" for n in range(20)], lane="sync")
    assert await swift.run(api__doubt=900.0)
    assert sum(call.route == "message" and call.status != 200 for call in swift.server.ledger.calls) < 10
    assert swift.job("a")["state"] == "done"
    assert not (swift.outbox / "a" / "failures.jsonl").exists()
    swift.assert_nothing_of_messages_twice()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    plays = {
        f"{play.__name__} {kind}": partial(play, kind=kind)
        for play in (refused, came_back, refused_each_message)
        for kind in KINDS
    }
    return Played(tmp_path_factory.mktemp("account"), SPEED, plays)


@pytest.mark.parametrize("kind", KINDS)
def test_it_refuses_every_create_for_half_an_hour(played: Played, kind: str) -> None:
    played.judge(f"refused {kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_as_an_error_of_every_request_for_half_an_hour(played: Played, kind: str) -> None:
    played.judge(f"came_back {kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_it_refuses_every_message_of_the_sync_lane_for_half_an_hour(played: Played, kind: str) -> None:
    played.judge(f"refused_each_message {kind}")


async def test_it_is_said_in_status_and_nothing_is_lost_by_a_cancel(home: House) -> None:
    home.fault("create", "low_credit", times=None, late=True)
    home.drop("a.jsonl", EIGHT)
    async with at_work(home):
        await until(lambda: any("no credit is left" in told for told in troubles(home)))
        home.server.faults.clear()
    assert_nobody_failed(home, "a")


async def test_an_empty_account_in_the_middle_of_a_batch_keeps_what_was_answered(swift: House) -> None:
    swift.fault("create", "status", status=402, late=True)
    swift.drop("a.jsonl", EIGHT)
    assert await swift.run(api__doubt=900.0)
    assert_nobody_failed(swift, "a")


# Refused whatever is in them, in words that nobody knows

NAP = {"status": 400, "text": "This workspace is taking a nap."}


async def test_both_halves_that_are_refused_alike_park_and_go_on_when_it_is_over(swift: House) -> None:
    swift.fault("create", "status", times=None, ends=30 * MINUTE, **NAP)
    swift.drop("a.jsonl", [f"say {n}" for n in range(64)])
    swift.drop("b.jsonl", OTHERS, max_tokens=100_000, model="claude-opus-4-8")
    assert await swift.run(api__doubt=900.0)
    assert creates(swift) < 10
    assert_nobody_failed(swift, "a", "b")


async def test_two_requests_that_are_refused_alike_fail_neither(swift: House) -> None:
    swift.fault("create", "status", times=None, ends=10 * MINUTE, **NAP)
    swift.drop("a.jsonl", ["one", "two"])
    assert await swift.run(api__doubt=900.0)
    assert creates(swift) < 10
    assert_nobody_failed(swift, "a")


async def test_status_says_in_the_servers_own_words_what_all_are_refused_for(home: House) -> None:
    home.fault("create", "status", times=None, **NAP)
    home.drop("a.jsonl", EIGHT)
    async with at_work(home):
        await until(lambda: any("every batch alike" in told for told in troubles(home)))
        told = next(told for told in troubles(home) if "alike" in told)
        home.server.faults.clear()
    assert told == "the API refuses every batch alike (invalid_request_error): This workspace is taking a nap."


async def test_an_unknown_beta_of_one_job_stops_no_other(swift: House) -> None:
    """The API refuses a beta that it does not know, whatever is in the batch."""
    swift.drop("odd.jsonl", EIGHT, betas=["no_such_beta"])
    swift.drop("well.jsonl", OTHERS)
    async with at_work(swift, api__doubt=900.0):
        await until((swift.outbox / "well" / "job.json").exists)
        await until(lambda: any("no_such_beta" in told for told in troubles(swift)))
        await wish(swift, "odd", "cancel")
    assert_nobody_failed(swift, "well")
    assert swift.job("odd")["state"] == "cancelled"


async def test_a_request_that_is_at_fault_is_found_all_the_same_once_another_batch_was_taken(swift: House) -> None:
    """All of one job are wrong, and those of another are not: the first one's fail, and nobody waits for ever."""
    swift.fault("create", "status", times=3, **NAP)
    swift.drop("a.jsonl", EIGHT)
    async with at_work(swift, api__doubt=900.0):
        await until(lambda: creates(swift) >= 3)
        swift.drop("b.jsonl", ["one"])
    assert_nobody_failed(swift, "a", "b")
