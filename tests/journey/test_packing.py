"""What leaves first, what goes on, and that no look at the queue goes on for ever: the packer over a real store."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import cast

import pytest
from batchd.decisions.batch.plan import Limits
from batchd.edges.clock import Bell, Clock
from batchd.edges.store import DATABASE, Arrival, NewRequest, Store, open_store
from batchd.edges.store.statements import Transaction
from batchd.journey.packer import Budgets, Packer
from batchd.journey.restoring import Restoring
from batchd.journey.sync_sender import SyncSender
from batchd.model import BatchId, Job, JobId, Turn, Waiting
from batchd.running.accounts import Accounts
from batchd.running.retrying import Retrying
from batchd.running.turns import Turns
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
    closed: frozenset[str] = frozenset()

    async def room(self) -> int:
        return 0

    async def adopt(self) -> None:
        return None

    async def could_adopt(self) -> bool:
        return False


@dataclass(frozen=True)
class Folders:
    """The accounts that folders go by, as far as the packer asks."""

    store: Store
    keys: Mapping[str, str]

    @property
    def names(self) -> frozenset[str]:
        return frozenset({"", *self.keys.values()})

    async def of_jobs(self) -> dict[JobId, str]:
        found = await self.store.turns.in_queues(self.keys.keys())
        return {job: self.keys[queue] for job, queue in found.items()}


@dataclass
class Place:
    store: Store
    numbers: Iterator[int]

    async def accept(
        self,
        *worst: int | None,
        budget: int | None = None,
        turn: Turn = Turn(),  # noqa: B008  frozen
        folder: str = "",
    ) -> Job:
        name = f"{folder}job{next(self.numbers)}"
        requests = [NewRequest(f"r{n}", f"r{n}", "m", 100, (), n * 10, 9, each) for n, each in enumerate(worst)]
        return await self.store.arrivals.accept(
            Arrival(name, name, f"{name}.jsonl", 0.0, len(requests), requests, budget=budget, turn=turn)
        )

    def packer(
        self,
        kind: type[Packer] = Packer,
        *,
        max_queued: int = 100,
        budgets: Budgets = Budgets(),  # noqa: B008  frozen
        folders: Mapping[str, Turn] = MappingProxyType({}),
        keys: Mapping[str, str] = MappingProxyType({}),
    ) -> Packer:
        clock, still = CountingClock(), Still()
        self.retrying = Retrying(self.store, Clock(), Bell())
        return kind(
            self.store, clock, LIMITS, max_queued, cast("SyncSender", still), budgets, self.retrying,
            cast("Restoring", still), Turns(self.store, Clock(), folders), cast("Accounts", Folders(self.store, keys)),
        )  # fmt: skip

    async def travelling(self) -> list[int]:
        rows = await self.store.database.rows("SELECT id FROM requests WHERE batch IS NOT NULL ORDER BY id")
        return [int(row["id"]) for row in rows]

    async def change(self, sql: str) -> None:
        async def step(db: Transaction) -> None:
            await db.update(sql, ())

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


async def test_requests_of_a_higher_priority_go_first_whenever_they_came(place: Place) -> None:
    await place.accept(0, turn=Turn(-1))
    await place.accept(0)
    await place.accept(0, folder="legal/")
    await place.accept(0, folder="legal/", turn=Turn(0))
    await place.accept(0, turn=Turn(6))
    order: list[int] = []
    for _ in range(5):
        await place.packer(max_queued=len(order) + 1, folders={"legal": Turn(5)}).pack()
        (new,) = set(await place.travelling()) - set(order)
        order.append(new)
    assert order == [5, 3, 2, 4, 1]


async def test_outside_of_their_hours_requests_wait_and_what_was_planned_does_not_leave(place: Place) -> None:
    now = datetime.now().astimezone()
    closed, still_open = (
        f"{now + timedelta(hours=first):%H:%M}-{now + timedelta(hours=last):%H:%M}" for first, last in ((2, 3), (-1, 2))
    )
    await place.accept(0, folder="legal/")
    await place.accept(0, folder="legal/", turn=Turn(hours=still_open))
    await place.accept(0, turn=Turn(hours=closed))
    await place.accept(0)
    folders = {"legal": Turn(hours=closed)}
    packer = place.packer(folders=folders)
    leaves_in = await packer.pack()
    assert await place.travelling() == [2, 4]
    assert leaves_in is not None
    assert 3600 < leaves_in <= 2 * 3600
    assert not await packer.could_pack()
    batch = BatchId(1)
    assert not await Turns(place.store, Clock(), folders).outside(batch)
    assert await Turns(place.store, Clock(), {"": Turn(hours=closed)}).outside(batch)


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
