"""Exit codes, and one readable line on stderr for every failure instead of a traceback."""

import os
import sys
from collections.abc import Callable

import typer
from rich.console import Console

from batchd.cli.console import printable
from batchd.errors import BatchdError, Unusable, leaves, where, worst_of

DONE = 0
FAILED = 1
WRONG_CALL = 2
INTERRUPTED = 130
"""What shells expect of a command that Ctrl-C ended."""


class Failure(BatchdError):
    """The command was understood, and its work cannot be done: exit 1."""


def exit_code_of(command: Callable[[], int | None]) -> int:
    """Run a command, and report its failure in one line for each error.

    Args:
        command: Returns its exit code; None is 0.
    """
    try:
        return command() or DONE
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except Exception as error:  # noqa: BLE001  the last one to catch: nobody is shown a traceback
        if any(isinstance(leaf, BrokenPipeError) for leaf in leaves(error)):
            _abandon_stdout()
            return FAILED
        return _tell(worst_of(error))


def complain(message: str) -> None:
    """Print errors on stderr, a line for each.

    Args:
        message: One or more lines.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
    for line in message.split("\n"):
        console.print(f"batchd: {printable(line)}")


def _tell(error: Exception) -> int:
    match error:
        case Unusable():
            complain(str(error))
            return WRONG_CALL
        case BatchdError():
            complain(str(error))
            return FAILED
        case OSError():
            place = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
            complain(f"{error.strerror or type(error).__name__}{place}")
            return FAILED
        case _ if hasattr(error, "format_message"):  # typer's own: a wrong call
            context = getattr(error, "ctx", None)
            help_at = f"{context.command_path} --help" if context is not None else "batchd --help"
            if message := error.format_message().strip():
                complain(f"{' '.join(message.split())} (see `{help_at}`)")
            return WRONG_CALL
        case _:
            # Its text is not shown: it may carry what users wrote.
            complain(
                f"unexpected {type(error).__name__} at {where(error)}: a defect of batchd, please report this line"
            )
            return FAILED


def _abandon_stdout() -> None:
    """Keep the interpreter from complaining, at its end, about a pipe whose reader has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
