"""Starts the torture (`tests/faults/torture`) in its quick form."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults.torture.syscalls import can_preload, preload

SEED = "8"
"""The same kills every time: what fails is then due to what was changed. The long form draws others."""


def torture(*arguments: str) -> None:
    """Play some forms in a process of their own, which has no threads and can fork.

    Args:
        arguments: Their names, and flags.

    Raises:
        AssertionError: Something was lost, doubled or otherwise wrong; it says what.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.torture", "--quick", "--minutes", "2", "--seed", SEED, *arguments],
            # Preloaded from the start, it need not start again.
            env=preload(Path(folder)) if can_preload() else dict(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
