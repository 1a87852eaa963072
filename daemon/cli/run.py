"""`batchd run`: the daemon in the foreground."""

import resource
from contextlib import AsyncExitStack
from typing import Annotated

import anyio
import typer

from daemon import app
from daemon.cli.console import err
from daemon.cli.ending import DONE, FAILED
from daemon.cli.logs import set_up_logs
from daemon.cli.options import Chosen, takes_settings
from daemon.cli.stand_in import KEY, QUICK, sandboxed
from daemon.cli.watching import shown
from daemon.settings import Settings, find_api_key


@takes_settings
def run(
    chosen: Chosen,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Take what is in the inbox, work until every job has finished, and end.")
    ] = False,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Against an embedded stand-in of the API: no key, no cost, no network.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log debug messages too.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Log only warnings and errors.")] = False,
) -> int:
    """Run the daemon in the foreground, until SIGTERM or SIGINT.

    Files dropped into the inbox become jobs, their answers appear in the outbox. Stopping it, or killing it,
    loses nothing and pays nothing twice: paid batches go on at the API, and the next start picks them up.

    Examples:
      batchd run                                 with $ANTHROPIC_API_KEY set
      batchd run --once --sandbox                try the files in ./inbox, for nothing
      batchd run --inbox /srv/in --set poll.initial=30

    Exit codes: 0 stopped; 2 wrong setting, no key, or another daemon works on the state folder.
    With --once: 0 every job is complete, 1 some are not, or a file was rejected.
    """
    live = once and err().is_terminal
    set_up_logs(verbose=verbose, quiet=quiet or (live and not verbose))
    # A core file would hold prompts and the key.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    settings = chosen.settings(QUICK if sandbox else None)
    key = KEY if sandbox else find_api_key()
    all_well = anyio.run(_serve, settings, key, once, sandbox, live)
    return DONE if all_well or not once else FAILED


async def _serve(settings: Settings, key: str | None, once: bool, sandbox: bool, live: bool) -> bool:  # noqa: FBT001  handed on by anyio.run
    async with AsyncExitStack() as around:
        if sandbox:
            settings = await around.enter_async_context(sandboxed(settings))
        if live:
            await around.enter_async_context(shown(app.database_of(settings), err()))
        return await app.serve(settings, key, once=once)
