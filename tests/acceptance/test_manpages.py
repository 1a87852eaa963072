"""The manual pages: as they would be written now, whole, and what man takes without a remark."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from batchd.cli.commands import COMMANDS, command_line
from typer.main import get_command

from release.manpages import pages
from tests.support.surroundings import REPOSITORY

FOLDER = REPOSITORY / "man"


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    return pages()


def test_the_pages_are_those_of_the_commands_as_they_are_now(written: dict[str, str]) -> None:
    kept = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
    assert [name for name in {*kept, *written} if kept.get(name) != written.get(name)] == [], "run `make man`"


def test_every_option_and_argument_of_the_help_is_in_the_page(written: dict[str, str]) -> None:
    group: Any = get_command(command_line(COMMANDS))
    for name, command in group.commands.items():
        page = written[f"batchd-{name}.1"].replace("\\-", "-")
        for each in getattr(command, "commands", {"": command}).values():
            context = each.make_context(name, [], resilient_parsing=True)
            for parameter in each.get_params(context):
                named = (
                    parameter.opts
                    if parameter.param_type_name == "option"
                    else [parameter.metavar or parameter.name.upper()]
                )
                assert [one for one in named if f"{one}\\fR" not in page] == []


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed; .ci/run installs it")
def test_man_shows_them_without_a_warning(tmp_path: Path) -> None:
    plain = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "MANWIDTH": "80", "HOME": str(tmp_path), "PAGER": "cat"}
    shown = subprocess.run(
        ["man", "--warnings", "--local-file", *sorted(map(str, FOLDER.glob("*.1")))],
        env=plain,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stderr == ""
    assert shown.stdout.count("SYNOPSIS") == len(pages())
    assert "       --dry-run" in shown.stdout
