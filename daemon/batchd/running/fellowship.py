"""Fellow workers: this one is heard, and gives back what others had in hand that are not heard any more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from batchd.edges.clock import Clock
from batchd.edges.store import GivenUp, Membership, Store, Worker
from batchd.edges.store.facts import RESTORING
from batchd.errors import Unavailable
from batchd.running.quota import SharedQuota

log = structlog.get_logger()


class Tasks(Protocol):
    """As much of the timetable as matters here."""

    @property
    def engine(self) -> int | None:
        """The number of this worker in it."""
        ...

    async def give_back(self, engines: Sequence[int], *, stalled: float) -> int:
        """Let others carry what dead workers had in hand."""
        ...

    async def forget(self) -> None:
        """Forget what has been."""
        ...


@dataclass(slots=True)
class Fellowship:
    """The workers of one database, as one of them keeps it."""

    store: Store
    membership: Membership
    tasks: Tasks
    clock: Clock
    name: str
    stalled: float
    quotas: Sequence[SharedQuota]
    came_round: Callable[[], None]
    """Is told after each round, for the watchdog."""
    sweeping: bool = False
    """Whether this worker takes, packs and delivers."""
    restoring: bool = True
    """Whether what was paid in a lost life is still being looked for, or nobody has said yet that it is not."""
    _began_at: float = field(default=0.0)

    async def join(self) -> None:
        """Be one of them, and give back what the last one in this slot had in hand."""
        now = self._began_at = self.clock.now()
        own = self.membership
        before = await self.store.workers.begin(Worker(own.slot, self.name, own.token, None, False, now, now))
        if before is not None and before.engine is not None:
            await self.tasks.give_back([before.engine], stalled=self.stalled)

    async def somebody_sweeps(self) -> bool:
        """Whether any worker has looked the state over, so that it may be worked on."""
        return any(worker.sweeps for worker in await self.store.workers.all())

    async def leave(self) -> None:
        """Be one of them no more: what it had in hand is given back already, or others see to it."""
        await self.store.workers.lose([self.membership.token], now=self.clock.now())

    async def beat(self) -> None:
        """Be heard until cancelled, and look after the others.

        Raises:
            GivenUp: This worker was not heard for too long.
        """
        while True:
            try:
                await self.round()
            except GivenUp:
                raise
            except Unavailable as trouble:
                log.warning("not heard", reason=str(trouble))
            self.came_round()
            await self.clock.sleep(self.stalled / 6)

    async def round(self) -> None:
        """Be heard once, and look after the others once."""
        await self.store.workers.beat(
            self.membership.token, engine=self.tasks.engine, sweeps=self.sweeping, now=self.clock.now()
        )
        self.restoring = bool(await self.store.facts.number(RESTORING))
        for quota in self.quotas:
            await quota.settle()
        await self._look_after()
        if self.sweeping:
            await self.tasks.forget()

    async def _look_after(self) -> None:
        workers, held, now = await self.store.workers.all(), await self.membership.slots_held(), self.clock.now()
        gone = [
            worker
            for worker in workers
            if worker.token != self.membership.token
            and (worker.slot not in held or worker.heard_at < now - self.stalled)
        ]
        for worker in gone:
            if worker.slot in held:  # it stands still: whatever it wakes to do, it commits nothing any more
                await self.membership.cut_off(worker.token)
            log.warning("a worker is gone", slot=worker.slot, name=worker.name, silent=round(now - worker.heard_at, 1))
        if gone:
            await self.store.workers.lose([worker.token for worker in gone], now=now)
        engines = [worker.engine for worker in gone if worker.engine is not None]
        if given := await self.tasks.give_back(engines, stalled=self.stalled):
            log.warning("batches taken over", batches=given)
