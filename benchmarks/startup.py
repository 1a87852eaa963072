"""Commands as whole processes: the processor time from their start to their end, beside that of `git status`."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from benchmarks._report import middle, number, table, wants_full

REQUEST = """{"custom_id": "a", "params": {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [
{"role": "user", "content": "hello"}]}}""".replace("\n", "")
BATCHD = (sys.executable, "-m", "batchd")


def processor_time(command: Sequence[str], place: Path) -> float:
    """Seconds of all processors that a command and what it starts take.

    Raises:
        AssertionError: It has failed.
    """
    before = getrusage(RUSAGE_CHILDREN)
    ended = subprocess.run(command, cwd=place, capture_output=True, check=False)  # noqa: S603  the commands of this file
    after = getrusage(RUSAGE_CHILDREN)
    if ended.returncode:
        raise AssertionError(f"{command}: {ended.stderr.decode(errors='replace')}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the figures."""
    runs = 15 if wants_full(__doc__) else 5
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        file = place / "one.jsonl"
        file.write_text(REQUEST + "\n")
        for once in ([*BATCHD, "run", "--once", "--sandbox"], ["git", "init", "--quiet"]):
            subprocess.run(once, cwd=place, check=True, capture_output=True)  # noqa: S603  as above
        commands = {
            "batchd --help": [*BATCHD, "--help"],
            "batchd status": [*BATCHD, "status"],
            "batchd check, a small file": [*BATCHD, "check", file.name],
            "python, nothing": [sys.executable, "-c", ""],
            "git status": ["git", "status"],
        }
        # In turn, so that a busy minute of the machine falls on all of them alike.
        found = [{name: processor_time(command, place) for name, command in commands.items()} for _ in range(runs)]
    git = middle([each["git status"] for each in found])
    table(
        "Commands, from start to end",
        ("command", "CPU seconds", "beside git status"),
        [
            (name, number(at := middle([each[name] for each in found]), 3), f"{at / max(git, 0.001):.0f} x")
            for name in commands
        ],
        f"Medians of {runs}.",
    )


if __name__ == "__main__":
    main()
