"""The one policy for trouble: whatever keeps one thing from being done is that thing's own, and stops no other.

What the world cannot do now (disk full, database locked, API away) is repeated at a growing pace. A defect, that is any
other exception, parks the thing: it is tried again at a calm pace, and at every start. Both are written down, for
`batchd status`. Nothing but a stop, or an installation that cannot work (`Unusable`), ends the task tree.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from batchd.decisions.batch.backoff import PARKED, PATIENCE, Backoff
from batchd.edges.clock import Bell, Clock
from batchd.edges.store import Store
from batchd.errors import BatchdError, Defect, Parked, Unavailable, Unusable, worst_of
from batchd.trouble import Thing, Trouble, Work

T = TypeVar("T")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Wait:
    """What an error asks for."""

    reason: str
    """In one line, for people."""
    backoff: Backoff
    at_least: float = 0.0
    """Seconds that a server asks for."""
    defect: bool = False


def wait_of(error: Exception) -> Wait:
    """Sort an error by what to do about it.

    Raises:
        Unusable: The installation cannot work.
    """
    match worst_of(error):
        case Unusable() as unusable:
            raise unusable
        case Defect() as defect:
            return Wait(str(defect), PARKED, defect=True)
        case Parked() as parked:
            return Wait(str(parked), PARKED, parked.retry_after or 0.0)
        case Unavailable() as trouble:
            return Wait(str(trouble), PATIENCE, trouble.retry_after or 0.0)
        case BatchdError() as trouble:
            return Wait(str(trouble), PATIENCE)
        case OSError() as trouble:
            # Its file may be named after what a user wrote, so only what went wrong is told.
            return Wait(trouble.strerror or type(trouble).__name__, PATIENCE)
        case bug:
            return Wait(str(Defect.of(bug)), PARKED, defect=True)


class Retrying:
    """Does each thing until it is done, and keeps account of what waits, since when and why."""

    def __init__(self, store: Store, clock: Clock, bell: Bell) -> None:
        """Open the account.

        Args:
            store: Where troubles are written down.
            clock: What waits are measured by.
            bell: Rung after each failure: what was done until then may make others due.
        """
        self._store = store
        self._clock = clock
        self._bell = bell
        self._troubles: dict[Thing, Trouble] = {}
        self._began: dict[Thing, float] = {}
        """When the attempts began by whose age the pace grows."""
        self._before: dict[Thing, float] = {}
        """Since when the last process could not do a thing."""
        self._next_at: dict[Thing, float] = {}
        self._unwritten: set[Thing] = set()
        """Those whose trouble the store does not know yet."""

    async def begin(self) -> None:
        """Take over what the last process could not do: it is tried again, and told again if it fails."""
        troubles = await self._store.troubles.all()
        self._before = {trouble.thing: trouble.since for trouble in troubles}
        if troubles:
            await self._store.troubles.over([trouble.thing for trouble in troubles])

    async def take_over(self, thing: Thing) -> None:
        """Go on with a thing where another worker has left it, which may have tried in vain, and for long."""
        trouble = await self._store.troubles.of_thing(thing)
        if trouble is not None:
            self._troubles[thing] = trouble
            self._began[thing] = trouble.since

    def let_go(self, thing: Thing) -> None:
        """Remember nothing of a thing: another worker may go on with it. What keeps it stands in the store."""
        for remembered in (self._troubles, self._began, self._before, self._next_at):
            remembered.pop(thing, None)
        self._unwritten.discard(thing)

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """What waits just now."""
        return tuple(self._troubles.values())

    def parked(self, work: Work) -> set[str]:
        """The ids of things that a defect keeps from being done."""
        return {thing.id for thing, trouble in self._troubles.items() if thing.work is work and trouble.defect}

    def resting(self, work: Work) -> dict[str, float]:
        """The ids of things whose next attempt lies ahead, with the seconds until then."""
        now = self._clock.now()
        return {thing.id: at - now for thing, at in self._next_at.items() if thing.work is work and at > now}

    def waits(self, thing: Thing) -> bool:
        """Whether something keeps it from being done."""
        return thing in self._troubles

    async def until_done(
        self,
        thing: Thing,
        work: Callable[[], Awaitable[T]],
        *,
        rest: Callable[[float], Awaitable[object]] | None = None,
    ) -> T:
        """Repeat the work of one thing until it is done.

        Args:
            thing: What it is done for.
            work: May be repeated.
            rest: Waits for some seconds, or less where it is called earlier.

        Raises:
            Unusable: The installation cannot work.
        """
        while True:
            asked = self._clock.now()
            try:
                done = await work()
            except Exception as error:  # noqa: BLE001  whatever one thing dies of is its own trouble
                await (rest or self._clock.sleep)(await self.failed(thing, error, asked=asked))
            else:
                await self.over(thing)
                return done

    async def failed(self, thing: Thing, error: Exception, *, asked: float | None = None) -> float:
        """Note that a thing could not be done, and say after how many seconds to try again.

        Args:
            thing: Which.
            error: Why.
            asked: When the attempt began; one that took longer than the longest wait was not in vain.

        Raises:
            Unusable: The installation cannot work.
        """
        wait, now = wait_of(error), self._clock.now()
        began = self._began.setdefault(thing, now)
        if asked is not None and now - asked > wait.backoff.longest:
            began = self._began[thing] = now
        since = self._before.pop(thing, began)
        await self._tell(Trouble(thing, since, wait.reason, wait.defect))
        delay = max(wait.at_least, wait.backoff.delay_randomly(now - began))
        self._next_at[thing] = now + delay
        if thing.work is not Work.LOOK:
            self._bell.ring()
        return delay

    async def over(self, thing: Thing) -> None:
        """Note that nothing keeps a thing any more."""
        self._began.pop(thing, None)
        self._next_at.pop(thing, None)
        self._before.pop(thing, None)
        if self._troubles.pop(thing, None) is not None:
            with suppress(Unavailable):  # the next start takes it off
                await self._store.troubles.over([thing])

    async def _tell(self, trouble: Trouble) -> None:
        thing, told = trouble.thing, self._troubles.get(trouble.thing)
        if told is not None:
            trouble = replace(trouble, since=told.since)
        if trouble != told:
            self._troubles[thing] = trouble
            self._unwritten.add(thing)
            about = {"work": thing.work.value, "of": thing.id, "reason": trouble.reason}
            if trouble.defect:
                log.error("defect", **about)
            elif thing.work is not Work.CARRY:  # the courier says it of the batch
                log.warning("waiting", **about)
        if thing in self._unwritten:
            with suppress(Unavailable):  # where the database takes nothing now, the next attempt does
                await self._store.troubles.tell(trouble)
                self._unwritten.discard(thing)
