"""Puts the page on its socket, until it is told to end."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import uvicorn

from batchd.page.app import application
from batchd.page.listening import Listening, listening
from batchd.settings import Settings

_GRACE: Final = 2
"""Seconds for open streams and downloads to end."""
_NICENESS: Final = 10
"""A commit of the daemon hands over from thread to thread some thirty times; beside an equal it queues each time."""


def give_way() -> None:
    """Let the daemon go first where both want a processor; on a machine that has one free nothing gets slower.

    It is refused where the unit forbids it, which has then said the same by `Nice=`.
    """
    with suppress(OSError):
        os.nice(max(_NICENESS - os.getpriority(os.PRIO_PROCESS, 0), 0))


async def serve(settings: Settings, flags: Sequence[str], started: Callable[[Listening], None]) -> None:
    """Serve the page, until SIGTERM or SIGINT.

    Args:
        flags: By which a command finds the same settings.
        started: Told where it listens, once it does.

    Raises:
        Unusable: The settings are wrong, or it cannot listen there.
    """
    give_way()
    app, where = application(settings, flags), listening(settings.page.listen)
    bound = where.bind()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE,
            timeout_keep_alive=30,
        )
    )
    try:
        started(where if where.path is not None else Listening(where.host, bound.getsockname()[1]))
        await server.serve(sockets=[bound])
    finally:
        bound.close()
        if where.path is not None:
            where.path.unlink(missing_ok=True)
