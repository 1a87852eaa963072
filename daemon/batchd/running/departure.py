"""Departure: what every planned batch passes before it is sent, by whichever lane."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias, TypeVar

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

T = TypeVar("T")
_Of: TypeAlias = tuple[str, tuple[str, ...] | None]
"""An account; with betas, those of it that have these."""


class Departing(Protocol):
    """As much of the accounts as matters here."""

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        ...

    async def changed(self, batch: Batch) -> bool:
        """Whether a job of a batch goes by another account than this batch was planned for."""
        ...

    async def renew(self, account: str) -> bool:
        """Look for another key."""
        ...


class Board(Protocol):
    """Where the workers of one database tell each other what keeps batches."""

    async def all(self) -> Mapping[str, str]:
        """What is told, by name."""
        ...

    async def change(self, name: str, change: Callable[[str | None], tuple[str | None, T]]) -> T:
        """Change what is told under a name, while nobody else does; `change` may run again."""
        ...


class Departure:
    """Lets planned batches go, unless they were cancelled or the API takes nothing, from anybody or of their kind.

    Trouble with an account keeps all that go by it. What is refused whatever is in it keeps those of the account with
    the same betas: these are all that batches have in common beside it.
    """

    def __init__(  # noqa: PLR0913  each may keep a batch
        self,
        store: Store,
        clock: Clock,
        wakeups: Wakeups,
        restoring: Callable[[], bool],
        accounts: Departing,
        outside: Callable[[BatchId], Awaitable[bool]],
        board: Board | None = None,
    ) -> None:
        """Put it together.

        Args:
            store: Where batches stand.
            clock: What waits are measured by.
            wakeups: Where they rest.
            restoring: Whether what was paid is still being looked for, so that nothing may be sent.
            accounts: Say whose a batch is, and look for another key before one batch tries whether its account is well.
            outside: Whether a batch has to wait for the hours of a job of it.
            board: Where others tell what keeps batches; None where this process works alone.
        """
        self._store = store
        self._clock = clock
        self._wakeups = wakeups
        self._breakers: dict[_Of, CircuitBreaker] = {}
        self._restoring = restoring
        self._board = board
        self.sends = False
        """Whether anything was sent since the start, or since it was parked last."""
        self._accounts = accounts
        self._outside = outside
        self._kept: set[BatchId] = set()

    @property
    def parked(self) -> dict[Blame, float]:
        """What keeps batches just now, of any account, and since when, in unix seconds."""
        found: dict[Blame, float] = {}
        for breaker in self._breakers.values():
            for blame, since in breaker.blames.items():
                found[blame] = min(since, found.get(blame, since))
        return found

    @property
    def closed(self) -> frozenset[str]:
        """The accounts from which the API takes nothing just now."""
        if self._restoring():
            return self._accounts.names
        return frozenset(account for (account, betas), each in self._breakers.items() if betas is None and each.closed)

    @property
    def all_closed(self) -> bool:
        """Whether the API takes nothing from anybody."""
        return self.closed >= self._accounts.names

    async def leave(self, batch: Batch, send: Leg) -> Batch:
        """Send a planned batch; or dissolve it, if a job of it may not go so now; or wait, while its account is parked.

        Args:
            batch: A planned one.
            send: Sends it.

        Raises:
            Parked: The API refuses it, and from now on keeps everybody, or all that are like it.
        """
        cancelled, _ = await self._store.trips.cancel_wanted(batch.id)
        if cancelled or await self._store.pauses.keeps(batch.id) or await self._outside(batch.id):
            return await self._store.batches.dissolve(batch)
        if await self._accounts.changed(batch):
            return await self._store.batches.dissolve(batch)
        if self._restoring():
            return await self._keep(batch, _RESTORING, "the state was restored: what was paid is looked for first")
        await self.look()
        wait, reason = await self._wait(batch)
        if wait:
            return await self._keep(batch, wait, reason)
        try:
            return await self._send(batch, send)
        except Paused:
            return await self._store.batches.dissolve(batch)

    async def _wait(self, batch: Batch) -> tuple[float, str]:
        """For how many seconds a batch is kept, and why; where it is not, it is the one that tries."""
        before = [(of, self._of(*of)) for of in _before(batch)]
        for _, breaker in before:
            if wait := breaker.keeps(batch.id):
                return wait, breaker.reason
        for of, breaker in before:
            if breaker.closed and (wait := await self._change(of, lambda each: each.claim(batch.id))):
                return wait, breaker.reason
        return 0.0, ""

    async def _send(self, batch: Batch, send: Leg) -> Batch:
        try:
            if self._of(batch.account).closed:
                await self._accounts.renew(batch.account)
            sent = await send(batch)
        except RefusedAlike as trouble:
            await self._park(batch.account, batch.betas, Blame.REFUSED, str(trouble))
            raise
        except Parked as trouble:
            await self._park(batch.account, None, trouble.blame, str(trouble))
            raise
        if sent.state not in _UNANSWERED:
            for of in _before(batch):
                if self._of(*of).closed and await self._change(of, CircuitBreaker.reset):
                    self._call_kept()
            self.sends = not self.parked
        return sent

    async def keeps(self, batch: Batch) -> bool:
        """Whether a planned batch is kept after all, since what went before it was refused."""
        await self.look()
        return any(self._of(*of).keeps(batch.id) for of in _before(batch))

    async def look(self) -> None:
        """Know what others have told of what keeps batches.

        Raises:
            Unavailable: The board cannot be read now.
        """
        if self._board is None:
            return
        told = {_named(name): state for name, state in (await self._board.all()).items()}
        for of in told.keys() | self._breakers.keys():
            self._of(*of).become(told.get(of))

    async def close(self, account: str, reason: str) -> None:
        """Keep all of an account because of what results say of it, though the create was taken.

        Args:
            account: Whose key it went by.
            reason: Why, for people.
        """
        blame = Blame.MONEY if about_money(reason) else Blame.KEY
        await self._park(account, None, blame, reason, by_results=True)

    async def prove(self, account: str, *, sent_at: float | None) -> None:
        """Note that a batch has brought answers, so that its account was well when it was sent."""
        await self.look()
        if self._of(account).closed and await self._change((account, None), lambda each: each.prove(sent_at=sent_at)):
            self._call_kept()
            self.sends = not self.parked

    async def _park(
        self, account: str, betas: tuple[str, ...] | None, blame: Blame, reason: str, *, by_results: bool = False
    ) -> None:
        said = f"[keys.{account}]: {reason}" if account else reason
        await self._change((account, betas), lambda each: each.trip(said, blame, by_results=by_results))
        self.sends = False

    async def _change(self, of: _Of, change: Callable[[CircuitBreaker], T]) -> T:
        """Change what keeps batches, by what others have told of it until now, and tell them."""
        breaker = self._of(*of)
        if self._board is None:
            return change(breaker)

        def told(before: str | None) -> tuple[str | None, T]:
            breaker.become(before)
            done = change(breaker)
            return breaker.told(), done

        return await self._board.change(_name(of), told)

    def _of(self, account: str, betas: tuple[str, ...] | None = None) -> CircuitBreaker:
        """What keeps all of an account, or those of it that have the same betas."""
        if (account, betas) not in self._breakers:
            self._breakers[account, betas] = CircuitBreaker(self._clock)
        return self._breakers[account, betas]

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


def _before(batch: Batch) -> tuple[_Of, _Of]:
    return (batch.account, None), (batch.account, batch.betas)


def _name(of: _Of) -> str:
    return json.dumps(of)


def _named(name: str) -> _Of:
    account, betas = json.loads(name)
    return account, None if betas is None else tuple(betas)
