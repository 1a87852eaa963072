"""What the tests of several edges need."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system, across which a rename does not go."""
    memory = Path("/dev/shm")  # noqa: S108  another file system than tmp_path's is what is wanted
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    with TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)
