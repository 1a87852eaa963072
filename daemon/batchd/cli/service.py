"""`batchd service`: the files that make batchd a service of systemd, written, removed and shown."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Final

import typer

from batchd.cli.console import cell, out
from batchd.cli.exit_codes import DONE, FAILED, complain
from batchd.cli.parameters import PlainCommand, PlainGroup
from batchd.cli.service_plan import (
    DAEMON,
    OF_A_PACKAGE,
    OF_THE_MACHINE,
    PAGE,
    Folders,
    Planned,
    next_commands,
    of_a_user,
    out_of_sight,
    passing,
    planned,
)
from batchd.edges.installing import Standing, beside, remove, standing, write
from batchd.errors import Unusable

service = typer.Typer(
    cls=PlainGroup,
    rich_markup_mode="rich",
    help="""Make batchd a service of systemd, or take it away.

Writes files and starts nothing: each command names the files that it wrote or
removed, and the commands that come next.

[bold]Example[/bold]
  batchd service install --user --dry-run
  sudo batchd service install

[bold]Exit codes[/bold] 0 done; 1 nothing is installed; 2 wrong call, or a command
that the service could not see.
""",
)

User = Annotated[bool, typer.Option("--user", help="Of your own systemd, without root; else of the machine.")]
WithPage = Annotated[bool, typer.Option("--page", help="The page too: batchd-page.service.")]
_STATE_FOLDERS: Final = 254
"""The systemd from which on `%S` is `$XDG_STATE_HOME` in a user's unit (systemd.unit(5), specifiers)."""
_LIES_AT: Final = {
    Standing.ABSENT: "absent",
    Standing.CURRENT: "as written",
    Standing.OUTDATED: "of another release",
    Standing.CHANGED: "changed",
}


@service.command(cls=PlainCommand)
def install(
    *,
    user: User = False,
    page: WithPage = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the files, and write nothing.")] = False,
) -> int:
    """Write the unit, and what it needs beside it.

    The unit starts this very command. A file that somebody has changed is
    never overwritten: what it would say is written beside it, as `.new`.
    Calling it again changes nothing, and brings the files up to date after an
    update.

    [bold]Example[/bold]
      batchd service install --user --dry-run
      sudo batchd service install --page

    [bold]Exit codes[/bold] 0 done; 2 not root, or a command that the service could not see.
    """
    folders = _folders(user=user)
    command = _command()
    _refuse_what_cannot_start(command, folders, dry_run=dry_run)
    files = planned(folders, texts(), command, page=page, state=_state() if user else None)
    if dry_run:
        for file in files:
            out().print(cell(f"would write {file.path}:", "bold"))
            for line in file.text.splitlines():
                out().print(cell(f"  {line}"))
    else:
        _need_root(folders)
        for file in files:
            out().print(cell(_installed(file)))
    out().print(cell("Next:", "bold"))
    for line in next_commands(folders, page=page, key=_key(folders)):
        out().print(cell(f"  {line}"))
    return DONE


@service.command(cls=PlainCommand)
def uninstall(
    *,
    user: User = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
) -> int:
    """Remove the files that `install` wrote; settings, key and data stay.

    A file that somebody has changed stays, too, and is named. A service that
    is still enabled has to be stopped before, by the command that is printed.

    [bold]Example[/bold]
      sudo systemctl disable --now batchd && sudo batchd service uninstall

    [bold]Exit codes[/bold] 0 done; 1 nothing is installed; 2 not root, or still enabled.
    """
    folders = _folders(user=user)
    files = [file for file in _all_files(folders) if not file.settings]
    found = [(file, standing(file.path, file.text)) for file in files]
    if all(lies is Standing.ABSENT for _, lies in found):
        complain("no service is installed here" + (" for this user" if user else ""))
        return FAILED
    if not dry_run:
        _need_root(folders)
        _refuse_while_enabled(folders)
    for file, lies in found:
        if lies is Standing.CHANGED:
            out().print(cell(f"kept       {file.path} (changed: remove it yourself)"))
        elif lies is not Standing.ABSENT:
            if not dry_run:
                remove(file.path)
                remove(beside(file.path))
            out().print(cell(f"{'would go' if dry_run else 'removed':10} {file.path}"))
    out().print(cell("Kept: settings, key, inbox, outbox and state. Next:", "bold"))
    out().print(cell(f"  systemctl {'--user ' if user else ''}daemon-reload"))
    return DONE


@service.command(cls=PlainCommand)
def show(*, user: User = False) -> int:
    """Show which files are installed, whether somebody has changed them, and what they start.

    [bold]Example[/bold]
      batchd service show --user

    [bold]Exit codes[/bold] 0 shown; 1 nothing is installed.
    """
    folders = _folders(user=user)
    found = [(file, standing(file.path, file.text)) for file in _all_files(folders)]
    for file, lies in found:
        out().print(cell(f"{_LIES_AT[lies]:18} {file.path}"))
    unit = folders.units / DAEMON
    if unit.is_file():
        starts = re.findall(r"^ExecStart=(.+)$", unit.read_text("utf-8", "replace"), re.MULTILINE)
        out().print(cell(f"{'starts':18} {' '.join(starts)}"))
    return FAILED if all(lies is Standing.ABSENT for file, lies in found if not file.settings) else DONE


def _installed(file: Planned) -> str:
    """Bring one file to its place, and say what came of it."""
    match standing(file.path, file.text):
        case Standing.CURRENT:
            return f"unchanged  {file.path}"
        case Standing.CHANGED if file.settings:
            return f"kept       {file.path} (your settings)"
        case Standing.CHANGED:
            write(beside(file.path), file.text)
            return f"kept       {file.path} (changed; what it would say is in {beside(file.path)})"
        case Standing.ABSENT | Standing.OUTDATED as lies:
            write(file.path, file.text)
            remove(beside(file.path))
            return f"{'wrote' if lies is Standing.ABSENT else 'updated':10} {file.path}"


def _folders(*, user: bool) -> Folders:
    if user:
        return of_a_user(Path.home(), _home_of("XDG_CONFIG_HOME", ".config"))
    return OF_A_PACKAGE if (OF_A_PACKAGE.units / DAEMON).exists() else OF_THE_MACHINE


def _home_of(variable: str, default: str) -> Path:
    named = os.environ.get(variable, "")
    return Path(named) if named.startswith("/") else Path.home() / default


def _state() -> Path:
    """Say what `%S/batchd/state` is in a user's unit: below `$XDG_CONFIG_HOME` before systemd had one for states."""
    said = ""
    if systemctl := shutil.which("systemctl"):
        said = subprocess.run([systemctl, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603  a fixed call
    version = re.match(r"systemd (\d+)", said)
    if version and int(version[1]) < _STATE_FOLDERS:
        return _home_of("XDG_CONFIG_HOME", ".config") / "batchd" / "state"
    return _home_of("XDG_STATE_HOME", ".local/state") / "batchd" / "state"


def _key(folders: Folders) -> Path:
    return (_home_of("XDG_CONFIG_HOME", ".config") if folders.home else Path("/etc")) / "batchd" / "anthropic-api-key"


def _command() -> list[str]:
    """Say what started this process, in words that start it from anywhere."""
    called = sys.argv[0]
    if Path(called).name == "__main__.py":
        return [sys.executable, "-m", "batchd"]
    found = called if "/" in called else shutil.which(called) or called
    return [str(Path(found).absolute())]


def _refuse_what_cannot_start(command: list[str], folders: Folders, *, dry_run: bool) -> None:
    """Look at all that the command is made of: itself, its environment, its package, its Python.

    Raises:
        Unusable: The service would not see some of it, or it may be gone tomorrow.
    """
    ours = [Path(command[0]), Path(command[0]).resolve(), Path(sys.prefix), Path(__file__).resolve()]
    if gone := passing(ours):
        raise Unusable(
            f"{gone[0]}: this copy lies in a cache, and may be gone tomorrow; install it first: "
            "`uv tool install batchd` or `pipx install batchd`"
        )
    if folders.home:
        return
    if hidden := out_of_sight(ours):
        raise Unusable(
            f"{hidden[0]}: the service of the machine sees nothing below /home and /root; install batchd elsewhere, "
            "such as in /opt/batchd, or make it your own service: --user"
        )
    if hidden := out_of_sight([Path(sys.base_prefix).resolve()]):
        said = (
            f"{hidden[0]}: the Python of this environment lies where the service of the machine sees nothing; make the "
            "environment with the system's own, such as /usr/bin/python3 -m venv /opt/batchd"
        )
        if not dry_run:
            raise Unusable(said)
        complain(f"it would be refused: {said}")


def _need_root(folders: Folders) -> None:
    if folders is OF_A_PACKAGE:
        raise Unusable("the service came with this machine's package, and goes with it; see `batchd service show`")
    if folders.home is None and os.geteuid() != 0:
        raise Unusable("this writes into /etc: run it as root, or make it your own service with --user")


def _refuse_while_enabled(folders: Folders) -> None:
    enabled = [
        unit.removesuffix(".service")
        for unit in (DAEMON, PAGE)
        if any((wants / unit).is_symlink() for wants in folders.units.glob("*.wants"))
    ]
    if enabled:
        user = "--user " if folders.home else ""
        raise Unusable(f"it is enabled: `systemctl {user}disable --now {' '.join(enabled)}` first")


def _all_files(folders: Folders) -> list[Planned]:
    """All files of the service, the page's too where there is one."""
    mine = texts()
    page = f"{'user/' if folders.home else ''}{PAGE}" in mine
    return planned(folders, mine, _command(), page=page, state=_state() if folders.home else None)


def texts() -> dict[str, str]:
    """Read the package's unit files, by their names, such as `batchd.service` or `user/batchd.service`."""
    return {name: file.read_text("utf-8") for name, file in _lying_in(resources.files("batchd") / "service", "")}


def _lying_in(folder: Traversable, above: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _lying_in(entry, f"{above}{entry.name}/")
        elif entry.name.endswith((".service", ".conf")):
            yield f"{above}{entry.name}", entry
