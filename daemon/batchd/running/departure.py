"""Departure: what every planned batch passes before it is sent, by whichever lane."""

from collections.abc import Awaitable, Callable, Iterator

from batchd.claude.account import about_money
from batchd.edges.clock import Clock
from batchd.edges.store import Paused, Store
from batchd.errors import Blame, Parked, RefusedAlike
from batchd.lifecycle import State
from batchd.model import Batch, BatchId
from batchd.running.circuit_breaker import CircuitBreaker
from batchd.running.wakeups import Leg, Wakeups

_RESTORING = 60.0
"""Seconds after which a batch asks again whether it may go."""
_UNANSWERED = frozenset({State.PLANNED, State.INTENDED})
"""Where a batch stands that was not sent after all, or of which nobody knows: it shows nothing."""


class Departure:
    """Lets planned batches go, unless they were cancelled or the API takes nothing, from anybody or of their kind.

    Trouble with the account keeps all. What is refused whatever is in it keeps those with the same betas: these are
    all that batches have in common beside the account.
    """

    def __init__(  # noqa: PLR0913  each may keep a batch
        self,
        store: Store,
        clock: Clock,
        wakeups: Wakeups,
        restoring: Callable[[], bool],
        renew_key: Callable[[], Awaitable[bool]],
        outside: Callable[[BatchId], Awaitable[bool]],
    ) -> None:
        """Put it together.

        Args:
            store: Where batches stand.
            clock: What waits are measured by.
            wakeups: Where they rest.
            restoring: Whether what was paid is still being looked for, so that nothing may be sent.
            renew_key: Looks whether there is another key, before one batch tries whether the account is well again.
            outside: Whether a batch has to wait for the hours of a job of it.
        """
        self._store = store
        self._clock = clock
        self._wakeups = wakeups
        self._account = CircuitBreaker(clock)
        self._alike: dict[tuple[str, ...], CircuitBreaker] = {}
        self._restoring = restoring
        self.parked: dict[Blame, float] = {}
        """What keeps batches just now, and since when, in unix seconds."""
        self.sends = False
        """Whether anything was sent since the start, or since it was parked last."""
        self._renew_key = renew_key
        self._outside = outside
        self._kept: set[BatchId] = set()

    @property
    def closed(self) -> bool:
        """Whether the API takes nothing from anybody just now."""
        return self._restoring() or self._account.closed

    async def leave(self, batch: Batch, send: Leg) -> Batch:
        """Send a planned batch; or dissolve it, if a job of it was cancelled or paused; or wait, while all are parked.

        Args:
            batch: A planned one.
            send: Sends it.

        Raises:
            Parked: The API refuses it, and from now on keeps everybody, or all that are like it.
        """
        cancelled, _ = await self._store.trips.cancel_wanted(batch.id)
        if cancelled or await self._store.pauses.keeps(batch.id) or await self._outside(batch.id):
            return await self._store.batches.dissolve(batch)
        if self._restoring():
            return await self._keep(batch, _RESTORING, "the state was restored: what was paid is looked for first")
        for breaker in self._breakers(batch):
            if wait := breaker.keeps(batch.id):
                return await self._keep(batch, wait, breaker.reason)
        for breaker in self._breakers(batch):
            breaker.try_with(batch.id)
        try:
            return await self._send(batch, send)
        except Paused:
            return await self._store.batches.dissolve(batch)

    async def _send(self, batch: Batch, send: Leg) -> Batch:
        try:
            if self._account.closed:
                await self._renew_key()
            sent = await send(batch)
        except RefusedAlike as trouble:
            self._of(batch.betas).trip(str(trouble))
            self._park(Blame.REFUSED)
            raise
        except Parked as trouble:
            self._account.trip(str(trouble))
            self._park(trouble.blame)
            raise
        if sent.state not in _UNANSWERED:
            were_tripped = [breaker.reset() for breaker in self._breakers(batch)]
            if any(were_tripped):
                self._call_kept()
            self._unpark()
        return sent

    def keeps(self, batch: Batch) -> bool:
        """Whether a planned batch is kept after all, since what went before it was refused."""
        return any(breaker.keeps(batch.id) for breaker in self._breakers(batch))

    def close(self, reason: str) -> None:
        """Keep everybody because of what results say of the account, though the create was taken.

        Args:
            reason: Why, for people.
        """
        self._account.trip_by_results(reason)
        self._park(Blame.MONEY if about_money(reason) else Blame.KEY)

    def prove(self, *, sent_at: float | None) -> None:
        """Note that a batch has brought answers, so that the account was well when it was sent."""
        if self._account.prove(sent_at=sent_at):
            self._call_kept()
            self._unpark()

    def _park(self, blame: Blame) -> None:
        self.sends = False
        self.parked.setdefault(blame, self._clock.now())

    def _unpark(self) -> None:
        """Forget what is over: the account's trouble, and that of all betas, each by itself."""
        alike = any(breaker.closed for breaker in self._alike.values())
        still = {Blame.REFUSED} if alike else set()
        if self._account.closed:
            still |= self.parked.keys() - {Blame.REFUSED}
        self.parked = {blame: since for blame, since in self.parked.items() if blame in still}
        self.sends = not self.parked

    def _of(self, betas: tuple[str, ...]) -> CircuitBreaker:
        if betas not in self._alike:
            self._alike[betas] = CircuitBreaker(self._clock)
        return self._alike[betas]

    def _breakers(self, batch: Batch) -> Iterator[CircuitBreaker]:
        yield self._account
        yield self._of(batch.betas)

    def _call_kept(self) -> None:
        for each in self._kept:
            self._wakeups.call(each)

    async def _keep(self, batch: Batch, seconds: float, reason: str) -> Batch:
        if batch.trouble != reason:
            batch = await self._store.batches.tell(batch, reason)
        self._kept.add(batch.id)
        try:
            await self._wakeups.rest(batch.id, seconds)
        finally:
            self._kept.discard(batch.id)
        return batch
