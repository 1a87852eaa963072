"""The sandbox within the daemon's own process: no key, no cost, no network."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import structlog

from daemon import sandbox
from daemon.app import prepared
from daemon.edges.lock import daemon_runs
from daemon.errors import Occupied
from daemon.settings import Settings

log = structlog.get_logger()

KEY: Final = "sk-sandbox"
"""Any would do."""
QUICK: Final[Mapping[str, object]] = {"poll": {"initial": 0.5, "max": 5.0}, "api": {"requests_per_minute": 6000}}
"""What is used where the user said nothing: the sandbox is quick, and limits nobody."""


@asynccontextmanager
async def sandboxed(settings: Settings) -> AsyncIterator[Settings]:
    """Run a sandbox whose batches survive `kill -9` as the daemon's do, in the state folder.

    Args:
        settings: The daemon's.

    Yields:
        The same, with the sandbox for the API.

    Raises:
        Occupied: A daemon works on the state folder, with a sandbox of its own there perhaps.
    """
    if daemon_runs(settings.state):
        raise Occupied(f"another batchd works on {settings.state}")
    prepared(settings)
    async with sandbox.serve(sandbox.SandboxSettings(state=settings.state / "sandbox")) as server:
        log.info("sandbox: nothing is charged, and no model writes", url=server.base_url)
        api = settings.api.model_copy(update={"base_url": server.base_url})
        yield settings.model_copy(update={"api": api})
