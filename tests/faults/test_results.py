"""Results that come cut, doubled, garbled, foreign or not at all: every request is delivered once."""

import pytest

from tests.support.house import House

pytestmark = pytest.mark.anyio

ALL = dict.fromkeys((f"r{n}" for n in range(6)), "succeeded")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("cut", {"at": 0}),
        ("cut", {"at": 1}),
        ("cut", {"at": 2_500}),
        ("cut", {"at": 3_000, "times": 3}),
        ("slow", {"seconds": 0.2}),
        ("blank_lines", {}),
        ("crlf", {}),
        ("missing", {"at": 2}),
        ("missing", {"at": 0, "times": 2}),
        ("duplicate", {"at": 3}),
        ("foreign", {"at": 0}),
        ("foreign", {"at": 4}),
        ("malformed", {"at": 0}),
        ("malformed", {"at": 5, "times": 2}),
        ("status", {"status": 404}),
        ("status", {"status": 404, "times": 4}),
        ("status", {"status": 503, "times": 2}),
    ],
)
async def test_a_spoiled_stream_is_read_again_and_nothing_is_doubled(
    home: House, kind: str, more: dict[str, int]
) -> None:
    home.fault("results", kind, **more)
    home.drop("a.jsonl", [f"say {n}" for n in range(6)])
    assert await home.run()
    home.assert_nothing_twice()
    assert home.results("a") == ALL
    assert len(home.lines("a", "report.jsonl")) == 6


@pytest.mark.parametrize("kind", ["relative_url", "absent_url", "sparse"])
async def test_gateways_leave_things_out(home: House, kind: str) -> None:
    for route in ("create", "retrieve"):
        home.fault(route, kind, times=100)
    home.drop("a.jsonl", [f"say {n}" for n in range(6)])
    assert await home.run()
    assert home.results("a") == ALL


async def test_an_unknown_type_of_result_is_told_and_not_taken_for_success(home: House) -> None:
    home.fault("results", "unknown_type", at=0)
    home.drop("a.jsonl", [f"say {n}" for n in range(6)])
    assert not await home.run()
    assert home.job("a")["requests"]["errored"] == 1


async def test_what_may_be_sent_again_is_and_what_may_not_is_not(home: House) -> None:
    home.drop(
        "a.jsonl",
        [
            "[sandbox: fail overloaded_error 1] one",
            "[sandbox: fail api_error 2] two",
            "[sandbox: fail rate_limit_error 9] three",
            "[sandbox: fail invalid_request_error 1] four",
            "[sandbox: expire] five",
            "[sandbox: truncate] six",
            "[sandbox: refuse] seven",
            "[sandbox: pause] eight",
            "[sandbox: stop something_new] nine",
            "[sandbox: blocks 3] ten",
        ],
    )
    assert not await home.run()
    report = {row["custom_id"]: (row["verdict"], row["attempts"]) for row in home.lines("a", "report.jsonl")}
    assert report == {
        "r0": ("complete", 2),
        "r1": ("complete", 3),
        "r2": ("errored", 3),
        "r3": ("errored", 1),
        "r4": ("expired", 3),
        "r5": ("truncated", 1),
        "r6": ("refused", 1),
        "r7": ("paused", 1),
        "r8": ("paused", 1),
        "r9": ("complete", 1),
    }
    job = home.job("a")
    assert job["requests"] == {
        "total": 10,
        "complete": 3,
        "incomplete": 4,
        "errored": 2,
        "expired": 1,
        "canceled": 0,
        "rejected": 0,
    }
    assert set(home.results("a")) == {f"r{n}" for n in range(10)}
    assert {row["custom_id"] for row in home.lines("a", "failures.jsonl")} == {f"r{n}" for n in range(2, 9)}
    assert job["usage"]["output_tokens"] == home.server.ledger.usage()["output_tokens"]
    assert max(home.server.ledger.billed().values()) == 1


async def test_failures_can_be_dropped_again_as_they_are(home: House) -> None:
    home.drop("a.jsonl", ["[sandbox: fail overloaded_error 3] one", "two"])
    assert not await home.run()
    (home.outbox / "a" / "failures.jsonl").rename(home.inbox / "again.jsonl")
    assert await home.run()
    assert home.results("again") == {"r0": "succeeded"}


async def test_a_results_url_of_another_origin_is_never_fetched(home: House) -> None:
    home.fault("retrieve", "foreign_url", times=100)
    home.drop("a.jsonl", ["one"])
    assert await home.run(seconds=30)
    assert home.results("a") == {"r0": "succeeded"}


async def test_results_that_carry_other_ids_once_are_read_again(home: House) -> None:
    home.fault("results", "foreign_all")
    home.drop("a.jsonl", ["one"])
    assert await home.run()
    assert len(home.server.ledger.batches()) == 1
