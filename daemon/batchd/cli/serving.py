"""Runs the daemon for a command, with a sandbox in the same process where one is asked for.

Only imported by what serves: with all the daemon behind it, this takes half a second.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from msgspec.structs import replace

from batchd import app
from batchd.edges.lock import daemon_runs
from batchd.errors import Occupied
from batchd.settings import Settings, find_api_key

if TYPE_CHECKING:
    from rich.console import Console

log = structlog.get_logger()

_ANY_KEY: Final = "sk-sandbox"


async def serve(  # noqa: PLR0913  what a command can say
    settings: Settings,
    *,
    once: bool,
    in_sandbox: bool,
    show: "Console | None",
    restored: bool = False,
    load: Callable[[], Settings] | None = None,
) -> bool:
    """Run the daemon as `app.serve` does.

    Args:
        once: Whether to end when every job has finished.
        in_sandbox: Whether to use a sandbox instead of the API.
        load: Reads the settings anew.
        show: Where to show how the jobs get on; None leaves that to the log.

    Returns:
        Whether every job and file of this run came to a good end.
    """
    async with AsyncExitStack() as around:
        if in_sandbox:
            settings = await around.enter_async_context(_sandboxed(settings))
        if show is not None:
            from batchd.cli.live_view import shown  # noqa: PLC0415  where somebody looks

            await around.enter_async_context(shown(settings.database, show))
        find = (lambda: _ANY_KEY) if in_sandbox else partial(find_api_key, settings.api.key_file)
        return await app.serve(settings, find, once=once, restored=restored, sandbox=in_sandbox, load=load)


@asynccontextmanager
async def _sandboxed(settings: Settings) -> AsyncIterator[Settings]:
    """Run a sandbox whose batches survive `kill -9` as the daemon's do, and give it to the daemon for the API."""
    from batchd import sandbox  # noqa: PLC0415  a web server, and a third of a second

    if daemon_runs(settings.state):
        raise Occupied(f"another batchd works on {settings.state}")
    app.prepared(settings)
    async with sandbox.serve(sandbox.SandboxSettings(state=settings.state / "sandbox")) as server:
        log.info("sandbox: nothing is charged, and no model writes", url=server.base_url)
        yield replace(settings, api=replace(settings.api, base_url=server.base_url))
