"""`batchd backup` and `restore`: the state of an installation, saved while it is in use, and put in place elsewhere."""

import os
import time
from pathlib import Path
from typing import Annotated, Final

import anyio
import typer

from batchd.cli.console import cell, hush_libraries, out, printable
from batchd.cli.exit_codes import DONE
from batchd.cli.installed import installed
from batchd.cli.options import Chosen, takes_settings
from batchd.decisions.report import timestamp
from batchd.edges import backups, disk, trees
from batchd.edges.backups import Summary
from batchd.edges.clock import Clock
from batchd.edges.lock import daemon_runs
from batchd.edges.store import DATABASE, write_to_store
from batchd.edges.store.facts import EPOCH, INTENTS
from batchd.errors import Unusable
from batchd.settings import settings_file

_UNTIL_HEARD: Final = 1.0
"""Seconds in which a removal ends that had begun before it was asked that none begin."""
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the backup.", show_default=False)]


@takes_settings
def backup(chosen: Chosen, *, folder: Folder) -> int:
    """Save the state of this installation, while the daemon runs.

    The folder holds the database, what it needs of the state folder, the
    settings and `backup.json` with a hash of each file. It holds prompts and
    parts of answers: keep it as safe as the outbox. The outbox is yours to save.

    [bold]Example[/bold]
      batchd backup /mnt/backup/batchd-$(date +%F)

    [bold]Exit codes[/bold] 0 done; 2 the folder is not empty, no installation,
    or a disk refuses.
    """
    hush_libraries()
    settings = chosen.settings()
    state = settings.state
    database = installed(settings)
    if not isinstance(database, Path):
        raise Unusable("the database is a server's: back it up there, with pg_dump or its own backups (docs/fleet.md)")
    folder = _absolute(folder)
    if _within(folder, [state, settings.inbox, settings.outbox]):
        raise Unusable(f"{folder} lies in the inbox, the outbox or the state folder: name another place")
    backups.make_folder(folder)
    try:
        with disk.removals_stopped(state):
            if daemon_runs(state):
                time.sleep(_UNTIL_HEARD)
            files = backups.copy_state(state, database.name, folder)
        if (toml := settings_file(chosen.config)) is not None and toml.is_file():  # /dev/null is nothing to keep
            files |= backups.copy_file(toml, folder, backups.SETTINGS)
        facts = backups.facts_of(folder / database.name)
        epoch, intents = int(facts.get(EPOCH, 0)), int(facts.get(INTENTS, 0))
        made = timestamp(Clock().now())
        backups.sign(folder, Summary(facts["installation"], epoch, intents, made, files))
    except OSError as error:
        raise Unusable(f"{folder}: the backup is not whole: {error.strerror}") from error
    out().print(cell(f"{len(files):,} files in {printable(str(folder))}; the outbox is not among them"))
    return DONE


@takes_settings
def restore(chosen: Chosen, *, folder: Folder) -> int:
    """Put a backup in place: into a state folder that is empty, or not there.

    Every file is compared with its hash first. The state is marked: it starts
    with `batchd run --restored` alone, which finds what was paid since the
    backup, and sends nothing before that.

    [bold]Example[/bold]
      batchd restore /mnt/backup/batchd-2026-11-27
      batchd run --restored

    [bold]Exit codes[/bold] 0 done; 2 the state folder is not empty, or the
    backup is not as it was; nothing was changed.
    """
    hush_libraries()
    settings = chosen.settings()
    if settings.store:
        raise Unusable(
            "the database is a server's: restore it there, and start `batchd run --restored` (docs/fleet.md)"
        )
    state = Path(os.path.realpath(settings.state))
    folder = _absolute(folder)
    _assert_empty(state)
    summary = backups.verified(folder)
    new = state.with_name(f".{state.name}.restored")
    try:
        disk.prepare(state.parent)
        backups.fill(folder, summary, new)
        anyio.run(_mark, new / DATABASE)
        (state / "lock").unlink(missing_ok=True)
        new.rename(state)
        disk.sync_folder(state.parent)
    except OSError as error:
        trees.remove_path(new)
        raise Unusable(f"{state} cannot be filled: {error.strerror}; nothing was restored") from error
    out().print(cell(f"{printable(str(state))} is as it was at {summary.made_at}"))
    if backups.SETTINGS in summary.files:
        out().print(
            cell(f"its settings lie in {printable(str(folder / backups.SETTINGS))}: they are yours to put in place")
        )
    out().print(cell("start it with `batchd run --restored`"))
    return DONE


async def _mark(database: Path) -> None:
    async with write_to_store(database) as store:
        await store.facts.note_restored()
        await store.database.give_back_log()


def _assert_empty(state: Path) -> None:
    try:
        there = {entry.name for entry in state.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unusable(f"{state} cannot be read: {error.strerror}") from error
    if there - {"lock"}:
        raise Unusable(f"the state folder {state} is not empty: set another one with --state, or move it away")
    if daemon_runs(state):
        raise Unusable(f"a daemon works on {state}: stop it first")


def _absolute(folder: Path) -> Path:
    return Path(os.path.realpath(folder))


def _within(folder: Path, places: list[Path]) -> bool:
    return any(folder.is_relative_to(os.path.realpath(place)) for place in places)
