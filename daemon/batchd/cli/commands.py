"""The command line: all commands, in the order in which a user meets them."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer
from typer.main import get_command

from batchd.cli import exit_codes
from batchd.cli.check import check
from batchd.cli.console import out
from batchd.cli.costs import costs
from batchd.cli.demo import demo
from batchd.cli.doctor import doctor
from batchd.cli.job_commands import cancel, release, retry
from batchd.cli.resolve import resolve
from batchd.cli.run import run
from batchd.cli.sandbox import sandbox
from batchd.cli.status import status

NAME = "batchd"

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

app = typer.Typer(
    name=NAME,
    help=_ABOUT,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001  typer calls it so
    if wanted:
        try:
            number = version(NAME)
        except PackageNotFoundError:
            number = "(not installed)"
        out().print(f"{NAME} {number}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that precede the command."""
    del version


for _command in (demo, doctor, check, run, status, costs, cancel, retry, release, resolve, sandbox):
    app.command()(_command)


def main() -> int:
    """Run the command that the program was called with.

    Returns:
        Its exit code.
    """
    command = get_command(app)
    return exit_codes.exit_code_of(lambda: command.main(prog_name=NAME, standalone_mode=False))
