import re
import subprocess
from pathlib import Path

import pytest

from tests.support.surroundings import REPOSITORY


@pytest.fixture(scope="session")
def package() -> Path:
    found = sorted((REPOSITORY / "dist").glob("*.deb"))
    assert found, "`make test-release` builds it"
    return found[-1]


@pytest.fixture(scope="session")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a later release, of which a module has gone."""
    folder = tmp_path_factory.mktemp("newer")
    subprocess.run(["dpkg-deb", "--raw-extract", package, folder / "root"], check=True)
    control = folder / "root/DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", "Version: 99.0", control.read_text(), flags=re.MULTILINE))
    (gone,) = (folder / "root").glob("usr/lib/batchd/lib/python3.*/site-packages/batchd/cli/demo.py")
    gone.unlink()
    built = folder / "batchd_99.0.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", folder / "root", built], check=True)
    return built
