"""What a person decides about a batch that the daemon holds, since it could not settle it by itself."""

from batchd.edges.store import boarding
from batchd.edges.store.boarding import Leaving
from batchd.edges.store.database import Database
from batchd.edges.store.transitions import step_along
from batchd.lifecycle import State
from batchd.model import Batch


class Resolutions:
    """The steps out of `held` but for an adoption; each raises `Stale` where the batch is not held any more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask_again(self, batch: Batch, *, now: float) -> Batch:
        """Poll a held batch again, whose id of the API is known.

        Args:
            batch: A held one.
            now: Unix seconds, at which it is polled.
        """
        return await self._step(batch, State.PROCESSING, next_poll_at=now)

    async def go_on(self, batch: Batch, *, now: float) -> Batch:
        """Take a held batch up where it was: ask after it where its id is known, or look for its create.

        The create comes on top of any other that is looked for with its count.

        Args:
            batch: A held one, which was begun.
            now: Unix seconds, at which it is polled.
        """
        if batch.remote_id is not None:
            return await self.ask_again(batch, now=now)
        return await self._step(batch, State.INTENDED, gave_back=True)

    async def send_again(self, batch: Batch) -> Batch:
        """Send a held batch again as it is, of which nobody knows that it was created."""
        return await self._step(batch, State.PLANNED, doubts=batch.doubts + 1)

    async def send_rest_again(self, batch: Batch, *, now: float) -> Batch:
        """Settle a held batch that was created; its requests without a result wait for another trip.

        What was sent may have been charged, and counts as that.

        Args:
            batch: A held one.
            now: Unix seconds, from which on they wait.
        """
        said = "its requests without a result were sent again"
        over = await self._step(batch, State.SETTLED, trouble=said, leaving=Leaving.RESENT)
        await boarding.leave(self._database, batch.id, now=now)
        return over

    async def drop(self, batch: Batch, reason: str) -> Batch:
        """Give up the requests of a held batch that have no result.

        Args:
            batch: A held one.
            reason: What their reports say.
        """
        over = await self._step(batch, State.SETTLED, trouble=reason, leaving=Leaving.DROPPED)
        await boarding.leave(self._database, batch.id)
        return over

    async def _step(self, batch: Batch, to: State, **changes: object) -> Batch:
        return await self._database.write(step_along(batch, {State.HELD}, to, changes, None))
