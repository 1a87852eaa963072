"""Tells the outbox how many creates were begun, before each of them leaves: an older state is known by it."""

from pathlib import Path

import anyio
from anyio import to_thread

from batchd.decisions.batch.restored import Life
from batchd.edges import evidence
from batchd.edges.evidence import Evidence
from batchd.edges.store import Store
from batchd.edges.store.facts import EPOCH, INTENTS


class LifeLine:
    """Keeps `outbox/.batchd.json` in step with the store."""

    def __init__(self, store: Store, outbox: Path, worker: int = 0) -> None:
        self._store = store
        self._worker = worker
        self._outbox = outbox
        self._written = 0
        self._writing = anyio.Lock()

    async def here(self) -> Life:
        """What the store knows of itself."""
        facts = self._store.facts
        return Life(self._store.installation, await facts.number(EPOCH), await facts.number(INTENTS))

    async def told(self) -> Life | None:
        """What the outbox tells; None where it tells nothing."""
        found = await to_thread.run_sync(evidence.read, self._outbox)
        return None if found is None else Life(found.installation, found.epoch, found.intents)

    async def tell(self) -> None:
        """Make the outbox tell of every intent that was committed until now; done when that is durable.

        Raises:
            OSError: The disk refuses: nothing may be sent.
        """
        known = await self._store.facts.number(INTENTS)
        async with self._writing:
            if known <= self._written:
                return  # another create's call has told of this one, too
            life = await self.here()
            told = Evidence(life.installation, life.epoch, life.intents)
            await to_thread.run_sync(evidence.write, self._outbox, told, self._worker)
            self._written = life.intents
