"""By which name a test knows what the daemon sends: over the wire a request has an id of the daemon's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from anyio import from_thread

from batchd.claude.batch_body import sending_of
from batchd.edges.store import DATABASE, Store, look_into_store


class Names:
    """The requests of one daemon."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    @asynccontextmanager
    async def of(cls, state: Path) -> AsyncIterator[Self]:
        """Look into the state folder of a daemon that runs."""
        async with look_into_store(state / DATABASE) as store:
            yield cls(store)

    def of_wire_id(self, wire_id: str) -> str:
        """Tell a request's `custom_id` in its job; what is not of this daemon keeps its own.

        Called in a worker thread of the event loop.
        """
        sending = sending_of(wire_id, self._store.installation)
        if sending is None:
            return wire_id
        return from_thread.run(self._store.reports.custom_id, sending.request) or wire_id
