"""Builds what is released, with the hatchling of the lock and without a network."""

import subprocess
import sys
from pathlib import Path

from tests.support.surroundings import REPOSITORY


def build(kind: str, folder: Path, source: Path = REPOSITORY) -> Path:
    """Build a `wheel` or an `sdist` into an empty folder."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built
