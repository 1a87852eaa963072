"""One of many workers: it carries what the timetable says, and sweeps while it has the lock for that.

To sweep is all that a daemon does alone: it takes files in, packs, delivers, and tells people.
"""

import signal
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import anyio
import structlog

from batchd.dispatcher import GRACE, Dispatcher
from batchd.edges.clock import Clock
from batchd.edges.store import Membership
from batchd.edges.systemd import notify
from batchd.errors import Occupied
from batchd.journey.carrying import Carrying
from batchd.journey.sender import Sender
from batchd.running.accounts import Accounts
from batchd.running.fellowship import Fellowship
from batchd.running.watchdog import Watchdog

log = structlog.get_logger()

_KNOCK = 0.5
"""Seconds between two tries to become the one that sweeps."""


@dataclass(slots=True)
class Worker:
    """A worker, put together."""

    fellowship: Fellowship
    membership: Membership
    carrying: Carrying
    carry: Callable[[], Awaitable[None]]
    """Carries what is due, for ever."""
    sender: Sender
    accounts: Accounts
    watchdog: Watchdog
    clock: Clock
    dispatcher: Callable[[], Awaitable[Dispatcher]]
    """Puts together what sweeps."""
    alone: Callable[[], AbstractContextManager[None]]
    """Holds the state folder, so that commands know of a daemon; raises `Occupied` where another still does."""
    _sweeper: Dispatcher | None = None

    async def run(self, *, restored: bool) -> bool:
        """Work until told to stop.

        Args:
            restored: Whether the state is known to be old.

        Raises:
            Unusable: The installation cannot work.
            Unavailable: The database is lost, or this worker was given up.
        """
        await self.fellowship.join()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._stop_on_signal, tasks.cancel_scope)
                tasks.start_soon(self.fellowship.beat)
                tasks.start_soon(self._sweep, restored)
                tasks.start_soon(self._carry)
                tasks.start_soon(self._end_where_it_cannot_work)
                tasks.start_soon(self.accounts.keep_looking)
                tasks.start_soon(self.watchdog.feed)
                notify("READY=1")
                log.info("ready", slot=self.membership.slot, name=self.fellowship.name)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(GRACE):
                await self.fellowship.leave()
        return True

    async def _carry(self) -> None:
        while not await self.fellowship.somebody_sweeps():
            await self.clock.sleep(_KNOCK)
        await self.fellowship.round()
        await self.carry()

    async def _sweep(self, restored: bool) -> None:  # noqa: FBT001  a task's arguments have no names
        while not await self.membership.sweeps():
            await self.clock.sleep(_KNOCK)
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(self.alone())
                except Occupied:  # that of a host that is gone, until the shared file system has noticed
                    await self.clock.sleep(_KNOCK)
                else:
                    break
            self._sweeper = await self.dispatcher()
            log.info("this worker takes, packs and delivers", slot=self.membership.slot)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._tell_of_sweeping, self._sweeper)
                await self._sweeper.work(restored=restored)

    async def _tell_of_sweeping(self, sweeper: Dispatcher) -> None:
        await sweeper.ready.wait()
        self.fellowship.sweeping = True
        await self.fellowship.round()

    async def _end_where_it_cannot_work(self) -> None:
        await self.carrying.ended.wait()
        if self.carrying.unusable is not None:
            raise self.carrying.unusable

    async def _stop_on_signal(self, scope: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for number in signals:
                if number is signal.SIGHUP:
                    log.warning("the settings of many workers are read anew by a restart, one worker after the other")
                    continue
                log.info("stopping", signal=signal.Signals(number).name)
                notify("STOPPING=1")
                with anyio.move_on_after(GRACE):
                    async with anyio.create_task_group() as ending:
                        ending.start_soon(self.sender.stop)
                        if self._sweeper is not None:
                            ending.start_soon(self._sweeper.drain, GRACE)
                scope.cancel()
                return
