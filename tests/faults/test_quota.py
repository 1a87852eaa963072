"""Quota, money and keys: whatever the API refuses for them waits, says so, and goes on by itself; no request fails."""

import json
import math
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from batchd.edges.store import DATABASE, open_store

from tests.support.house import House, at_work, house, run_until, until
from tests.support.surroundings import environment

pytestmark = pytest.mark.anyio

ROUTES = ("list", "create", "retrieve", "results")
"""The calls of a batch's way, in their order."""
REFUSALS: dict[str, tuple[str, dict[str, Any], str]] = {
    "the tier's spend cap": ("spend_cap", {}, "spend limit"),
    "the organization's spend limit": ("spend_limit", {}, "spend limit"),
    "a key that is not taken": ("status", {"status": 401}, "does not take the key"),
    "a key without rights": ("status", {"status": 403}, "does not take the key"),
    "an account that cannot pay": ("status", {"status": 402}, "cannot pay"),
}
FOR_GOOD = 10_000
CALM = 50.0
"""Seconds between two tries at the least: a minute, a tenth of it up or down, and what the clock's speed blurs."""


def assert_all_complete(home: House, *names: str) -> None:
    home.assert_nothing_twice()
    for name in names:
        job = home.job(name)
        assert (job["state"], job["requests"]["complete"]) == ("done", job["requests"]["total"])
        assert not (home.outbox / name / "failures.jsonl").exists()


def calls(home: House, *routes: str, status: int | None = None) -> list[float]:
    """When they came."""
    wanted = routes or ROUTES
    return [call.at for call in home.server.ledger.calls if call.route in wanted and status in {None, call.status}]


def gaps(moments: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(moments)]


def troubles(home: House) -> list[str]:
    """What the store says of the batches under way, as `status` reads it."""
    if not (home.state / DATABASE).exists():
        return []
    with closing(sqlite3.connect(home.state / DATABASE)) as database:
        try:
            return [row[0] for row in database.execute("SELECT trouble FROM batches WHERE trouble IS NOT NULL")]
        except sqlite3.OperationalError:
            return []  # it is just being made


def look(home: House, *words: str) -> str:
    places = ("--inbox", str(home.inbox), "--outbox", str(home.outbox), "--state", str(home.state))
    done = subprocess.run(
        [sys.executable, "-m", "batchd", "status", *words, *places],
        cwd=home.place,
        env=environment(home.place),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


# --- 429 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retry_after", [pytest.param(None, marks=pytest.mark.slow), 20.0])
@pytest.mark.parametrize("route", ROUTES)
async def test_a_429_is_waited_for_as_long_as_the_api_asks(home: House, route: str, retry_after: float | None) -> None:
    home.fault(route, "status", status=429, retry_after=retry_after, times=2)
    home.drop("a.jsonl", ["one", "two"])
    assert await home.run()
    assert_all_complete(home, "a")
    refused = calls(home, route, status=429)
    assert len(refused) == 2
    next_try = next(at for at in calls(home, route, status=200) if at > refused[1])
    assert min(gaps([*refused, next_try])) >= (retry_after or 0.8) - 0.5


@pytest.mark.parametrize("nonsense", [math.nan, -5.0, -math.inf])
async def test_a_retry_after_that_means_nothing_is_passed_over(home: House, nonsense: float) -> None:
    home.fault("retrieve", "status", status=429, retry_after=nonsense, times=3)
    home.drop("a.jsonl", ["one"])
    assert await home.run()
    assert_all_complete(home, "a")
    assert min(gaps(calls(home, "retrieve"))) > 0.5


async def test_a_busy_api_delays_a_stop_by_nothing(home: House) -> None:
    home.fault("create", "status", status=429, retry_after=math.inf, times=FOR_GOOD)
    home.drop("a.jsonl", ["one"])
    await run_until(home, lambda: troubles(home))
    assert len(calls(home, "create")) == 1
    home.server.faults.clear()
    assert await home.run()
    assert_all_complete(home, "a")


# --- key and money ----------------------------------------------------------------------------------------------------


QUICK = {
    ("list", "a key without rights"),
    ("create", "the tier's spend cap"),
    ("create", "the organization's spend limit"),
    ("retrieve", "an account that cannot pay"),
    ("results", "a key that is not taken"),
}


@pytest.mark.parametrize(
    ("route", "refusal"),
    [
        pytest.param(*each, marks=() if each in QUICK else pytest.mark.slow)
        for each in ((route, refusal) for route in ROUTES for refusal in REFUSALS)
    ],
)
async def test_a_refused_key_or_payment_parks_the_work_says_so_and_goes_on_by_itself(
    home: House, route: str, refusal: str
) -> None:
    kind, more, said = REFUSALS[refusal]
    home.fault(route, kind, **more)
    home.drop("a.jsonl", ["one", "two"])
    async with at_work(home):
        await until(lambda: troubles(home))
        (told,) = troubles(home)
    assert said in told
    assert "\n" not in told
    assert_all_complete(home, "a")
    (refused,) = (call.at for call in home.server.ledger.calls if call.route == route and call.status != 200)
    next_try = next(at for at in calls(home, route) if at > refused)
    assert next_try - refused > CALM


async def test_status_shows_what_the_work_is_parked_for(home: House) -> None:
    home.fault("create", "spend_limit", times=FOR_GOOD)
    home.drop("a.jsonl", ["one", "two"])
    async with at_work(home):
        await until(lambda: troubles(home))
        table = await to_thread.run_sync(look, home)
        data = json.loads(await to_thread.run_sync(look, home, "--json"))
        home.server.faults.clear()
    (line,) = [line for line in table.splitlines() if line.startswith("!")]
    assert "planned" in line
    assert "the spend limit is reached" in line
    assert "spend limit" in data["batches"][0]["trouble"]
    assert data["jobs"][0]["requests"]["errored"] == 0
    assert_all_complete(home, "a")


async def test_one_of_many_parked_batches_asks_at_a_calm_pace_and_all_go_on_at_once(tmp_path: Path) -> None:
    async with house(tmp_path, speed=200.0) as home:
        for route in ("create", "list"):
            home.fault(route, "status", status=401, times=FOR_GOOD)
        for number in range(8):
            home.drop(f"{number}.jsonl", [f"one of {number}"])
        async with at_work(home, batch__max_requests=1, batch__linger=0.0, api__doubt=900.0):
            await until(lambda: len(troubles(home)) == 8)
            began = home.clock.now()
            await until(lambda: len([at for at in calls(home, "list", "create") if at > began]) >= 3)
            asked = [at for at in calls(home, "list", "create") if at > began]
            assert len(asked) <= 1 + (home.clock.now() - began) / CALM
            home.server.faults.clear()
        assert_all_complete(home, *(f"{number}" for number in range(8)))


async def test_a_job_that_is_cancelled_while_it_is_parked_is_never_sent(home: House) -> None:
    home.fault("create", "spend_cap", times=FOR_GOOD)
    home.drop("a.jsonl", ["one", "two"])
    async with at_work(home):
        await until(lambda: troubles(home))
        async with open_store(home.state / DATABASE) as store:
            job = await store.jobs.named("a")
            assert job is not None
            await store.jobs.cancel(job.id)
        tried = len(calls(home, "create"))
    assert home.job("a")["state"] == "cancelled"
    assert home.accepted() == {}
    assert len(calls(home, "create")) == tried


@pytest.mark.parametrize("route", ["list", "retrieve"])
async def test_a_key_that_was_changed_in_the_middle_of_the_night_is_taken_at_the_next_start(
    home: House, route: str
) -> None:
    home.fault(route, "status", status=401, times=FOR_GOOD)
    home.drop("a.jsonl", ["one", "two"])
    await run_until(home, lambda: troubles(home))
    home.server.faults.clear()
    home.key = "sk-ant-another-key"
    assert await home.run()
    assert_all_complete(home, "a")


# --- our own limits ---------------------------------------------------------------------------------------------------


async def test_all_calls_together_stay_below_the_requests_a_minute_that_the_api_grants(tmp_path: Path) -> None:
    async with house(tmp_path, requests_per_minute=30) as home:
        for number in range(15):
            home.drop(f"{number}.jsonl", [f"one of {number}"])
        assert await home.run(api__requests_per_minute=30, batch__max_requests=1)
        assert len(calls(home)) >= 60
        assert calls(home, status=429) == []
        assert_all_complete(home, *(f"{number}" for number in range(15)))


async def test_no_more_requests_are_queued_than_the_api_grants(tmp_path: Path) -> None:
    async with house(tmp_path, max_queued_requests=10) as home:
        home.drop("a.jsonl", [f"say {number}" for number in range(35)])
        assert await home.run(api__max_queued_requests=10, batch__max_requests=4)
        assert calls(home, status=429) == []
        assert_all_complete(home, "a")


@pytest.mark.slow
async def test_a_queue_that_others_have_filled_is_waited_for(tmp_path: Path) -> None:
    async with house(tmp_path, max_queued_requests=6) as home:
        home.drop("a.jsonl", [f"say {number}" for number in range(20)])
        assert await home.run(batch__max_requests=4)
        assert calls(home, "create", status=429)
        assert_all_complete(home, "a")
