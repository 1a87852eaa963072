"""What is paused, as the running daemon knows it: told in `outbox/paused.json`, and ended when its time is over."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog
from anyio import to_thread

from batchd.edges import disk
from batchd.edges.clock import Clock
from batchd.edges.store import Pause, Store
from batchd.standing.pauses import pause_as_data

NAME: Final = "paused.json"
log = structlog.get_logger()


class PauseNotice:
    """Keeps the file in step with the store."""

    def __init__(self, store: Store, clock: Clock, outbox: Path) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._told: Sequence[Pause] | None = None

    async def look(self) -> float | None:
        """End the pauses whose time is over, and tell of the others.

        Returns:
            Seconds after which the next ends of itself; None where none does.

        Raises:
            OSError: The disk refuses: it is told later.
        """
        now = self._clock.now()
        if ended := await self._store.pauses.end_due(now):
            log.info("pauses are over", count=ended)
        pauses = await self._store.pauses.all()
        if pauses != self._told:
            await to_thread.run_sync(_tell, self._outbox, pauses)
            if pauses or self._told:
                event = "paused" if pauses else "nothing is paused any more"
                log.info(event, folders=[each.folder or "all" for each in pauses])
            self._told = pauses
        return min((pause.until - now for pause in pauses if pause.until is not None), default=None)


def _tell(outbox: Path, pauses: Sequence[Pause]) -> None:
    with disk.opened(outbox) as folder:
        if pauses:
            said = msgspec.json.format(
                msgspec.json.encode({"paused": [pause_as_data(each) for each in pauses]}), indent=2
            )
            disk.write_whole(folder, NAME, [said + b"\n"])
        else:
            disk.unlink_at(folder, NAME)
    disk.sync_folder(outbox)
