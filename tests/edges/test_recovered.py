"""What was sent in a lost life is adopted, and never sent again, whenever its request comes to wait."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from batchd.claude.batch_body import new_nonce
from batchd.edges.store import Arrival, NewRequest, Store, open_store
from batchd.edges.store.statements import Transaction, update
from batchd.model import BatchId, Counts, Plan, RemoteBatch, RemoteId, RequestId, Sending

pytestmark = pytest.mark.anyio

FIRST, SECOND = RequestId(1), RequestId(2)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "batchd.sqlite") as opened:
        requests = [NewRequest(f"r{n}", f"r{n}", "claude-haiku-4-5", 100, (), n * 10, 9) for n in range(2)]
        await opened.arrivals.accept(
            Arrival(claim="claim", name="a", source="a.jsonl", received_at=1.0, total=2, requests=requests)
        )
        yield opened


async def waiting(store: Store) -> list[RequestId]:
    return [request.id for request in await store.queue.waiting(10)]


async def come_back(store: Store) -> None:
    async def step(db: Transaction) -> None:
        await update(db, "UPDATE trips SET outcome = 'errored' WHERE request = 1")
        await update(db, "UPDATE requests SET batch = NULL WHERE id = 1")

    await store.database.write(step)


async def found(store: Store, *sendings: Sending) -> None:
    remote = RemoteBatch(RemoteId("msgbatch_lost"), "ended", Counts(succeeded=len(sendings)), 2.0)
    await store.recovered.keep(remote, sendings, "")


async def test_what_was_sent_in_a_lost_life_waits_for_no_trip_but_its_own(store: Store) -> None:
    await found(store, Sending(FIRST, 1))
    assert await waiting(store) == [SECOND]
    assert await store.recovered.adopt(new_nonce) == 1
    assert await store.trips.rows_of(BatchId(1), [Sending(FIRST, 1)]) == {Sending(FIRST, 1): 0}
    assert await waiting(store) == [SECOND]


async def test_a_request_that_comes_back_while_others_are_packed_is_not_sent_again(store: Store) -> None:
    """Its first sending is delivered, and is to be repeated: in the lost life it was."""
    await store.batches.plan([Plan((FIRST,), (), 9)], now=2.0, nonce=new_nonce)
    await found(store, Sending(FIRST, 2))
    await store.recovered.adopt(new_nonce)
    await come_back(store)
    assert await waiting(store) == [SECOND]
    assert await store.recovered.adopt(new_nonce) == 1


async def test_what_was_adopted_and_comes_back_once_more_is_sent_as_ever(store: Store) -> None:
    await found(store, Sending(FIRST, 1))
    await store.recovered.adopt(new_nonce)
    await come_back(store)
    assert await waiting(store) == [FIRST, SECOND]
