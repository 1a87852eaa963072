"""Thousands of submissions under heavy faults on a virtual clock, carried by the real Courier.

Simulated are the world's sides: the API with its list, other clients, lost answers, kills, and the store (a table in
memory that keeps the same rules). Everything that decides is the code that runs in production.

    python -m tests.faults.simulation [--minutes 8] [--seed 1]
"""

import argparse
import logging
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import cast

import anyio
import structlog
from batchd.claude.batch_body import new_nonce, sending_of, wire_id
from batchd.decisions.batch.backoff import Backoff
from batchd.edges.api import Api
from batchd.edges.api.responses import Page
from batchd.edges.clock import Bell
from batchd.edges.spool import Body
from batchd.edges.store import Batches, CountTaken, Stale, Store
from batchd.errors import Gone, InDoubt, Unavailable
from batchd.journey.courier import Courier
from batchd.journey.finder import Finder
from batchd.journey.poller import Poller
from batchd.journey.sender import Sender
from batchd.lifecycle import CARRIES, OPTIONAL, State, may_follow
from batchd.model import Batch, BatchId, Counts, Evidence, Intent, Lane, RemoteBatch, RemoteId, RequestId, Sending
from batchd.running.counts import Counts as CountsInFlight
from batchd.running.departure import Departure
from batchd.running.life import LifeLine
from batchd.running.retrying import Retrying
from batchd.running.wakeups import Legs, Wakeups
from batchd.trouble import Trouble

from tests.support.virtual import VirtualClock

DOUBT = 900.0
TAG = "0123456789abcdef0123"
BATCHES_A_WORLD = 8


@dataclass(slots=True)
class Made:
    """A batch at the simulated API."""

    id: RemoteId
    count: int
    created_at: float
    ends_at: float
    visible_at: float
    batch: BatchId | None
    """Whose create made it; None: somebody else's."""
    deleted: bool = False


@dataclass(slots=True)
class Tally:
    """What came of many worlds."""

    histories: int = 0
    submissions: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    lost: int = 0
    wrongly_adopted: int = 0
    held: int = 0
    slowest: float = 0.0
    """Simulated seconds until the last batch of a world was in."""


async def at_any_hour(_: BatchId) -> bool:
    """Nothing waits for its hours."""
    return False


@dataclass(frozen=True)
class OneAccount:
    """All batches go by one key, which stays what it is."""

    calls: Api

    @property
    def names(self) -> frozenset[str]:
        return frozenset({""})

    def api(self, account: str) -> Api:
        assert account == ""
        return self.calls

    async def changed(self, batch: Batch) -> bool:
        return batch.account != ""

    async def renew(self, account: str) -> bool:
        return account != ""


class World:
    """The API and the store of one history."""

    def __init__(self, luck: random.Random, clock: VirtualClock, tally: Tally) -> None:
        self.luck = luck
        self.clock = clock
        self.tally = tally
        self.made: list[Made] = []
        self.batches: dict[BatchId, Batch] = {}
        self.disproofs: dict[BatchId, set[RemoteId]] = {}
        self.order = luck.choices(["newest first", "oldest first", "repeating"], [8, 1, 1])[0]
        self.ahead = luck.choice([0.0, 0.0, 4.0, 300.0])
        """Seconds by which the `Date` of an answer is ahead of what batches are stamped with."""
        self.counts_while_running = luck.random() < 0.8
        self.kill: Callable[[], None] = lambda: None

    # the API, as `Api` shows it

    def server_time(self) -> float:
        return float(int(self.clock.now() + self.ahead))

    @property
    def origin(self) -> str:
        return "https://api.test"

    def add(self, count: int, batch: BatchId | None) -> Made:
        now = self.clock.now()
        late = self.luck.random() < 0.2
        made = Made(
            id=RemoteId(f"msgbatch_{len(self.made):06}"),
            count=count,
            created_at=now,
            ends_at=now + self.luck.choice([5.0, 60.0, 400.0, 3_000.0]),
            visible_at=now + (self.luck.uniform(0, DOUBT * 0.9) if late else 0.0),
            batch=batch,
        )
        self.made.append(made)
        return made

    def seen(self, made: Made) -> RemoteBatch:
        ended = self.clock.now() >= made.ends_at
        running = Counts(processing=made.count) if self.counts_while_running else Counts()
        counts = Counts(succeeded=made.count) if ended else running
        return RemoteBatch(
            made.id, "ended" if ended else "in_progress", counts, made.created_at, server_time=self.server_time()
        )

    async def latency(self) -> None:
        await self.clock.sleep(self.luck.uniform(0.01, 3.0))
        if self.luck.random() < 0.004:
            self.tally.faults["kill"] += 1
            self.kill()
            await anyio.lowlevel.checkpoint()

    async def create(
        self,
        body: AsyncIterable[bytes],
        length: int,
        betas: tuple[str, ...],
        *,
        deadline: float,
        version: str | None = None,
    ) -> RemoteBatch:
        del length, betas, version
        if self.clock.now() > deadline:
            raise Unavailable("late")
        text = b"".join([piece async for piece in body]).decode()
        batch, count = map(int, text.split("|"))
        self.tally.submissions += 1
        fault = self.luck.choices(
            ["none", "unreachable", "busy", "lost before", "lost after", "kill after"], [4, 1, 1, 2, 2, 1]
        )[0]
        self.tally.faults[fault] += 1
        await self.latency()
        if self.luck.random() < 0.3:
            self.add(self.luck.choice([count, count, 3]), None)
        if fault in {"unreachable", "busy"}:
            raise Unavailable(fault)
        if fault == "lost before":
            raise InDoubt(fault)
        made = self.add(count, BatchId(batch))
        if fault == "kill after":
            self.kill()
        await self.latency()
        if fault == "lost after":
            raise InDoubt(fault)
        return self.seen(made)

    async def page(self, *, limit: int, after: RemoteId | None = None) -> Page:
        await self.latency()
        self.sometimes_away()
        listing = self.listing()
        begin = next((place + 1 for place, remote in enumerate(listing) if remote.id == after), 0)
        found = listing[begin : begin + min(limit, 5)]
        more = begin + len(found) < len(listing)
        return Page(found, found[-1].id if more else None, self.server_time())

    def listing(self) -> list[RemoteBatch]:
        now = self.clock.now()
        found = [self.seen(made) for made in reversed(self.made) if made.visible_at <= now and not made.deleted]
        match self.order:
            case "oldest first":
                return found[::-1]
            case "repeating":
                return [*found[:1], *found]
            case _:
                return found

    def sometimes_away(self) -> None:
        if self.luck.random() < 0.1:
            self.tally.faults["read fails"] += 1
            raise Unavailable("away")

    async def retrieve(self, remote: RemoteId) -> RemoteBatch:
        await self.latency()
        self.sometimes_away()
        made = next(each for each in self.made if each.id == remote)
        if made.deleted or self.luck.random() < 0.05:
            raise Gone("not yet")
        return self.seen(made)

    @asynccontextmanager
    async def results(self, remote: RemoteId, url: str | None) -> AsyncIterator[AsyncIterator[bytes]]:
        del url
        made = next(each for each in self.made if each.id == remote)
        await self.latency()
        self.sometimes_away()
        name = named(made)

        async def pieces() -> AsyncIterator[bytes]:
            yield f'{{"custom_id":"{name}","result":{{"type":"canceled"}}}}\n'.encode()

        yield pieces()

    # the last leg, with the same verification

    async def collect(self, shelf: "Shelf", batch: Batch) -> Batch:
        made = next(each for each in self.made if each.id == batch.remote_id)
        await self.latency()
        sending = sending_of(named(made), TAG)
        if sending is not None and await shelf.rows_of(batch.id, [sending]):
            return await shelf.settle(await shelf.prove(batch))
        if batch.evidence is not Evidence.COUNT:
            raise AssertionError("an answered create led to another's batch")
        return await shelf.give_back(batch)


def named(made: Made) -> str:
    """The custom_id of the first result of a batch at the simulated API."""
    return "theirs-0" if made.batch is None else wire_id(TAG, Sending(RequestId(made.batch), 1))


class Shelf(Batches):
    """The real verbs of a batch, over a table in memory that keeps the same rules."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def get(self, batch: BatchId) -> Batch:
        return self._world.batches[batch]

    async def count_taken(self, batch: Batch) -> bool:
        return any(each.id != batch.id for each in self._unresolved(batch.count))

    async def owners_of(self, remotes: Iterable[RemoteId], **_: object) -> dict[RemoteId, Evidence]:
        owned = {b.remote_id: b.evidence for b in self._world.batches.values() if b.remote_id and b.evidence}
        return {remote: owned[remote] for remote in remotes if remote in owned}

    async def owner(self, remote: RemoteId, **_: object) -> BatchId | None:
        return next((b.id for b in self._world.batches.values() if b.remote_id == remote), None)

    async def disproved(self, batch: BatchId) -> frozenset[RemoteId]:
        return frozenset(self._world.disproofs.get(batch, ()))

    async def disprove(self, batch: BatchId, remote: RemoteId) -> None:
        self._world.disproofs.setdefault(batch, set()).add(remote)

    async def give_back(self, batch: Batch) -> Batch:
        await self.disprove(batch.id, batch.known_id)
        return await self._step(batch, {State.ENDED}, State.INTENDED)

    async def _step(
        self, batch: Batch, before: Collection[State], to: State, also: object = None, **changes: object
    ) -> Batch:
        del also  # of other tables
        if batch.state not in before or not may_follow(batch.state, to):
            raise ValueError(f"{batch.state} -> {to}")
        if batch.state is State.PLANNED and to is State.INTENDED and self._unresolved(batch.count):
            raise CountTaken
        remote = changes.get("remote_id")
        if remote is not None and any(b.remote_id == remote for b in self._world.batches.values()):
            raise ValueError("one batch of the API answers one intent")
        return await self._note(
            batch, **({"state": to} | dict.fromkeys((OPTIONAL - CARRIES[to]) | {"trouble"}) | changes)
        )

    async def _note(self, batch: Batch, **changes: object) -> Batch:
        known = self._world.batches[batch.id]
        if (known.state, known.attempt) != (batch.state, batch.attempt):
            raise Stale
        self._world.batches[batch.id] = replace(known, **_as_fields(known.count, changes))  # type: ignore[arg-type]  # of any kind
        await anyio.lowlevel.checkpoint()
        return self._world.batches[batch.id]

    def _unresolved(self, count: int) -> list[Batch]:
        return [b for b in self._world.batches.values() if b.state is State.INTENDED and b.count == count]

    # the store's trips: one request a batch

    async def cancel_wanted(self, batch: BatchId) -> tuple[bool, bool]:
        del batch
        return False, False

    async def rows_of(self, batch: BatchId, sendings: Collection[Sending]) -> dict[Sending, int]:
        return {sending: 0 for sending in sendings if sending == Sending(RequestId(batch), 1)}

    async def carries(self, batch: BatchId, sending: Sending) -> bool:
        return bool(await self.rows_of(batch, [sending]))

    async def given_up_before(self, _: BatchId) -> list[Batch]:
        return []


class SimulatedSender(Sender):
    """The real one, but for the body: a few bytes that tell the simulated API whose it is."""

    async def _body(self, batch: Batch) -> Body:
        return SmallBody(batch)


class SmallBody(Body):
    """Stands for the bytes of a create."""

    def __init__(self, batch: Batch) -> None:
        super().__init__(Path(), TAG, [])
        self.batch = batch

    async def stream(self) -> AsyncIterator[bytes]:
        yield f"{self.batch.id}|{self.batch.count}".encode()


def _as_fields(count: int, columns: dict[str, object]) -> dict[str, object]:
    """Make what changes of a batch of the columns that change, as the store does."""
    intent, lacking = ("baseline_id", "baseline_time", "origin", "organization"), ("lacking", "lacking_since")
    fields = {name: value for name, value in columns.items() if name not in (*intent, *lacking, "gave_back")}
    if "baseline_time" in columns:
        made = Intent(count, *(columns[name] for name in intent))  # type: ignore[arg-type]  # of any kind
        fields["intent"] = None if columns["baseline_time"] is None else made
    return fields


async def history(seed: int, tally: Tally) -> None:
    """Live through one world, and count what went wrong."""
    luck = random.Random(seed)  # noqa: S311  histories must be repeatable, not secret
    clock = VirtualClock()
    world = World(luck, clock, tally)
    for number in range(1, BATCHES_A_WORLD + 1):
        batch_id = BatchId(number)
        world.batches[batch_id] = Batch(
            batch_id, State.PLANNED, (), luck.choice([1, 1, 2, 3]), 10, new_nonce(), 0, clock.now()
        )
    for count in (1, 2):
        world.add(count, None)
    started = clock.now()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.run)
        while any(batch.state not in {State.SETTLED, State.HELD} for batch in world.batches.values()):
            await _one_life(world)
        tasks.cancel_scope.cancel()
    tally.slowest = max(tally.slowest, clock.now() - started)
    ours = Counter(made.batch for made in world.made if made.batch)
    remotes = {made.id: made for made in world.made}
    for batch in world.batches.values():
        tally.duplicates += max(ours[batch.id] - 1, 0)
        tally.held += batch.state is State.HELD
        if batch.state is State.SETTLED:
            tally.lost += ours[batch.id] == 0
            tally.wrongly_adopted += batch.remote_id is None or remotes[batch.remote_id].batch != batch.id


async def _one_life(world: World) -> None:
    """Run a daemon's couriers until all is done, or until it is killed."""
    shelf = Shelf(world)
    store, backoff = cast("Store", _Store(shelf, shelf, shelf)), Backoff(60.0, 1.5, 600.0)
    accounts = OneAccount(cast("Api", world))
    wakeups = Wakeups(world.clock)
    counts = CountsInFlight(wakeups)
    departure = Departure(store, world.clock, wakeups, lambda: False, accounts, at_any_hour)
    sender = SimulatedSender(
        store,
        accounts,
        world.clock,
        Path(),
        wakeups,
        departure,
        counts,
        cast("LifeLine", _Life()),
        concurrency=4,
        first_byte=DOUBT / 3,
        poll=backoff,
    )
    finder = Finder(store, accounts, world.clock, wakeups, doubt=DOUBT, poll=backoff)
    journey: Legs = {
        State.PLANNED: sender.submit,
        State.INTENDED: finder.find,
        State.PROCESSING: Poller(store, accounts, world.clock, wakeups, finder, backoff).poll,
        State.ENDED: partial(world.collect, shelf),
    }
    retrying = Retrying(store, world.clock, Bell())
    courier = Courier(store, world.clock, wakeups, counts, {Lane.BATCH: journey}, retrying)
    async with anyio.create_task_group() as tasks:
        world.kill = tasks.cancel_scope.cancel
        for batch in list(world.batches.values()):
            if batch.state not in {State.SETTLED, State.HELD}:
                tasks.start_soon(courier.carry, batch.id)


class _Life:
    """`LifeLine`, of a state that nobody restores."""

    async def tell(self) -> None:
        return


@dataclass(slots=True)
class _NoTroubles:
    """`Troubles`, of which nobody asks afterwards."""

    async def tell(self, trouble: Trouble) -> None:
        if trouble.defect:  # it would be tried again for ever
            raise AssertionError(trouble.reason)

    async def over(self, _: object) -> None:
        return


class _NoRefusals:
    """This API refuses nothing."""

    async def refute(self, batch: Batch) -> None:
        """There is nothing to refute."""


class _NoPauses:
    """Nobody pauses anything."""

    async def keeps(self, _: BatchId) -> bool:
        return False


@dataclass(frozen=True)
class _Store:
    """`Store`, with nothing but batches."""

    batches: Shelf
    remotes: Shelf
    trips: Shelf
    installation: str = TAG
    troubles: _NoTroubles = field(default_factory=_NoTroubles)
    refusals: _NoRefusals = field(default_factory=_NoRefusals)
    pauses: _NoPauses = field(default_factory=_NoPauses)


async def simulate(histories: int, first_seed: int = 0) -> Tally:
    """Live through many worlds of eight submissions each."""
    tally = Tally()
    for seed in range(first_seed, first_seed + histories):
        await history(seed, tally)
    return tally


def _share(seed: int, seconds: float) -> Tally:
    """Live through worlds in one process, until the time is up."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    tally, until = Tally(), time.monotonic() + seconds
    while time.monotonic() < until:
        anyio.run(history, seed, tally)
        tally.histories += 1
        seed += 1
    return tally


def main() -> int:
    """Simulate for some minutes on every processor, and print what came of it; 1 if anything went wrong."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--minutes", type=float, default=8.0)
    options.add_argument("--seed", type=int, default=1)
    said = options.parse_args()
    shares = multiprocessing.cpu_count()
    with multiprocessing.get_context("spawn").Pool(shares) as pool:
        tallies = pool.starmap(_share, [(said.seed + n * 1_000_000, said.minutes * 60) for n in range(shares)])
    whole = Tally()
    for tally in tallies:
        for name in ("histories", "submissions", "duplicates", "lost", "wrongly_adopted", "held"):
            setattr(whole, name, getattr(whole, name) + getattr(tally, name))
        whole.faults += tally.faults
    rows = {
        "histories": whole.histories,
        "submissions": whole.submissions,
        **{f"  {kind}": count for kind, count in sorted(whole.faults.items())},
        "duplicates": whole.duplicates,
        "lost": whole.lost,
        "wrong adoptions": whole.wrongly_adopted,
        "left to a person": whole.held,
    }
    print("\n".join(f"{name:<24}{count:>10,}" for name, count in rows.items()))  # noqa: T201  what it is for
    return 1 if whole.duplicates or whole.lost or whole.wrongly_adopted else 0


if __name__ == "__main__":
    sys.exit(main())
