"""Carrying: what a worker does for one task of the timetable. The legs are those of a daemon that works alone."""

import anyio

from batchd.edges.store import Membership
from batchd.errors import Unusable
from batchd.journey.courier import Courier, thing_of
from batchd.model import BatchId
from batchd.running.handing_back import HandingBack
from batchd.running.retrying import Retrying


class Carrying:
    """Carries batches until they must rest for long, or are another's: the worker's that delivers, or a person's."""

    def __init__(self, courier: Courier, wakeups: HandingBack, retrying: Retrying, membership: Membership) -> None:
        self._courier = courier
        self._wakeups = wakeups
        self._retrying = retrying
        self._membership = membership
        self.unusable: Unusable | None = None
        """Why this installation cannot work."""
        self.ended = anyio.Event()
        """Set with it."""

    async def carry(self, batch: BatchId) -> float | None:
        """Carry a batch, and say at which time it is to be carried on; None where it has come as far as it can."""
        thing = thing_of(batch)
        try:
            await self._retrying.take_over(thing)
            await self._courier.carry(batch)
        except Unusable as error:
            self.unusable = error
            self.ended.set()
            raise
        finally:
            self._retrying.let_go(thing)
        at = self._wakeups.due(batch)
        if at is None:
            await self._membership.tell_sweeper()
        return at
