"""The end: a signal stops the daemon, or has it read its settings anew; what is in flight is waited for."""

import signal
import sys
import time

import anyio
import anyio.abc
import structlog

from batchd.dispatcher.rooms import Rooms
from batchd.edges.systemd import notify

log = structlog.get_logger()

GRACE = 5.0
"""Seconds that a stop waits for creates and streams in flight, so that none is left in doubt; systemd gives us more."""
PATIENCE = 600.0
"""Seconds that new settings wait for the same: nothing new is begun by the old ones meanwhile."""


class Stopping:
    """Ends the task tree."""

    def __init__(self, rooms: Rooms) -> None:
        """Go on until told to stop.

        Args:
            rooms: Where the work is done.
        """
        self._rooms = rooms
        self.cut_short = False
        """Whether a signal has stopped it: how its work would have ended is not known."""
        self.reloaded = False
        """Whether it has ended since other settings hold now."""

    async def on_signal(self, scope: anyio.CancelScope) -> None:
        """Wait for signals, and end the task tree when one says so."""
        # A terminal that is closed sends SIGHUP as well, and then nobody wants to go on.
        stops = {signal.SIGTERM, signal.SIGINT} | ({signal.SIGHUP} if sys.stderr.isatty() else set())
        async with anyio.create_task_group() as tasks:
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
                async for number in signals:
                    if number not in stops:
                        tasks.start_soon(self._reload, scope)
                        continue
                    log.info("stopping", signal=signal.Signals(number).name)
                    self.cut_short = True
                    self.reloaded = False
                    notify("STOPPING=1")
                    await self.drain(GRACE)
                    scope.cancel()
                    return

    async def _reload(self, scope: anyio.CancelScope) -> None:
        """Read the settings anew, and end, for others to begin by them, where others hold now."""
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}")
        if not await self._rooms.reloading.read():
            self._rooms.notifier.take_up()
            notify("READY=1")
            return
        self.reloaded = True
        await self.drain(PATIENCE)
        scope.cancel()

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, and wait until no create and no stream is in flight."""
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as ending:
                ending.start_soon(self._rooms.sync_sender.stop)
                ending.start_soon(self._rooms.sender.stop)
