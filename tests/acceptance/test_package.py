"""What is installed: one import package of our own name, built byte for byte the same wherever and whenever."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.surroundings import REPOSITORY


def build(kind: str, folder: Path) -> Path:
    """Build a distribution with the hatchling of the lock, without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


def test_the_wheel_has_one_import_package_and_all_that_it_needs(tmp_path: Path) -> None:
    with zipfile.ZipFile(build("wheel", tmp_path)) as wheel:
        names = wheel.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"batchd"}
    sources = {
        f"batchd/{path.relative_to(REPOSITORY / 'daemon' / 'batchd')}"
        for path in (REPOSITORY / "daemon" / "batchd").rglob("*")
        if path.suffix in {".py", ".sql", ".typed"}
    }
    assert sources - set(names) == set()


def test_the_source_distribution_has_what_its_readme_links_to(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    linked = {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "docs/quickstart.md", "examples/README.md"}
    assert linked - names == set()
    assert not any(name.startswith(("tests", ".venv", "inbox", "outbox")) for name in names)


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_two_builds_are_the_same_byte_for_byte(tmp_path: Path, kind: str) -> None:
    first, second = (build(kind, tmp_path / name) for name in ("first", "second"))
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
