"""`batchd run`: the daemon in the foreground."""

import os
import resource
import signal
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final

import anyio
import typer

from batchd.cli.console import err
from batchd.cli.exit_codes import DONE, FAILED
from batchd.cli.logs import set_up_logs
from batchd.cli.options import Chosen, takes_settings

_QUICK: Final[Mapping[str, object]] = {"poll": {"initial": 0.5, "max": 5.0}, "api": {"requests_per_minute": 6000}}
"""Defaults with a sandbox, which is quick and has no limits."""


@takes_settings
def run(  # noqa: PLR0913  its flags
    chosen: Chosen,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Take what is in the inbox, work until every job has finished, and end.")
    ] = False,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Against an embedded stand-in of the API: no key, no cost, no network.")
    ] = False,
    restored: Annotated[
        bool,
        typer.Option(
            "--restored",
            help="The state folder is old, or a backup: find what was paid since at the API, deliver it, and only then "
            "send what is missing.",
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log debug messages too.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Log only warnings and errors.")] = False,
) -> int:
    """Run the daemon in the foreground, until SIGTERM or SIGINT.

    Files dropped into the inbox become jobs, and their answers appear in the
    outbox. Stopping or killing it loses nothing and pays nothing twice: paid
    batches go on at the API, and the next start picks them up.

    [bold]Examples[/bold]
      batchd run
      batchd run --once --sandbox
      batchd run --inbox /srv/in --set poll.initial=30

    [bold]Exit codes[/bold] 0 stopped; 2 wrong setting, no key, or another
    daemon works on the state folder. With --once: 0 every job is complete; 1
    some are not, or a file was rejected.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        # Until the daemon listens for them itself, nothing is under way that could not be left at once.
        signal.signal(number, _leave)
    # One that comes before there is anything to read anew.
    signal.signal(signal.SIGHUP, signal.SIG_DFL if err().is_terminal else signal.SIG_IGN)
    load = partial(chosen.settings, _QUICK if sandbox else None)
    settings = load()
    from batchd.cli.serving import serve  # noqa: PLC0415  the SDK, which `batchd status` must not wait for

    show = err() if once and err().is_terminal else None
    set_up_logs(verbose=verbose, quiet=quiet or (show is not None and not verbose))
    # A core file would hold prompts and the key.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    all_well = anyio.run(
        partial(serve, settings, once=once, restored=restored, in_sandbox=sandbox, show=show, load=load)
    )
    return DONE if all_well or not once else FAILED


def _leave(_number: int, _frame: object) -> None:
    """End at once, before the daemon listens to signals itself: nothing was sent yet, and kills lose nothing.

    An exception would come up wherever the event loop is just then, and be taken for a failure of that.
    """
    os._exit(DONE)
