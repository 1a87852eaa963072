"""Every verb of a batch: from which states it goes, what it sets, and what it clears, on a real database."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from batchd.claude.batch_body import new_nonce
from batchd.decisions.batch.plan import halves
from batchd.edges.store import Arrival, NewRequest, Stale, Store, open_store
from batchd.lifecycle import CARRIES, OPTIONAL, STEPS, State
from batchd.model import Batch, Counts, Evidence, Intent, Plan, RemoteBatch, RemoteId

pytestmark = pytest.mark.anyio

INTENT = Intent(2, RemoteId("m0"), 5.0, "https://api", "org")
ENDED = RemoteBatch(RemoteId("m1"), "ended", Counts(succeeded=2), 6.0, ended_at=8.0, results_url="/r")
TWIN = RemoteBatch(RemoteId("m2"), "ended", Counts(succeeded=2), 6.0, ended_at=7.0, results_url="/t")

Verb = Callable[[Store, Batch], Awaitable[Batch]]
VERBS: dict[str, tuple[frozenset[State], State, Verb]] = {
    "intend": (frozenset({State.PLANNED}), State.INTENDED, lambda s, b: s.batches.intend(b, INTENT)),
    "adopt": (
        frozenset({State.INTENDED, State.HELD}),
        State.PROCESSING,
        lambda s, b: s.batches.adopt(b, RemoteId("m9"), Evidence.COUNT, now=6.0, next_poll_at=7.0, expires_at=9.0),
    ),
    "answered": (
        frozenset({State.INTENDED}),
        State.ENDED,
        lambda s, b: s.batches.answered(b, RemoteId("m9"), now=7.0),
    ),
    "not_created": (frozenset({State.INTENDED}), State.PLANNED, lambda s, b: s.batches.not_created(b)),
    "give_up_looking": (
        frozenset({State.INTENDED}),
        State.PLANNED,
        lambda s, b: s.batches.give_up_looking(b),
    ),
    "end": (frozenset({State.PROCESSING}), State.ENDED, lambda s, b: s.batches.end(b, ENDED)),
    "exchange": (frozenset({State.PROCESSING}), State.ENDED, lambda s, b: s.batches.exchange(b, TWIN)),
    "settle": (frozenset({State.ENDED}), State.SETTLED, lambda s, b: s.batches.settle(b)),
    "give_back": (frozenset({State.ENDED}), State.INTENDED, lambda s, b: s.batches.give_back(b)),
    "hold": (
        frozenset({State.INTENDED, State.PROCESSING, State.ENDED}),
        State.HELD,
        lambda s, b: s.batches.hold(b, "why"),
    ),
    "dissolve": (frozenset({State.PLANNED}), State.DISSOLVED, lambda s, b: s.batches.dissolve(b)),
    "part": (
        frozenset({State.INTENDED}),
        State.DISSOLVED,
        lambda s, b: s.batches.part(b, halves(b.count)),
    ),
    "refuse": (frozenset({State.INTENDED}), State.DISSOLVED, lambda s, b: s.batches.refuse(b, "no")),
    "ask_again": (frozenset({State.HELD}), State.PROCESSING, lambda s, b: s.resolutions.ask_again(b, now=9.0)),
    "send_again": (frozenset({State.HELD}), State.PLANNED, lambda s, b: s.resolutions.send_again(b)),
    "send_rest_again": (
        frozenset({State.HELD}),
        State.SETTLED,
        lambda s, b: s.resolutions.send_rest_again(b, now=9.0),
    ),
    "drop": (frozenset({State.HELD}), State.SETTLED, lambda s, b: s.resolutions.drop(b, "dropped")),
}
"""From which states each verb goes, and where to."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "batchd.sqlite") as opened:
        yield opened


async def planned(store: Store) -> Batch:
    requests = [NewRequest(f"r{n}", f"r{n}", "claude-haiku-4-5", 100, (), n * 10, 9) for n in range(2)]
    await store.arrivals.accept(Arrival(claim="c", name="a", source="a", received_at=1.0, total=2, requests=requests))
    waiting = await store.queue.waiting(9)
    await store.batches.plan([Plan(tuple(each.id for each in waiting), (), 18)], now=2.0, nonce=new_nonce)
    (batch,) = await store.batches.unfinished()
    return batch


async def brought_to(store: Store, state: State) -> Batch:
    """A batch that has come to a state with all that it can carry there."""
    batch = await planned(store)
    if state is State.PLANNED:
        return await store.batches.tell(batch, "trouble")
    if state is State.DISSOLVED:
        return await store.batches.dissolve(batch)
    batch = await store.batches.doubt(await store.batches.intend(batch, INTENT), since=6.0)
    return batch if state is State.INTENDED else await brought_beyond(store, batch, state)


async def brought_beyond(store: Store, batch: Batch, state: State) -> Batch:
    batch = await store.batches.adopt(batch, RemoteId("m1"), Evidence.COUNT, now=6.0, next_poll_at=7.0, expires_at=9.0)
    batch = await store.batches.tell_twin(batch, RemoteId("m3"))
    batch = await store.batches.cancelled(batch, at=6.5, next_poll_at=7.5)
    if state is State.PROCESSING:
        return batch
    batch = await store.batches.end(batch, ENDED)
    if state is State.HELD:
        return await store.batches.hold(batch, "why")
    return await store.batches.settle(batch) if state is State.SETTLED else batch


def carried(folder: Path, batch: Batch) -> set[str]:
    """The optional columns that its row has."""
    with closing(sqlite3.connect(folder / "batchd.sqlite")) as raw:
        raw.row_factory = sqlite3.Row
        row = raw.execute("SELECT * FROM batches WHERE id = ?", (batch.id,)).fetchone()
    return {column for column in OPTIONAL if row[column] is not None}


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("state", State)
async def test_a_verb_goes_from_its_states_only_and_leaves_what_the_new_state_carries(
    store: Store, tmp_path: Path, name: str, state: State
) -> None:
    before = await brought_to(store, state)
    froms, to, verb = VERBS[name]
    if state not in froms:
        with pytest.raises(ValueError, match="never becomes"):
            await verb(store, before)
        assert await store.batches.get(before.id) == before
        return
    assert to in STEPS[state]
    after = await verb(store, before)
    assert after.state is to
    assert after == await store.batches.get(before.id)
    assert carried(tmp_path, after) <= CARRIES[to]
    if to is State.PLANNED:
        assert (after.doubted_at, after.trouble) == (None, None)
    with pytest.raises(Stale):
        await verb(store, before)


@pytest.mark.parametrize("state", State)
async def test_what_a_state_does_not_carry_the_database_refuses(store: Store, tmp_path: Path, state: State) -> None:
    batch = await brought_to(store, state)
    with sqlite3.connect(tmp_path / "batchd.sqlite", isolation_level=None) as raw:
        for column in sorted(OPTIONAL - CARRIES[state]):
            value = "count" if column == "evidence" else "x" if column in {"remote_id", "results_url"} else 1.0
            with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
                raw.execute(f"UPDATE batches SET {column} = ? WHERE id = ?", (value, batch.id))  # noqa: S608  our own
    raw.close()


async def test_a_give_back_leaves_nothing_of_the_stranger_and_knows_it(store: Store, tmp_path: Path) -> None:
    given = await store.batches.give_back(await brought_to(store, State.ENDED))
    assert carried(tmp_path, given) == {"baseline_id", "baseline_time", "origin", "organization", "twin"}
    assert await store.remotes.disproved(given.id) == {"m1"}


async def test_what_was_refused_goes_on_in_halves(store: Store) -> None:
    await store.batches.part(await brought_to(store, State.INTENDED), halves(2))
    assert [each.cohort for each in await store.queue.waiting(9)] == ["batch 1 a", "batch 1 b"]


async def test_a_sending_is_counted_with_each_trip_and_named_by_it(store: Store) -> None:
    first = await brought_to(store, State.HELD)
    (row, _) = await store.trips.body(first.id)
    await store.resolutions.send_rest_again(first, now=9.0)
    waiting = await store.queue.waiting(9)
    await store.batches.plan([Plan(tuple(each.id for each in waiting), (), 18)], now=10.0, nonce=new_nonce)
    (second,) = await store.batches.unfinished()
    (again, _) = await store.trips.body(second.id)
    assert (row.sending.request, row.sending.number) == (again.sending.request, again.sending.number - 1)
    assert await store.trips.rows_of(first.id, [row.sending, again.sending]) == {row.sending: 0}
