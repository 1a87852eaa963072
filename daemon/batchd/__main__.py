"""The command `batchd`, also as `python -m batchd`."""

import os
import sys


def main() -> None:
    """Run the command line, with nothing of it readable by others, and end with its exit code."""
    os.umask(0o077)
    # It would make the SDK print prompts.
    os.environ.pop("ANTHROPIC_LOG", None)
    from batchd.cli import commands  # noqa: PLC0415  libraries read the environment when they are imported

    sys.exit(commands.main())


if __name__ == "__main__":
    main()
