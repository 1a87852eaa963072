"""The command `batchd`, also as `python -m batchd`."""

import faulthandler
import gc
import io
import os
import sys
from pathlib import Path

_SELDOM = 20_000, 20, 20
"""How many new objects there are before garbage is looked for: at 700, most of what is looked at is being imported."""


def main() -> None:
    """Run the command line, with nothing of it readable by others, and end with its exit code."""
    os.umask(0o077)
    gc.set_threshold(*_SELDOM)
    # It would make the SDK print prompts.
    os.environ.pop("ANTHROPIC_LOG", None)
    _speak_anywhere()
    # A library that dies in C says where, for the journal: names of functions, files and lines, and no values.
    faulthandler.enable()
    if sys.argv[1:3] == ["completion", "jobs"]:
        from batchd.cli.job_names import print_names  # noqa: PLC0415  somebody types: a command line takes too long

        sys.exit(print_names(sys.argv[3:]))
    from batchd.cli import commands  # noqa: PLC0415  libraries read the environment when they are imported

    sys.exit(commands.main())


def _speak_anywhere() -> None:
    """Let every command print, whatever its streams are: closed ones, or of a locale that lacks characters."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
