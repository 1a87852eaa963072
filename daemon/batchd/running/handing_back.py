"""Handing back: a batch that is to rest for long leaves this worker, which says when it is to be carried on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import anyio

from batchd.edges.clock import Clock
from batchd.model import BatchId
from batchd.running.wakeups import Wakeups

LONGEST: Final = 20.0
"""Seconds for which a batch rests where it is."""


class HandingBack(Wakeups):
    """Wake-ups of a worker among others. What a leg must remember over a rest stands in the store."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._scopes: dict[BatchId, anyio.CancelScope] = {}
        self._due: dict[BatchId, float] = {}

    @contextmanager
    def stay(self, batch_id: BatchId) -> Iterator[None]:
        """Register a batch for the duration of the block, which ends where it is to rest for long."""
        with super().stay(batch_id), anyio.CancelScope() as scope:
            self._scopes[batch_id] = scope
            try:
                yield
            finally:
                del self._scopes[batch_id]

    async def rest(self, batch_id: BatchId, seconds: float) -> bool:
        """Wait for some seconds, and say whether somebody called; or leave, where these are many."""
        if seconds > LONGEST:
            self._due[batch_id] = self._clock.now() + seconds
            self._scopes[batch_id].cancel()
            await anyio.sleep_forever()
        return await super().rest(batch_id, seconds)

    def due(self, batch_id: BatchId) -> float | None:
        """At which time a batch is to be carried on that has left; None where it has come as far as it can."""
        return self._due.pop(batch_id, None)

    def dozing(self) -> Wakeups:
        """The same, of those that wait here, however long: what was seen of a create in doubt is known here alone."""
        return Wakeups(self._clock, self._bells)
