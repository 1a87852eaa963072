"""The quota of one account, as one of many workers takes from it."""

from batchd.edges.clock import Clock
from batchd.edges.store import Store


class SharedQuota:
    """Takes calls out of the store's quota, and notes there which are over, some at a time."""

    def __init__(self, store: Store, clock: Clock, token: str, account: str) -> None:
        self._store = store
        self._clock = clock
        self._token = token
        self._account = account
        self._over: dict[int, float] = {}

    async def take(self, most: int, per_minute: int) -> tuple[int, int, float]:
        """Take some calls: the number of the taking, how many it has, and, where none, when there may be some."""
        over = dict(self._over)
        taken = await self._store.calls.take(
            self._account, self._token, most, per_minute=per_minute, over=over, now=self._clock.now()
        )
        self._forget(over)
        return taken

    def over(self, taking: int, at: float) -> None:
        """Note when the last call of a taking was answered."""
        self._over[taking] = at

    async def settle(self) -> None:
        """Tell the store which takings are over."""
        if over := dict(self._over):
            await self._store.calls.settle(over)
            self._forget(over)

    def _forget(self, told: dict[int, float]) -> None:
        for taking in told:
            self._over.pop(taking, None)
