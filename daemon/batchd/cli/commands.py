"""The command line: all commands, in the order in which a user meets them.

Only the module of the command that is called is imported: each brings libraries that the others never use.
"""

import sys
from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Annotated, Final, NamedTuple

import typer
from typer.main import get_command

from batchd.cli import exit_codes
from batchd.cli.console import out
from batchd.cli.parameters import PlainCommand, PlainGroup

NAME = "batchd"


class _Command(NamedTuple):
    module: str
    """Of `batchd.cli`, in which a function has the command's name, or a `Typer` where it has commands of its own."""
    summary: str
    """What its docstring, or its help, begins with."""


COMMANDS: Final[Mapping[str, _Command]] = {
    "demo": _Command("demo", "See it work, in seconds: no key, no cost, no network."),
    "doctor": _Command("doctor", "Find out whether this installation is able to work."),
    "check": _Command("check", "Validate and price files offline: nothing is spent, or touched."),
    "run": _Command("run", "Run the daemon in the foreground, until SIGTERM or SIGINT."),
    "status": _Command("status", "Show what is under way, what it has cost, when the next poll is."),
    "costs": _Command("costs", "Tell what was spent, and what the same tokens would have cost without batches."),
    "submit": _Command("submit", "Drop what is to be asked, and print the job's name."),
    "wait": _Command("wait", "Wait until jobs have ended."),
    "results": _Command("results", "Print what came of a job, in the order of its file."),
    "page": _Command("page", "Show jobs, batches and costs in a browser, and what waits for a person."),
    "cancel": _Command("job_commands", "Cancel a job: nothing more is sent, and its batches are stopped."),
    "retry": _Command("job_commands", "Send the failed requests of a finished job again."),
    "amend": _Command("amend", "Put rows or requests of a finished job right, in the same folder."),
    "release": _Command("job_commands", "Let a held job go on: past its budget, or to ask after its batches again."),
    "pause": _Command("pause", "Send nothing more until it is resumed."),
    "resume": _Command("pause", "Send again what was paused: everything, or one folder."),
    "prune": _Command("prune", "Remove what has been kept long enough."),
    "backup": _Command("backup", "Save the state of this installation, while the daemon runs."),
    "restore": _Command("backup", "Put a backup in place: into a state folder that is empty, or not there."),
    "resolve": _Command("resolve", "Decide about a batch whose submission stayed in doubt."),
    "service": _Command("service", "Make batchd a service of systemd, or take it away."),
    "notify": _Command("notify", "Try who is told of what happens, and see what they were told."),
    "completion": _Command("completion", "Print what makes a shell complete commands, options and names of jobs."),
    "sandbox": _Command("sandbox", "Run the API's stand-in alone, for other programs and tests."),
}
"""By name, in the order of need."""

_ABOUT = """Files in, long documents out: requests that are dropped into a folder are
answered through Claude's Message Batches API, at half the price. Nothing is
lost, and nothing is paid for twice.

Try it without a key and without cost:
  batchd demo

Then, with $ANTHROPIC_API_KEY set:
  batchd run &
  echo "Write a handbook of beekeeping in twenty chapters." > inbox/bees.md
  batchd status --watch

Exit codes: 0 done, 1 the work failed, 2 wrong call or setting.
"""


def _show_version(wanted: bool) -> None:  # noqa: FBT001  typer calls it so
    if wanted:
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  it is slow, and rarely asked for

        try:
            number = version(NAME)
        except PackageNotFoundError:
            number = "(not installed)"
        out().print(f"{NAME} {number}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that precede the command."""
    del version


def command_line(called: Collection[str]) -> typer.Typer:
    """Lay out all commands, and import those that are called; the others only have their names and summaries."""
    app = typer.Typer(
        name=NAME,
        cls=PlainGroup,
        help=_ABOUT,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(_options)
    for name, (module, summary) in COMMANDS.items():
        if name in called:
            found = getattr(import_module(f"batchd.cli.{module}"), name)
            if isinstance(found, typer.Typer):
                app.add_typer(found, name=name)
            else:
                app.command(name, cls=PlainCommand)(found)
        else:
            app.command(name, help=summary)(_not_imported)
    return app


def _not_imported() -> None:
    raise LookupError("only commands that are called can be run")


def main() -> int:
    """Run the command that the program was called with, and give its exit code."""

    def run() -> int | None:
        # No option that precedes the command has a value.
        called = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
        found: int | None = get_command(command_line({called})).main(prog_name=NAME, standalone_mode=False)
        return found

    return exit_codes.exit_code_of(run)
