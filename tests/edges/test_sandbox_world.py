"""The stand-in as a world that is not as it should be: states that last, and what somebody else does."""

import json
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import pytest
from batchd.sandbox import Fault, SandboxSettings
from batchd.sandbox.faults import account

from tests.edges.test_sandbox import BATCHES, Bench, message_of, request, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with running(SandboxSettings(duration=10.0)) as made:
        yield made


def _for_ever(bench: Bench, route: str, kind: str, **more: Any) -> None:
    bench.server.faults.add(Fault(route=route, kind=kind, times=None, **more))


async def _listed(bench: Bench, **query: object) -> list[str]:
    page = (await bench.http.get(BATCHES, params={key: str(value) for key, value in query.items()})).json()
    return [batch["id"] for batch in page["data"]]


async def test_a_state_of_the_world_lasts_from_a_moment_to_another(bench: Bench) -> None:
    _for_ever(bench, "list", "status", status=503, begins=10, ends=20)
    seen = []
    for _ in range(3):
        seen += [(await bench.http.get(BATCHES)).status_code for _ in range(2)]
        bench.clock.time += 10
    assert seen == [200, 200, 503, 503, 200, 200]
    assert bench.server.faults.pending() == []


async def test_what_lasts_and_what_happens_once_meet_in_one_call(bench: Bench) -> None:
    _for_ever(bench, "any", "no_date")
    bench.server.faults.add(Fault(route="list", kind="status", status=529))
    refused, taken = [await bench.http.get(BATCHES) for _ in range(2)]
    assert (refused.status_code, taken.status_code) == (529, 200)
    assert "date" not in refused.headers
    assert "date" not in taken.headers
    assert (await bench.http.delete("/sandbox/faults?kind=no_date")).json() == []


@pytest.mark.parametrize("kind", account.TROUBLES)
async def test_trouble_with_the_account_refuses_every_create(bench: Bench, kind: str) -> None:
    trouble = account.TROUBLES[kind]
    _for_ever(bench, "create", kind)
    for _ in range(2):
        answer = await bench.post({"requests": [request()]})
        assert answer.status_code == trouble.status
        assert message_of(answer) == trouble.message
        assert answer.json()["error"].get("details", {}).get("error_code") == trouble.code
    assert bench.server.ledger.batches() == []


async def test_trouble_with_the_account_comes_as_an_error_of_each_request(bench: Bench) -> None:
    bench.server.faults.add(Fault(route="create", kind="low_credit", late=True))
    batch = await bench.create("one", "two")
    bench.clock.time += 20
    results = await bench.results(batch)
    assert {result["type"] for result in results.values()} == {"errored"}
    assert {result["error"]["error"]["message"] for result in results.values()} == {
        account.TROUBLES["low_credit"].message
    }
    assert not bench.server.ledger.billed()
    with pytest.raises(ValueError, match="late"):
        Fault(route="list", kind="low_credit", late=True)


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("oldest_first", [[0, 1], [2, 3], [4]]),
        ("shuffled", [[3, 4], [1, 2], [0]]),
        ("repeating", [[4, 4, 3, 3], [2, 2, 1, 1], [0, 0]]),
        ("unpaged", [[4, 3], [4, 3], [4, 3]]),
    ],
)
async def test_lists_in_odd_order(bench: Bench, kind: str, order: list[list[int]]) -> None:
    made = [(await bench.create(f"prompt {number}")).id for number in range(5)]
    _for_ever(bench, "list", kind)
    found: list[list[int]] = []
    after: dict[str, str] = {}
    for _ in order:
        page = (await bench.http.get(BATCHES, params={"limit": "2", **after})).json()
        found.append([made.index(batch["id"]) for batch in page["data"]])
        after = {"after_id": page["last_id"]}
    assert found == order


async def test_an_oldest_first_list_pages_backwards_too(bench: Bench) -> None:
    made = [(await bench.create(f"prompt {number}")).id for number in range(4)]
    _for_ever(bench, "list", "oldest_first")
    assert await _listed(bench, limit=2, before_id=made[3]) == made[1:3]


@pytest.mark.parametrize(
    ("kind", "more", "counts"),
    [
        ("no_counts", {}, None),
        ("zero_counts", {}, dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)),
        ("bare", {}, None),
    ],
)
async def test_counts_are_missing(bench: Bench, kind: str, more: dict[str, Any], counts: object) -> None:
    _for_ever(bench, "any", kind, **more)
    made = (await bench.post({"requests": [request()]})).json()
    (listed,) = (await bench.http.get(BATCHES)).json()["data"]
    assert made.get("request_counts") == listed.get("request_counts") == counts


async def test_an_answer_counts_wrong(bench: Bench) -> None:
    _for_ever(bench, "create", "miscounted", at=5)
    assert (await bench.create("one", "two")).request_counts.processing == 7


@pytest.mark.parametrize("ahead", [4, -3])
async def test_clocks_differ(bench: Bench, ahead: int) -> None:
    _for_ever(bench, "any", "date", seconds=ahead)
    answer = await bench.http.get(BATCHES)
    assert parsedate_to_datetime(answer.headers["date"]).timestamp() == bench.clock.time + ahead
    bench.server.faults.clear()
    _for_ever(bench, "any", "created_at", seconds=ahead)
    assert (await bench.create("one")).created_at.timestamp() == bench.clock.time + ahead


async def test_another_organization_answers(bench: Bench) -> None:
    usual = (await bench.http.get(BATCHES)).headers["anthropic-organization-id"]
    _for_ever(bench, "any", "organization", text="another")
    assert (await bench.http.get(BATCHES)).headers["anthropic-organization-id"] == "another" != usual
    _for_ever(bench, "any", "organization")
    assert "anthropic-organization-id" not in (await bench.http.get(BATCHES)).headers


@pytest.mark.parametrize("lines", [0, 3])
async def test_results_are_short_and_end_properly(bench: Bench, lines: int) -> None:
    batch = await bench.create(*(f"prompt {number}" for number in range(5)))
    bench.clock.time += 20
    _for_ever(bench, "results", "short", at=lines, ends=60)
    whole = await bench.http.get(f"{BATCHES}/{batch.id}/results")
    assert whole.content.count(b"\n") == lines
    bench.clock.time += 60
    assert len(await bench.lines(batch)) == 5


async def test_somebody_else_creates_a_batch_of_equal_count_at_the_same_moment(bench: Bench) -> None:
    bench.server.faults.add(Fault(route="create", kind="foreign_batch"))
    ours = await bench.create("one", "two")
    theirs, mine = (await bench.http.get(BATCHES)).json()["data"]
    assert mine["id"] == ours.id
    assert theirs["request_counts"] == mine["request_counts"]
    assert set(bench.server.ledger.accepted().values()) == {1}


async def test_a_create_is_answered_with_somebody_elses_batch(bench: Bench) -> None:
    bench.server.faults.add(Fault(route="create", kind="misdirected", at=5))
    answered = await bench.create("one", "two")
    assert answered.request_counts.processing == 7
    mine, theirs = bench.server.ledger.batches()
    assert (mine.count, theirs.id) == (2, answered.id)


@pytest.mark.parametrize("status", [201, 202, 204, 303])
async def test_a_create_is_answered_with_an_odd_status(bench: Bench, status: int) -> None:
    bench.server.faults.add(Fault(route="create", kind="odd_status", status=status))
    answer = await bench.post({"requests": [request()]})
    assert answer.status_code == status
    assert bool(answer.content) == (status != 204)
    assert ("location" in answer.headers) == (status == 303)
    assert len(bench.server.ledger.batches()) == 1


@pytest.mark.parametrize(
    ("kind", "body"),
    [("detail", {"detail": "no"}), ("flat", {"message": "no", "code": 400}), ("untyped", {"error": {"message": "no"}})],
)
async def test_gateways_word_errors_in_their_own_ways(bench: Bench, kind: str, body: dict[str, object]) -> None:
    bench.server.faults.add(Fault(route="create", kind=kind, status=400, text="no"))
    answer = await bench.post({"requests": [request()]})
    assert (answer.status_code, answer.json()) == (400, body)


async def test_a_download_is_always_cut_at_the_same_place(bench: Bench) -> None:
    batch = await bench.create(*(f"prompt {number}" for number in range(5)))
    bench.clock.time += 20
    _for_ever(bench, "results", "cut", at=3_000)
    for _ in range(2):
        came = b"".join([piece async for piece in _all_that_comes(bench, f"{BATCHES}/{batch.id}/results")])
        assert len(came) == 3_000
        assert json.loads(came.split(b"\n", 1)[0])


async def _all_that_comes(bench: Bench, path: str) -> AsyncIterator[bytes]:
    """What arrives before the connection breaks, as it must."""
    async with bench.http.stream("GET", path) as answer:
        pieces = answer.aiter_bytes()
        while True:
            try:
                yield await anext(pieces)
            except httpx2.TransportError:
                return
