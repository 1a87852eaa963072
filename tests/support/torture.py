"""Starts the torture (`tests/faults/torture`) in its quick form."""

import subprocess
import sys


def torture(*arguments: str) -> None:
    """Play some forms in a process of their own, which has no threads and can fork.

    Args:
        arguments: Their names, and flags.

    Raises:
        AssertionError: Something was lost, doubled or otherwise wrong; it says what.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.torture", "--quick", "--minutes", "2", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
