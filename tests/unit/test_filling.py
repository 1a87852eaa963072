"""The timetable of many workers is looked through every ten seconds, whatever was put into it."""

from collections.abc import Collection, Iterable

import pytest
from batchd.edges.clock import Clock
from batchd.model import BatchId
from batchd.running.filling import Filling

pytestmark = pytest.mark.anyio


class Later(Clock):
    """A clock that is set by hand."""

    at = 1_000.0

    def now(self) -> float:
        return self.at


class Entries:
    """A timetable that notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    async def fill(self, batches: Iterable[BatchId]) -> int:
        self.asked.append(sorted(batches))
        return 0

    async def sooner(self, batches: Collection[BatchId]) -> None: ...


async def test_what_was_put_in_is_asked_for_again_every_ten_seconds() -> None:
    clock, entries = Later(), Entries()
    filling, both = Filling(entries, clock), frozenset(map(BatchId, (1, 2)))
    assert await filling.fill(frozenset({BatchId(1)})) == 10.0
    clock.at += 4
    assert await filling.fill(both) == 6.0
    clock.at += 6
    assert await filling.fill(both) == 10.0
    assert entries.asked == [[1], [2], [1, 2]]
