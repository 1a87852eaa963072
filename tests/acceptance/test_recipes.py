"""The recipes of `examples/`: each command, pasted as its README has it, brings what that README shows; and again."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.installation import Installation
from tests.support import surroundings
from tests.support.surroundings import REPOSITORY

RECIPES = sorted(
    path.parent.name
    for path in (REPOSITORY / "examples").glob("*/README.md")
    if path.parent.name not in {"put_right", "tickets"}
)
STEPS = {"book": "book.md", "codebase_docs": "manual.md"}
"""Those of several steps, with what they are joined to."""
DOCUMENTS = [recipe for recipe in RECIPES if recipe not in STEPS]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ON_THE_PATH = {"batchd": f"{sys.executable} -m batchd", "python": sys.executable}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As much of a checkout as the recipes reach, and the command on a path of its own."""
    root = tmp_path_factory.mktemp("checkout")
    made = shutil.ignore_patterns("inbox", "outbox", ".batchd")
    shutil.copytree(REPOSITORY / "examples", root / "examples", ignore=made)
    shutil.copytree(REPOSITORY / "daemon", root / "daemon", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "bin").mkdir()
    for name, words in ON_THE_PATH.items():
        command = root / "bin" / name
        command.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        command.chmod(0o755)
    return root


def paste(checkout: Path, recipe: str) -> Path:
    """Run a recipe's command in its folder."""
    folder = checkout / "examples" / recipe
    with Installation(folder) as installation:
        environment = installation.environment
        done = subprocess.run(
            ["sh", "-c", command_of(recipe)],
            cwd=folder,
            # The migration fetches its package with pip, which finds its index through the environment and at home.
            env={**environment, **surroundings.pip, "PATH": f"{checkout / 'bin'}:{environment['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return folder


def pasted(checkout: Path, recipe: str) -> Path:
    """A recipe's folder after its command has run, whichever test came first."""
    folder = checkout / "examples" / recipe
    return folder if (folder / "outbox").exists() else paste(checkout, recipe)


def fences(recipe: str) -> list[tuple[str, str]]:
    page = (REPOSITORY / "examples" / recipe / "README.md").read_text("utf-8")
    return [(kind, text) for kind, text in FENCE.findall(page)]


def command_of(recipe: str) -> str:
    (command,) = [text for kind, text in fences(recipe) if kind == "sh"]
    assert command.count("\n") == 1, "it is one line"
    return command


def request_of(recipe: str) -> Path:
    """The file that is dropped."""
    found = re.search(r"cp (\S+) inbox/", command_of(recipe))
    assert found is not None
    return REPOSITORY / "examples" / recipe / found[1]


def settings_of(recipe: str) -> Any:
    _, front, _ = request_of(recipe).read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(front)


def report(folder: Path, job: str) -> Any:
    assert json.loads((folder / "outbox" / job / "job.json").read_text())["state"] == "done"
    row = json.loads((folder / "outbox" / job / "report.jsonl").read_text())
    assert row["verdict"] == "complete"
    return row


def laid_out(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / "outbox").rglob("*") if path.is_file())


def test_there_are_recipes() -> None:
    assert RECIPES == ["book", "codebase_docs", "contract", "python3_migration", "test_suite"]


@pytest.mark.parametrize("recipe", DOCUMENTS)
def test_the_command_brings_what_its_readme_shows_and_again(checkout: Path, recipe: str) -> None:
    job = request_of(recipe).stem
    folder = pasted(checkout, recipe)
    row = report(folder, job)
    found = [name for name in laid_out(folder) if name.startswith(f"outbox/{job}/")]
    shown = next(text for kind, text in fences(recipe) if kind == "text").splitlines()
    named = [line for line in shown if line != "…"]
    assert [line for line in named if line not in found] == []
    assert len(named) == len(found) or "…" in shown
    everything = "\n".join((folder / name).read_text("utf-8") for name in found if "/documents/" in name)
    excerpt = fences(recipe)[-1][1]
    assert [line for line in excerpt.splitlines() if line.strip("… ") not in everything] == []
    wanted = settings_of(recipe).get("expect", {}).get("sections", [])
    assert [section["title"] for section in row["sections"] if section["title"]] == wanted
    assert all((folder / "outbox" / job / section["file"]).stat().st_size for section in row["sections"])
    again = report(paste(checkout, recipe), f"{job}-2")
    assert (again["sections"], again.get("files")) == (row["sections"], row.get("files"))


def written(folder: Path, job: str, joined: str) -> tuple[Any, str]:
    """The steps of a job, as its `job.json` tells them, and what they were joined to."""
    told = json.loads((folder / "outbox" / job / "job.json").read_text())
    assert told["state"] == "done"
    return told["steps"], (folder / "outbox" / job / "documents" / joined).read_text("utf-8")


@pytest.mark.parametrize("recipe", STEPS)
def test_the_command_of_several_steps_brings_one_file(checkout: Path, recipe: str) -> None:
    folder = pasted(checkout, recipe)
    (job,) = {name.split("/")[1] for name in laid_out(folder) if name.endswith("/job.json") and "-2/" not in name}
    steps, text = written(folder, job, STEPS[recipe])
    found = [name for name in laid_out(folder) if name.startswith(f"outbox/{job}/")]
    shown = next(text for kind, text in fences(recipe) if kind == "text").splitlines()
    assert [line for line in shown if line != "…" and line not in found] == []
    assert fences(recipe)[-1][1].strip() in text
    assert [step["state"] for step in steps] == ["complete"] * 3
    assert steps[1]["requests"] >= 10


def test_the_book_is_one_of_fifty_thousand_words(checkout: Path) -> None:
    _, text = written(pasted(checkout, "book"), "book", "book.md")
    assert len(text.split()) >= 50_000


def test_the_migration_returns_every_module_under_its_path(checkout: Path) -> None:
    folder = pasted(checkout, "python3_migration")
    row = report(folder, "migrate")
    files = folder / "outbox" / "migrate" / "documents" / "migrate" / "files"
    package = folder / "package"
    modules = sorted(path.relative_to(package) for path in package.rglob("*.py"))
    assert len(modules) == 4
    for module in modules:
        first, _, rest = (files / module).read_text("utf-8").partition("\n")
        assert "sandbox" in first
        assert rest == (package / module).read_text("utf-8").rstrip() + "\n"
    assert len(row["files"]) == len(modules) + 3
    assert row["files_refused"] == []
    assert (files / "MIGRATION.md").stat().st_size


def test_the_suite_has_the_files_that_its_prompt_names(checkout: Path) -> None:
    row = report(pasted(checkout, "test_suite"), "suite")
    named = re.findall(r"^\[FILE: (\S+)\]$", request_of("test_suite").read_text(), re.MULTILINE)
    assert row["files"] == [f"documents/suite/files/{name}" for name in named]


@pytest.mark.parametrize("recipe", DOCUMENTS)
def test_what_a_prompt_expects_is_what_it_asks_for(recipe: str) -> None:
    _, _, prompt = request_of(recipe).read_text("utf-8").split("---\n", 2)
    asked = re.findall(r"^\[SECTION: (.+)\]$", prompt, re.MULTILINE)
    assert settings_of(recipe).get("expect", {}).get("sections", []) == asked


def test_every_folder_that_decides_is_named_in_the_prompt_that_documents_them() -> None:
    prompt = (REPOSITORY / "examples" / "codebase_docs" / "decisions.job" / "outline.md").read_text("utf-8")
    decisions = REPOSITORY / "daemon" / "batchd" / "decisions"
    folders = {"claude", "text", *(f"decisions/{each.parent.name}" for each in decisions.glob("*/__init__.py"))}
    assert {folder for folder in folders if f"`{folder}" not in prompt} == set()
