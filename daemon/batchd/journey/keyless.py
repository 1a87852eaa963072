"""Batches whose key was taken out of the settings: nobody else can ask for them, so a person decides.

With the key they go on. What has not left travels by the key that its folder has now.
"""

import structlog

from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.lifecycle import State
from batchd.model import Batch
from batchd.notice import Why
from batchd.running.accounts import OWN, Accounts, key_is_gone
from batchd.running.wakeups import Leg

log = structlog.get_logger()


class Keyless:
    """Holds them, each by itself, and lets them go on when their key is back."""

    def __init__(self, store: Store, clock: Clock, accounts: Accounts) -> None:
        self._store = store
        self._clock = clock
        self._accounts = accounts

    def before(self, leg: Leg) -> Leg:
        """Take a leg only for batches whose account the settings know."""

        async def guarded(batch: Batch) -> Batch:
            if batch.account in self._accounts.names:
                return await leg(batch)
            if batch.state is State.PLANNED:
                return await self._store.batches.dissolve(batch)
            reason = key_is_gone(batch.account)
            return await self._store.batches.hold(batch, reason, Why.NO_KEY, now=self._clock.now())

        return guarded

    async def take_up(self) -> None:
        """Go on with what was held for a key that is there again."""
        if self._accounts.names == {OWN}:
            return
        for batch in await self._store.batches.held():
            if batch.account in self._accounts.names and batch.trouble == key_is_gone(batch.account):
                await self._store.resolutions.go_on(batch, now=self._clock.now())
                log.info("its key is back", batch=batch.id, key=batch.account)
