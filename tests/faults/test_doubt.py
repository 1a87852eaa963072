"""A create whose answer does not come: exactly one batch per intent, whatever happened to it."""

import anthropic
import anyio
import pytest

from tests.support.house import KEY, House

pytestmark = pytest.mark.anyio

SURELY_NOT = [
    ("close", {}),
    ("close_late", {}),
    ("status", {"status": 429, "retry_after": 3}),
    ("status", {"status": 429}),
    ("status", {"status": 529}),
    ("status", {"status": 500}),
    ("status", {"status": 503}),
    ("status", {"status": 408}),
    ("detail", {"status": 504}),
    ("html", {"status": 502}),
    ("silence", {"seconds": 0.1}),
]
LANDED = [
    ("reset", {}),
    ("half", {}),
    ("garbled", {}),
    ("status", {"status": 500, "lands": True}),
    ("status", {"status": 529, "lands": True}),
    ("silence", {"seconds": 0.1, "lands": True}),
]


@pytest.mark.parametrize(("kind", "more"), [*SURELY_NOT, *LANDED])
async def test_one_fault_makes_one_batch(home: House, kind: str, more: dict[str, float]) -> None:
    home.fault("create", kind, **more)
    home.drop("a.jsonl", ["one", "two", "three"])
    assert await home.run()
    home.assert_nothing_twice()
    assert len(home.server.ledger.batches()) == 1
    assert home.results("a") == dict.fromkeys(("r0", "r1", "r2"), "succeeded")
    assert home.job("a")["state"] == "done"


async def test_a_batch_that_shows_in_the_list_only_later_is_waited_for(home: House) -> None:
    home.fault("create", "unlisted", seconds=20.0)
    home.fault("create", "reset")
    home.drop("a.jsonl", ["one", "two"])
    assert await home.run()
    home.assert_nothing_twice()


async def test_many_faults_in_a_row(home: House) -> None:
    for kind in ("close", "close_late", "reset"):
        home.fault("create", kind)
    home.fault("create", "status", status=429, retry_after=3)
    for n in range(4):
        home.drop(f"{n}.jsonl", [f"{n} {each}" for each in range(n + 1)])
    assert await home.run(batch__linger=0.0)
    home.assert_nothing_twice()
    for n in range(4):
        assert home.job(f"{n}")["state"] == "done"


async def test_money_trouble_parks_and_fails_nobody(home: House) -> None:
    for kind in ("spend_cap", "spend_limit"):
        home.fault("create", kind)
    home.fault("create", "status", status=401)
    home.fault("create", "status", status=403)
    home.fault("retrieve", "status", status=401)
    home.drop("a.jsonl", ["one", "two"])
    assert await home.run()
    home.assert_nothing_twice()
    assert home.job("a")["requests"]["complete"] == 2


async def another_client_creates(home: House, count: int) -> str:
    """Somebody else's batch, as soon as the daemon has made its call."""
    while not any(call.route == "create" for call in home.server.ledger.calls):  # noqa: ASYNC110  the judge has no bell
        await anyio.sleep(0.005)
    async with anthropic.AsyncAnthropic(base_url=home.server.base_url, api_key=KEY) as client:
        made = await client.messages.batches.create(
            requests=[
                {
                    "custom_id": f"theirs-{n}",
                    "params": {
                        "model": "claude-haiku-4-5",
                        "max_tokens": 50,
                        "messages": [{"role": "user", "content": f"theirs {n}"}],
                    },
                }
                for n in range(count)
            ]
        )
    return made.id


@pytest.mark.parametrize("lands", [True, False])
async def test_anothers_batch_of_equal_count_in_the_same_second_is_left_alone(home: House, *, lands: bool) -> None:
    home.fault("create", "status", status=503, lands=lands)
    home.drop("a.jsonl", ["one", "two"])
    theirs: list[str] = []

    async def other() -> None:
        theirs.append(await another_client_creates(home, 2))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        assert await home.run()
    home.assert_nothing_twice()
    batches = {entry.id: entry for entry in home.server.ledger.batches()}
    assert len(batches) == 2
    assert not batches[theirs[0]].canceled
    assert not batches[theirs[0]].deleted
    assert home.results("a") == {"r0": "succeeded", "r1": "succeeded"}
    assert home.job("a")["batches"] == [name for name in batches if name != theirs[0]]
    assert "theirs" not in (home.outbox / "a" / "results.jsonl").read_text()


async def test_of_several_batches_that_have_ended_the_one_with_our_nonce_is_ours(home: House) -> None:
    home.fault("create", "reset")
    home.fault("list", "status", status=503, times=4, after=1)  # the first one is the baseline
    home.drop("a.jsonl", ["one", "two"])

    async def other() -> None:
        await another_client_creates(home, 2)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        assert await home.run()
    home.assert_nothing_twice()
    assert len(home.server.ledger.batches()) == 2
    assert home.results("a") == {"r0": "succeeded", "r1": "succeeded"}


async def test_a_wrong_request_that_got_past_our_checks_is_found_and_the_others_go_on(home: House) -> None:
    """The API refuses a whole create for one request: the batch is cut in two until it stands alone."""
    home.fault("create", "status", status=400, times=2)
    home.drop("a.jsonl", ["one"])
    home.drop("b.jsonl", ["two"])
    assert not await home.run()
    home.assert_nothing_twice()
    found = sorted((home.job(name)["state"], home.job(name)["requests"]["errored"]) for name in ("a", "b"))
    assert found == [("done", 0), ("failed", 1)]
    assert home.lines("a", "failures.jsonl") or home.lines("b", "failures.jsonl")


@pytest.mark.parametrize("kind", [("html", 413), ("status", 413)])
async def test_too_large_a_batch_is_cut(home: House, kind: tuple[str, int]) -> None:
    home.fault("create", kind[0], status=kind[1], times=2)
    home.drop("a.jsonl", [f"say {n}" for n in range(8)])
    assert await home.run()
    home.assert_nothing_twice()
    assert home.job("a")["requests"]["complete"] == 8
    assert len(home.job("a")["batches"]) == 3
