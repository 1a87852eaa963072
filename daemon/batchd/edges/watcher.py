"""Rings when something may have happened in the inbox; a scan finds out what.

A watcher loses events, misses files in folders that are moved in, and dies of a name that is not UTF-8 (seen with
watchfiles 1.3). So only speed depends on it: it is rebuilt whenever it fails, and the rescan finds every file.
"""

from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path

import anyio
import structlog
from watchfiles import awatch

logger = structlog.get_logger(__name__)

DEBOUNCE_MS = 50
STEP_MS = 10
"""With both an event arrives 20 ms after a rename; with the defaults after 99 ms."""
GLANCE_MS = 1_000
"""How often to see whether the watched folder is still the one of that name."""
PAUSE = 1.0
"""Seconds before a watcher that failed is rebuilt; doubled while that fails too, as with no watches left."""
LONGEST_PAUSE = 30.0


async def watch(inbox: Path, bell: Callable[[], None], *, force_polling: bool, stop: anyio.Event) -> None:
    """Ring whenever something may have happened in the inbox, until stopped or cancelled; either takes effect at once.

    It also rings when a watcher begins, since nothing was seen before.

    Args:
        inbox: The folder; it may be missing, or replaced at any time.
        bell: Called in the event loop; rings that come to nothing must be cheap.
        force_polling: For file systems without events, such as NFS and SMB.
        stop: Ends the watching when set.
    """
    pause = PAUSE
    told = ""
    while not stop.is_set():
        begun = anyio.current_time()
        try:
            await _watch_one(inbox, bell, force_polling=force_polling, stop=stop)
        except Exception as error:  # noqa: BLE001  whatever a watcher dies of, the next one may live, and a rescan comes
            reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            if reason != told:
                logger.warning("watcher failed", reason=reason, until="a rescan finds what is dropped")
                told = reason
        if stop.is_set():
            break
        bell()
        if anyio.current_time() - begun > pause:
            pause, told = PAUSE, ""
        with anyio.move_on_after(pause):
            await stop.wait()
        pause = min(pause * 2, LONGEST_PAUSE)


async def _watch_one(inbox: Path, bell: Callable[[], None], *, force_polling: bool, stop: anyio.Event) -> None:
    """Watch until the folder of this name is another one."""
    identity = await _identity(inbox)
    if identity is None:
        return
    over = anyio.Event()
    async with anyio.create_task_group() as tasks:
        # awatch waits in a thread, which a cancelled scope cannot interrupt; this event can, and its task hears of
        # a cancellation at once.
        tasks.start_soon(_set_at_end, over, stop)
        changes = awatch(
            inbox,
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            stop_event=over,
            rust_timeout=GLANCE_MS,
            yield_on_timeout=True,
            force_polling=force_polling,
            recursive=True,
            ignore_permission_denied=True,
        )
        bell()
        watching = False
        async with aclosing(changes):
            async for seen in changes:
                if seen or not watching:
                    watching = True  # only now surely: what came between the first ring and this went unseen
                    bell()
                elif await _identity(inbox) != identity:
                    break
        tasks.cancel_scope.cancel()


async def _set_at_end(over: anyio.Event, stop: anyio.Event) -> None:
    try:
        await stop.wait()
    finally:
        over.set()


async def _identity(folder: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        stat = await anyio.Path(folder).stat()
        return stat.st_dev, stat.st_ino
    return None
