"""A create whose answer does not come: exactly one batch per intent, whatever happened to it."""

import json
from pathlib import Path

import anthropic
import anyio
import pytest
from batchd.claude import batch_body
from batchd.edges.spool import Body
from batchd.edges.store import DATABASE, open_store
from batchd.journey.sender import Sender
from batchd.model import Batch, BatchId, Sending

from tests.faults.test_wishes import wish
from tests.support.house import KEY, House, at_work, house, run_until, until

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


async def test_money_trouble_parks_and_fails_nobody(tmp_path: Path) -> None:
    async with house(tmp_path, speed=400.0) as home:
        for kind in ("spend_cap", "spend_limit"):
            home.fault("create", kind)
        home.fault("create", "status", status=401)
        home.fault("create", "status", status=403)
        home.fault("retrieve", "status", status=401)
        home.drop("a.jsonl", ["one", "two"])
        assert await home.run(api__doubt=900.0)
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


@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
async def test_of_several_batches_that_have_ended_the_one_with_our_nonce_is_ours(home: House, order: str) -> None:
    if order == "oldest_first":
        home.fault("list", order, times=None)
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
    for said in ("requests.0.params: what is this?", "requests.1.params: and this?"):
        home.fault("create", "status", status=400, text=said)
    home.drop("a.jsonl", ["one"])
    home.drop("b.jsonl", ["two"])
    assert not await home.run(batch__linger=40.0)  # so that they surely travel together
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


# --- worlds that are not as they should be ----------------------------------------------------------------------------


def lists(home: House) -> int:
    return sum(call.route == "list" for call in home.server.ledger.calls)


def creates(home: House) -> int:
    return sum(call.route == "create" for call in home.server.ledger.calls)


async def test_batches_of_one_count_wait_for_each_other_without_asking_the_api(home: House) -> None:
    """It was a loop once: 12,388 lists for 101 creates, each with the body read through."""
    home.fault("create", "silence", seconds=0.5)
    for n in range(8):
        home.drop(f"{n}.jsonl", [f"say {n}"])
    assert await home.run(batch__linger=0.0, batch__max_requests=1)
    home.assert_nothing_twice()
    looks = lists(home) - creates(home)
    assert looks <= 20, f"{lists(home)} lists for {creates(home)} creates"


@pytest.mark.parametrize(
    "world",
    [
        {"kind": "date", "route": "any", "seconds": 4.0},
        {"kind": "date", "route": "any", "seconds": 300.0},
        {"kind": "date", "route": "any", "seconds": -300.0},
        {"kind": "no_date", "route": "any"},
        {"kind": "created_at", "route": "any", "seconds": -200.0},
        {"kind": "no_counts", "route": "list"},
        {"kind": "zero_counts", "route": "list"},
        {"kind": "oldest_first", "route": "list"},
        {"kind": "shuffled", "route": "list"},
        {"kind": "repeating", "route": "list"},
        {"kind": "unpaged", "route": "list"},
    ],
    ids=lambda world: f"{world['kind']} {world.get('seconds', '')}".strip(),
)
async def test_in_an_odd_world_an_unanswered_create_is_found_all_the_same(
    home: House, world: dict[str, object]
) -> None:
    home.drop("first.jsonl", ["before", "all", "this"])
    assert await home.run()
    route, kind = str(world["route"]), str(world["kind"])
    home.fault(route, kind, times=None, seconds=float(str(world.get("seconds", 0.0))))
    home.fault("create", "reset")
    home.drop("a.jsonl", ["one", "two"])
    assert await home.run()
    home.assert_nothing_twice()
    assert len(home.server.ledger.batches()) == 2
    assert home.job("a")["state"] == "done"


async def test_a_redirect_after_a_create_is_doubt(home: House) -> None:
    home.fault("create", "odd_status", status=303)
    home.drop("a.jsonl", ["one", "two"])
    assert await home.run()
    home.assert_nothing_twice()
    assert len(home.server.ledger.batches()) == 1


async def test_an_answer_that_names_anothers_batch_is_doubt_and_that_batch_is_left_alone(home: House) -> None:
    home.fault("create", "misdirected", at=5)
    home.drop("a.jsonl", ["one", "two"])
    assert await home.run()
    home.assert_nothing_twice()
    assert home.results("a") == {"r0": "succeeded", "r1": "succeeded"}
    theirs = [entry for entry in home.server.ledger.batches() if entry.id not in home.job("a")["batches"]]
    assert len(theirs) == 1
    assert not theirs[0].canceled


async def test_where_the_key_is_of_another_organization_the_create_is_left_to_a_person(home: House) -> None:
    home.fault("create", "reset")
    home.fault("list", "organization", times=None, after=1, text="another")
    home.drop("a.jsonl", ["one", "two"])
    assert not await home.run()
    assert creates(home) == 1
    told = json.loads((home.outbox / "a" / "held.json").read_text())
    assert "organization" in told["reason"]
    assert len(told["batches"][0]["answers"]) == 3


async def test_where_the_baseline_is_not_known_any_more_nothing_is_sent_again(home: House) -> None:
    home.drop("first.jsonl", ["before"])
    assert await home.run()
    home.fault("create", "close")
    home.fault("list", "status", status=503, after=1)
    home.drop("a.jsonl", ["one", "two"])

    async def delete() -> None:
        while creates(home) < 2:  # noqa: ASYNC110  the judge has no bell
            await anyio.sleep(0.005)
        async with anthropic.AsyncAnthropic(base_url=home.server.base_url, api_key=KEY) as client:
            await client.messages.batches.delete(home.job("first")["batches"][0])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(delete)
        assert not await home.run(api__doubt=8.0)
    assert creates(home) == 2
    assert "does not know" in json.loads((home.outbox / "a" / "held.json").read_text())["reason"]


async def test_a_late_first_attempt_is_told_and_its_results_are_taken(home: House) -> None:
    """What shows only after `doubt` is beyond the promise; but it is noticed, and the later attempt is stopped."""
    home.fault("create", "unlisted", seconds=60.0, times=None)
    home.fault("create", "reset")
    home.drop("a.jsonl", ["one [sandbox: take 80]", "two"])
    assert await home.run(poll__initial=5.0, poll__max=5.0)
    first, second = home.server.ledger.batches()
    assert home.results("a") == {"r0": "succeeded", "r1": "succeeded"}
    assert sorted(home.job("a")["batches"]) == sorted((first.id, second.id))
    assert not first.canceled
    async with open_store(home.state / DATABASE) as store:
        batch = await store.batches.get(BatchId(1))
    assert (batch.remote_id, batch.twin) == (first.id, second.id)
    assert second.id in (batch.trouble or "")


async def test_a_late_batch_of_one_that_was_dissolved_meanwhile_is_told(home: House) -> None:
    """A job of it was cancelled after its first attempt was given up: the other's request travels in a new batch."""
    home.fault("create", "unlisted", seconds=60.0, times=None)
    home.fault("create", "reset")
    home.drop("a.jsonl", ["one"])
    home.drop("b.jsonl", ["two [sandbox: take 80]"])
    async with at_work(home, batch__linger=40.0, poll__initial=5.0, poll__max=5.0):
        await until(lambda: creates(home))
        await wish(home, "a", "cancel")
    late, second = home.server.ledger.batches()
    assert (late.count, second.count) == (2, 1)
    assert home.results("b") == {"r0": "succeeded"}
    assert sorted(home.job("b")["batches"]) == sorted((late.id, second.id))
    async with open_store(home.state / DATABASE) as store:
        batches = [await store.batches.get(BatchId(number)) for number in (1, 2)]
    assert [batch.twin for batch in batches] == [late.id, late.id]
    assert late.id in (batches[1].trouble or "")


async def test_a_batch_of_version_one_under_way_is_known_by_its_old_ids(home: House) -> None:
    """Its custom_ids are nonce and row; they stay good for a batch that was sent with them."""
    home.drop("a.jsonl", ["one [sandbox: take 10]", "two"])
    nonces: list[str] = []
    honest = Sender._body  # noqa: SLF001  its bytes are what differs

    async def body(self: Sender, batch: Batch) -> Body:
        nonces.append(batch.nonce)
        return await honest(self, batch)

    def of_version_one(_: str, sending: Sending) -> str:
        return batch_body.row_id(nonces[-1], 1, sending.request - 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sender, "_body", body)
        patch.setattr(batch_body, "wire_id", of_version_one)
        await run_until(home, home.server.ledger.batches)
    assert await home.run()
    home.assert_nothing_twice()
    assert home.results("a") == {"r0": "succeeded", "r1": "succeeded"}


async def test_a_retry_that_is_cancelled_before_it_begins_sends_nothing(home: House) -> None:
    home.drop("a.jsonl", ["[sandbox: fail invalid_request_error 1]"])
    assert not await home.run()
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named("a")
        assert job is not None
        await store.retries.want(job.id)
        await store.jobs.cancel(job.id)
    assert not await home.run()
    assert creates(home) == 1
    assert home.job("a")["state"] == "cancelled"
