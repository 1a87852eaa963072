import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from release.address import PLACES, objection, put, reserved
from release.ready import obstacles
from tests.support.surroundings import REPOSITORY

PROJECT = '[project]\nversion = "1.2.3"\n[project.urls]\nSource = "https://batchd.example/batchd"\n'
CONTROL = "Package: batchd\nMaintainer: All of them <all@batchd.example>\nHomepage: https://batchd.example/batchd\n"
AT = ("https://forge.batchd.dev/all/batchd", "all@batchd.dev")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "release" / "deb").mkdir(parents=True)
    (tmp_path / "release" / "deb" / "control").write_text(CONTROL)
    put(tmp_path, *AT)
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


def test_nor_may_what_tells_addresses_that_lead_nowhere(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text(PROJECT)
    (checkout / "release" / "deb" / "control").write_text(CONTROL)
    git(checkout, "commit", "--quiet", "--all", "--message", "As it was")
    assert obstacles(checkout, "1.2.3") == [
        "pyproject.toml: batchd.example is a reserved name, which leads nowhere: make address",
        "release/deb/control: batchd.example is a reserved name, which leads nowhere: make address",
    ]


def test_an_address_is_put_wherever_one_is_told(tmp_path: Path) -> None:
    for place in PLACES:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / place, tmp_path / place)
    put(tmp_path, *AT)
    assert reserved(tmp_path) == set()
    text = (tmp_path / "pyproject.toml").read_text()
    assert set(tomllib.loads(text)["project"]["urls"].values()) >= {AT[0], f"{AT[0]}/issues"}
    assert f"{AT[0]}/blob/v$HFPR_VERSION" in text
    control = (tmp_path / "release/deb/control").read_text()
    assert f"<{AT[1]}>\n" in control
    assert f"Homepage: {AT[0]}\n" in control


@pytest.mark.parametrize(
    ("address", "email"),
    [
        ("", AT[1]),
        ("https://batchd.dev", AT[1]),
        ("http://batchd.dev/batchd", AT[1]),
        ("https://batchd.example/batchd", AT[1]),
        ("https://example.org/batchd", AT[1]),
        (AT[0], ""),
        (AT[0], "all@batchd.example"),
    ],
)
def test_what_leads_nowhere_is_no_address(address: str, email: str) -> None:
    assert objection(*AT) == ""
    assert objection(address, email).count("\n") == 0 < len(objection(address, email))


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
