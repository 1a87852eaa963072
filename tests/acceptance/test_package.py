"""What is packed: one import package of our own name, all that it needs, and the same bytes wherever and whenever."""

import email
import itertools
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from tests.support.packing import build
from tests.support.surroundings import REPOSITORY

LINK = re.compile(r'\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"')
FOR_THE_PAGE_OF_AN_INDEX = ("Author", "Classifier", "Keywords", "License-Expression", "Project-URL", "Requires-Python")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(opened.read(name))


def test_the_wheel_has_one_import_package_and_all_that_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.startswith("batchd-")} == {"batchd"}
    home = REPOSITORY / "daemon" / "batchd"
    sources = {
        f"batchd/{Path(folder, name).relative_to(home)}"
        for folder, _, files in os.walk(home, followlinks=True)
        for name in files
        if not name.endswith((".pyc", ".md"))
    }
    assert sources - names == set()
    assert [name for name in names if name.endswith(".data/data/share/man/man1/batchd-run.1")]
    assert {"batchd/service/batchd.service", "batchd/service/sysusers.d/batchd.conf"} < names


def test_the_source_distribution_is_the_checkout(sdist: Path) -> None:
    with tarfile.open(sdist) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    linked = {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "docs/quickstart.md", "examples/README.md"}
    assert linked - names == set()
    if (REPOSITORY / ".git").exists():
        listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
        tracked = {name for name in listed.splitlines() if not name.startswith(("inbox/", "outbox/"))}
        assert {name for name in tracked if (REPOSITORY / name).is_file()} - names == set()
    assert not any(name.startswith((".venv", "inbox", "outbox", ".batchd")) for name in names)


def test_the_checkout_and_its_source_distribution_make_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as opened:
        opened.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert build("wheel", tmp_path / "again", unpacked).read_bytes() == wheel.read_bytes()


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_two_builds_are_the_same_byte_for_byte(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: Path = request.getfixturevalue(kind)
    monkeypatch.setenv("TZ", "Pacific/Chatham")
    mask = os.umask(0o022)
    try:
        second = build(kind, tmp_path)
    finally:
        os.umask(mask)
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_an_index_is_told_all_that_it_shows(metadata: Message) -> None:
    assert [name for name in FOR_THE_PAGE_OF_AN_INDEX if not metadata.get_all(name)] == []
    addresses = [each.partition(", ")[2] for each in metadata.get_all("Project-URL") or ()]
    assert len({address.split("/")[2] for address in addresses}) == 1, "one home, in one place"


def test_every_link_of_the_readme_leads_somewhere_from_an_index(metadata: Message) -> None:
    readme = str(metadata.get_payload())
    links = [first or second for first, second in LINK.findall(readme)]
    version = metadata["Version"]
    within = [link for link in links if re.search(rf"/(?:blob|raw)/v{re.escape(version)}/", link)]
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert len(within) > 10
    for link in within:
        path = re.split(r"/(?:blob|raw)/v[^/]+/", link)[1].partition("#")[0]
        assert (REPOSITORY / path).exists(), link
    assert len(LINK.findall((REPOSITORY / "README.md").read_text("utf-8"))) == len(links)


def test_what_each_part_needs_is_among_what_is_shipped_with_everything() -> None:
    parts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    needed = {re.split(r"[^\w.-]", each)[0] for each in itertools.chain(*parts.values())}
    everything, runtime = (
        set(re.findall(r"^([\w.-]+)==", (REPOSITORY / "requirements" / name).read_text("utf-8"), re.MULTILINE))
        for name in ("everything.txt", "runtime.txt")
    )
    assert needed - everything == set(), "`make lock`"
    assert runtime < everything


def test_it_says_its_name_and_number_when_it_is_called_as_a_module() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "batchd", "--version"], check=True, capture_output=True, text=True
    ).stdout
    assert re.fullmatch(r"batchd \d\S*\n", said)
