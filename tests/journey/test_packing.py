"""What leaves first, what goes on, and that no look at the queue goes on for ever: the packer over a real store."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from batchd.decisions.batch.plan import Limits
from batchd.edges.clock import Bell, Clock
from batchd.edges.store import DATABASE, Arrival, NewRequest, Store, open_store
from batchd.journey.packer import Budgets, Packer
from batchd.journey.restoring import Restoring
from batchd.journey.sync_sender import SyncSender
from batchd.model import Job, Waiting
from batchd.running.retrying import Retrying
from batchd.trouble import packing

pytestmark = pytest.mark.anyio

DOLLAR = 10**12
LIMITS = Limits(max_requests=100, max_bytes=10_000, long_max_requests=2, long_tokens=64_000, linger=0.0)
LOOKS = 50
"""Of one packing, far more than any of these needs."""


class CountingClock(Clock):
    """Each look at the queue asks it once: a packing that comes to no end is told by their number, not by time."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def now(self) -> float:
        self.looks += 1
        if self.looks > LOOKS:
            raise AssertionError("it looks again and again")
        return 1_000.0


class Still:
    """A sync lane without a seat, and no lost life: neither takes part here."""

    under_way = False
    paused: frozenset[str] = frozenset()

    async def room(self) -> int:
        return 0

    async def adopt(self) -> None:
        return None


@dataclass
class Place:
    store: Store
    numbers: Iterator[int]

    async def accept(self, *worst: int | None, budget: int | None = None) -> Job:
        name = f"job{next(self.numbers)}"
        requests = [NewRequest(f"r{n}", f"r{n}", "m", 100, (), n * 10, 9, each) for n, each in enumerate(worst)]
        return await self.store.arrivals.accept(
            Arrival(name, name, f"{name}.jsonl", 0.0, len(requests), requests, budget=budget)
        )

    def packer(self, kind: type[Packer] = Packer, *, max_queued: int = 100, budgets: Budgets = Budgets()) -> Packer:  # noqa: B008  frozen
        clock, still = CountingClock(), Still()
        self.retrying = Retrying(self.store, Clock(), Bell())
        return kind(
            self.store, clock, LIMITS, max_queued, cast("SyncSender", still), budgets, self.retrying,
            cast("Restoring", still),
        )  # fmt: skip

    async def travelling(self) -> list[int]:
        rows = await self.store.database.rows("SELECT id FROM requests WHERE batch IS NOT NULL ORDER BY id")
        return [int(row["id"]) for row in rows]

    async def change(self, sql: str) -> None:
        async def step(db: object) -> None:
            await db.execute(sql)  # type: ignore[attr-defined]  # the connection of a step

        await self.store.database.write(step)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with open_store(tmp_path / DATABASE) as store:
        yield Place(store, count(1))


async def test_where_there_is_no_room_for_all_the_oldest_go_first(place: Place) -> None:
    await place.accept(0, 0)
    await place.accept(0)
    await place.packer(max_queued=2).pack()
    assert await place.travelling() == [1, 2]


async def test_of_a_held_job_nothing_later_goes_before_what_does_not_fit(place: Place) -> None:
    held = await place.accept(DOLLAR, 3 * DOLLAR, DOLLAR, budget=2 * DOLLAR)
    await place.accept(DOLLAR)
    await place.packer().pack()
    assert await place.travelling() == [1, 4]
    assert (await place.store.jobs.get(held.id)).hold is not None


async def test_a_parked_job_is_passed_over_and_keeps_no_other(place: Place) -> None:
    parked = await place.accept(0)
    await place.accept(0)
    packer = place.packer()
    await place.retrying.failed(packing(parked.id, parked.name), KeyError("planted"))
    await packer.pack()
    assert await place.travelling() == [2]


async def test_a_document_that_was_begun_goes_on_although_its_price_is_not_known_and_a_budget_came(
    place: Place,
) -> None:
    await place.accept(None)
    await place.change("UPDATE requests SET promised = 1, round = 1")
    await place.accept(DOLLAR)
    await place.packer(budgets=Budgets(per_day=5 * DOLLAR)).pack()
    assert await place.travelling() == [1, 2]


class Released(Packer):
    """A person releases the job at each look, up to a sum that does not do."""

    async def _afford(self, waiting: list[Waiting], now: float) -> list[Waiting]:
        affordable = await super()._afford(waiting, now)
        for job in {request.job for request in waiting}:
            await self._store.holds.release(job, up_to=1)
        return affordable


async def test_a_job_that_is_released_again_at_every_look_makes_no_look_endless(place: Place) -> None:
    await place.accept(DOLLAR, budget=1)
    await place.packer(Released).pack()
    assert await place.travelling() == []


async def test_a_job_that_arrives_in_slices_travels_in_one_batch(place: Place) -> None:
    requests = [NewRequest(f"r{n}", f"r{n}", "m", 100, (), n * 10, 9, 0) for n in range(3)]
    job = await place.store.arrivals.accept(Arrival("a", "a", "a.jsonl", 999.9, 3, requests[:2]))
    packer = place.packer()
    look_again_in = await packer.pack()
    assert look_again_in is not None
    assert look_again_in > 0
    assert await place.travelling() == []
    await place.store.arrivals.add(job, requests[2:], now=999.9)
    await packer.pack()
    assert [batch.count for batch in await place.store.batches.unfinished()] == [3]
