import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation


@pytest.fixture
def batchd(tmp_path: Path) -> Iterator[Installation]:
    """A fresh folder."""
    with Installation(tmp_path) as installation:
        yield installation


@pytest.fixture(scope="session")
def paused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose daemon was stopped while the only batch of the job `slow` was at the API."""
    with Installation(tmp_path_factory.mktemp("paused")) as installation:
        installation.drop("slow.md", "Answer slowly. [sandbox: take 3]")
        process = installation.start("run", "--sandbox")
        installation.wait_until_sent()
        assert installation.stop(process) == 0
        return installation.home


@pytest.fixture
def under_way(paused: Path, tmp_path: Path) -> Iterator[Installation]:
    """The same, to be worked with."""
    with Installation(shutil.copytree(paused, tmp_path / "home")) as installation:
        yield installation
