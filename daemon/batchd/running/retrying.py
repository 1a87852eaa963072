"""What the world cannot do just now (disk full, database locked, API away) is done later, and not given up."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from batchd.decisions.batch.backoff import PATIENCE
from batchd.edges.clock import Clock
from batchd.errors import Unavailable

T = TypeVar("T")
log = structlog.get_logger()


async def retry(work: Callable[[], Awaitable[T]], clock: Clock, **about: object) -> T:
    """Repeat a piece of work until it succeeds, at a growing interval.

    Args:
        work: May be repeated.
        clock: By which to wait.
        about: What the log says of it.
    """
    began = clock.now()
    while True:
        try:
            return await work()
        except Unavailable as trouble:
            reason = str(trouble)
        except OSError as trouble:
            # Its file may be named after what a user wrote, so only what went wrong is told.
            reason = trouble.strerror or type(trouble).__name__
        log.warning("waiting", reason=reason, **about)
        await clock.sleep(PATIENCE.delay_randomly(clock.now() - began))
