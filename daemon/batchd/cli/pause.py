"""`batchd pause` and `resume`: nothing more is sent for a while; what is out is collected and delivered."""

import getpass
from datetime import datetime
from typing import Annotated, Final

import anyio
import typer
from anyio import to_thread

from batchd.cli.console import cell, data, hush_libraries, moment, out, printable
from batchd.cli.exit_codes import DONE, Failure
from batchd.cli.installed import installed
from batchd.cli.options import Chosen, takes_settings
from batchd.edges.clock import Clock
from batchd.edges.store import Pause, write_to_store
from batchd.errors import Unusable
from batchd.formats import signed
from batchd.settings import Settings
from batchd.standing.pauses import pause_as_data
from batchd.text.moments import moment_to_come

_LONGEST: Final = 1_000
Folder = Annotated[
    str | None,
    typer.Option(metavar="FOLDER", help="Only jobs of this folder of the inbox, and below it.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@takes_settings
def pause(
    chosen: Chosen,
    *,
    folder: Folder = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for others.", show_default=False)] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When it ends of itself: 18:30, by this machine's clock, or RFC 3339.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Send nothing more until it is resumed.

    What is at the API already is polled, collected, delivered and cancelled as
    ever, and files are taken, so that what is wrong with them is told. A pause
    outlives restarts. `batchd status` and `outbox/paused.json` say who paused
    what, since when and why.

    [bold]Examples[/bold]
      batchd pause --reason "the budget is being talked about"
      batchd pause --folder legal --until 18:30

    [bold]Exit codes[/bold] 0 done; 2 a wrong call, or no installation.
    """
    hush_libraries()
    settings, now = chosen.settings(), Clock().now()
    ends = None if until is None else _end(until, now)
    asked = Pause(_folder(folder), now, ends, getpass.getuser(), None if reason is None else reason[:_LONGEST])
    pauses = anyio.run(_begin, settings, asked)
    if as_json:
        out().print(data({**signed("pause"), "paused": [pause_as_data(each) for each in pauses]}), soft_wrap=True)
    else:
        what = "everything" if asked.folder is None else f"folder {printable(asked.folder)}"
        when = "until `batchd resume`" if ends is None else f"until {moment(ends)}"
        out().print(cell(f"{what} is paused {when}: nothing more of it is sent, what is at the API is delivered"))
    return DONE


@takes_settings
def resume(chosen: Chosen, *, folder: Folder = None, as_json: AsJson = False) -> int:
    """Send again what was paused: everything, or one folder.

    [bold]Examples[/bold]
      batchd resume
      batchd resume --folder legal

    [bold]Exit codes[/bold] 0 done, or nothing was paused; 1 the folder is not
    paused by itself, but everything or a folder above it is; 2 no installation.
    """
    hush_libraries()
    which = _folder(folder)
    ended, pauses = anyio.run(_end_pauses, chosen.settings(), which)
    if as_json:
        out().print(
            data({**signed("resume"), "resumed": ended, "paused": [pause_as_data(each) for each in pauses]}),
            soft_wrap=True,
        )
    elif ended:
        out().print(cell(f"{ended} {'pause has' if ended == 1 else 'pauses have'} ended"))
    else:
        out().print(cell("nothing was paused" if which is None else f"folder {printable(which)} was not paused"))
    around = [each.folder for each in pauses if which and _holds(each.folder, which)]
    if around:
        still = "everything" if around[0] is None else f"folder {printable(around[0])}"
        raise Failure(f"{still} is still paused: `batchd resume` ends every pause")
    return DONE


def _holds(around: str | None, folder: str) -> bool:
    return around is None or folder.startswith(f"{around}/")


def _folder(said: str | None) -> str | None:
    if said is None:
        return None
    name = said.strip("/")
    if not name or name in {".", ".."}:
        raise Unusable(f"--folder {said!r}: name a folder of the inbox, or leave it out for everything")
    return name


def _end(said: str, now: float) -> float:
    found = moment_to_come(said, datetime.fromtimestamp(now).astimezone())
    if found is None:
        raise Unusable(f"--until {said!r}: write 18:30, by this machine's clock, or a moment as 2026-11-27T18:30:00Z")
    if found.timestamp() <= now:
        raise Unusable(f"--until {said!r}: that is over; name a moment to come")
    return found.timestamp()


async def _begin(settings: Settings, asked: Pause) -> list[Pause]:
    database = await to_thread.run_sync(installed, settings)
    async with write_to_store(database) as store:
        await store.pauses.begin(asked)
        return await store.pauses.all()


async def _end_pauses(settings: Settings, folder: str | None) -> tuple[int, list[Pause]]:
    database = await to_thread.run_sync(installed, settings)
    async with write_to_store(database) as store:
        ended = await store.pauses.end(folder)
        return ended, await store.pauses.all()
