"""The wheel in an environment where nothing else is, as somebody without a checkout gets it."""

import csv
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import surroundings
from tests.support.packing import build
from tests.support.surroundings import REPOSITORY, environment

pytestmark = pytest.mark.slow


class Environment:
    """A virtual environment of its own."""

    def __init__(self, at: Path) -> None:
        self.at = at
        subprocess.run([sys.executable, "-m", "venv", str(at)], check=True)

    def pip(self, *words: str) -> None:
        command = [str(self.at / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        plain = {**environment(self.at), **surroundings.pip}
        plain.pop("PYTHONPATH")
        subprocess.run([*command, *words], env=plain, check=True, capture_output=True)

    def run(self, *words: str) -> str:
        plain = environment(self.at)
        plain.pop("PYTHONPATH")
        plain["PATH"] = f"{self.at / 'bin'}:{plain['PATH']}"
        done = subprocess.run(words, cwd=self.at, env=plain, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    found = Environment(tmp_path_factory.mktemp("environments") / "empty")
    found.pip("--require-hashes", "-r", str(REPOSITORY / "requirements/runtime.txt"))
    found.pip("--no-deps", str(wheel))
    return found


def test_the_demo_runs_and_the_module_is_the_command(installed: Environment) -> None:
    assert "no money was spent" in installed.run("batchd", "demo")
    assert installed.run("python", "-m", "batchd", "--version") == installed.run("batchd", "--version")


def test_a_service_can_be_made_of_it(installed: Environment) -> None:
    said = installed.run("batchd", "service", "install", "--user", "--dry-run")
    assert f"ExecStart={installed.at}/bin/batchd run\n" in said


def test_it_brings_no_file_but_its_own(installed: Environment) -> None:
    (record,) = installed.at.glob("lib/python3.*/site-packages/batchd-*.dist-info/RECORD")
    files = {os.path.normpath(path) for path, *_ in csv.reader(io.StringIO(record.read_text()))}
    outside = {path for path in files if not path.startswith("batchd")}
    assert {Path(path).name.split("-")[0].split(".")[0] for path in outside} == {"batchd"}
    assert any(path.endswith("share/man/man1/batchd.1") for path in outside)


@pytest.mark.parametrize("first", ["batchd", "python-daemon"])
def test_it_lies_beside_python_daemon_whichever_came_first(
    installed: Environment, wheel: Path, tmp_path: Path, first: str
) -> None:
    (libraries,) = installed.at.glob("lib/python3.*/site-packages")
    needed = tmp_path / "needed"  # what batchd needs, without batchd
    shutil.copytree(libraries, needed, ignore=shutil.ignore_patterns("batchd", "batchd-*"))
    both = Environment(tmp_path / "both")
    (site,) = both.at.glob("lib/python3.*/site-packages")
    (site / "needed.pth").write_text(f"{needed}\n")
    for one in sorted(("batchd", "python-daemon"), key=lambda name: name != first):
        both.pip(*(("--no-deps", str(wheel)) if one == "batchd" else ("python-daemon",)))
    said = both.run(
        "python", "-c", "import batchd, daemon; print(batchd.__file__, daemon.__file__, daemon.DaemonContext)"
    )
    assert said.count(str(site)) == 2
