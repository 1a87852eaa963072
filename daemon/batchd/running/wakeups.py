"""Wake-ups: where a batch rests between two calls of the API, and is called when somebody wants something of it."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from batchd.edges.clock import Bell, Clock
from batchd.lifecycle import State
from batchd.model import Batch, BatchId

Leg: TypeAlias = Callable[[Batch], Awaitable[Batch]]
"""Takes a batch in one state, and returns it in another, or in the same after a while."""
Legs: TypeAlias = Mapping[State, Leg]
"""Who takes it in which state; in any other it is at its end, or a person must decide."""


class Wakeups:
    """The batches that are under way in this process, each with its bell."""

    def __init__(self, clock: Clock, bells: dict[BatchId, Bell] | None = None) -> None:
        self._clock = clock
        self._bells: dict[BatchId, Bell] = {} if bells is None else bells

    @contextmanager
    def stay(self, batch_id: BatchId) -> Iterator[None]:
        """Register a batch for the duration of the block, so that it can rest and be called."""
        self._bells[batch_id] = Bell()
        try:
            yield
        finally:
            del self._bells[batch_id]

    def call(self, batch_id: BatchId) -> None:
        """Wake a batch; one that is not here is passed over."""
        if bell := self._bells.get(batch_id):
            bell.ring()

    async def rest(self, batch_id: BatchId, seconds: float) -> bool:
        """Wait for some seconds, and say whether somebody called before the time was up.

        Args:
            batch_id: One that stays here.
            seconds: For how long.
        """
        until = self._clock.now() + seconds
        if seconds > 0:
            await self._bells[batch_id].wait_at_most(seconds, self._clock)
        return self._clock.now() < until
