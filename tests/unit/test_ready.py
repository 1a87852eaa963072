import subprocess
from pathlib import Path

import pytest

from release.ready import cautions, obstacles

PROJECT = '[project]\nversion = "1.2.3"\n[project.urls]\nHomepage = "https://batchd.example"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [1.2.3] - 2026-11-27\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "All")
    return tmp_path


def git(folder: Path, *words: str) -> None:
    name = ("-c", "user.name=a", "-c", "user.email=a@batchd.example")
    subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True)


def test_what_is_clean_told_and_new_may_be_released(checkout: Path) -> None:
    assert obstacles(checkout, "1.2.3") == []
    assert cautions(checkout) == [
        "pyproject.toml: batchd.example is a reserved name: before an upload put the address of the repository there"
    ]


@pytest.mark.parametrize(("version", "said"), [("", "VERSION=1.2.3"), ("1.2", "no version"), ("2.0.0", "'1.2.3'")])
def test_another_version_may_not(checkout: Path, version: str, said: str) -> None:
    first, second = obstacles(checkout, version)
    assert said in first
    assert "CHANGELOG.md" in second


def test_nor_what_is_changed_or_was_released_before(checkout: Path) -> None:
    (checkout / "new.py").touch()
    git(checkout, "tag", "v1.2.3")
    assert obstacles(checkout, "1.2.3") == [
        "the tree is not clean: ?? new.py",
        "v1.2.3 is there already: a version is released once",
    ]
