"""Commands in odd surroundings: any folder, any locale, any standard output, any number, any character."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation

CONTROLS = "\x1b[31m\x9b2J\u202e"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, who has fewer rights")
NOBODY = 65534


def call(home: Installation, *words: str, before: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Call the command through a shell that first does something."""
    return subprocess.run(
        ["sh", "-c", f'{before}\nexec "$@"', "sh", sys.executable, "-m", "batchd", *words],
        cwd=home.home,
        env={**home.environment, **environment},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )


def assert_one_line(ended: subprocess.CompletedProcess[str], code: int) -> None:
    assert ended.returncode == code, ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert "defect" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_where_no_installation_is_looking_commands_say_so(batchd: Installation) -> None:
    for words in (("status",), ("status", "a"), ("status", "--json"), ("costs",), ("cancel", "a")):
        ended = call(batchd, *words)
        assert_one_line(ended, 2)
        assert "no installation here" in ended.stderr
    assert not any(batchd.home.iterdir())


def renamed(home: Installation) -> None:
    """Give the job a name that Latin-1 and ASCII do not have."""
    home.sql("UPDATE jobs SET name = 'ночь/夜'")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_locale_that_lacks_a_character_shows_it_escaped(under_way: Installation, encoding: str) -> None:
    renamed(under_way)
    for words in (("status",), ("costs", "--by", "job"), ("status", "--json")):
        ended = call(under_way, *words, PYTHONIOENCODING=encoding)
        assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("how", ["exec >&-", "exec 2>&-", "exec >&- 2>&-", "exec <&-"])
def test_closed_streams_stop_no_command(under_way: Installation, how: str) -> None:
    for words in (("status",), ("status", "--json"), ("costs",)):
        ended = call(under_way, *words, before=how)
        assert ended.returncode == 0
        assert ended.stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        ("resolve", "9223372036854775808", "--drop"),
        ("resolve", "-1", "--drop"),
        ("resolve", "1" * 5_000, "--drop"),
        ("costs", "--days", "9" * 400),
        ("costs", "--days", "9999999999999999999"),
        ("release", "slow", "--up-to", "1e999"),
    ],
)
def test_huge_numbers_are_wrong_calls(under_way: Installation, words: tuple[str, ...]) -> None:
    assert_one_line(call(under_way, *words), 2)


def test_a_folder_that_is_gone_keeps_no_command_from_its_work(under_way: Installation) -> None:
    places = [word for name in ("inbox", "outbox", "state") for word in (f"--{name}", str(getattr(under_way, name)))]
    ended = call(under_way, "status", *places, before="mkdir gone && cd gone && rmdir ../gone")
    assert ended.returncode == 0, ended.stderr


@as_root
def test_a_folder_that_may_not_be_entered_keeps_no_command_from_its_work(under_way: Installation) -> None:
    """As `sudo -u batchd batchd status` where an administrator stands: in the home of root."""
    for folder in (under_way.home, *under_way.home.parents):
        if folder.stat().st_uid == 0 and folder != Path("/"):
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o011)
    shutil.chown(under_way.state, NOBODY, NOBODY)
    for file in under_way.state.rglob("*"):
        shutil.chown(file, NOBODY, NOBODY)
    closed = under_way.home / "root"
    closed.mkdir(mode=0o700)
    places = [word for name in ("inbox", "outbox", "state") for word in (f"--{name}", str(getattr(under_way, name)))]
    ended = as_nobody(under_way, closed, "status", *places)
    assert ended.returncode == 0, ended.stderr
    assert "slow" in ended.stdout


@as_root
def test_a_user_without_the_rights_is_told_whose_are_missing(under_way: Installation) -> None:
    for folder in (under_way.home, *under_way.home.parents):
        if folder.stat().st_uid == 0 and folder != Path("/"):
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o011)
    ended = as_nobody(under_way, under_way.home, "status")
    assert_one_line(ended, 2)
    assert "may not look there" in ended.stderr
    under_way.state.chmod(0o755)
    for file in under_way.state.glob("batchd.sqlite*"):
        file.chmod(0o644)
    ended = as_nobody(under_way, under_way.home, "status")
    assert_one_line(ended, 2)
    # Which right is missing first depends on what other processes have left of the write-ahead log.
    assert "lacks the right to" in ended.stderr
    assert re.search("as (user root|the daemon's user)", ended.stderr)


def as_nobody(home: Installation, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call the command as another user, from a folder that this user may not be in; our code must be readable."""
    # Called once before, unheard, so that all is imported which the other user may not read.
    script = f"""
import contextlib, os, sys
import batchd.__main__
sys.argv = ["batchd", *{list(words)!r}]
heard, nowhere = (os.dup(1), os.dup(2)), os.open(os.devnull, os.O_WRONLY)
os.dup2(nowhere, 1), os.dup2(nowhere, 2)
with contextlib.suppress(SystemExit):
    batchd.__main__.main()
sys.stdout.flush(), sys.stderr.flush()
os.dup2(heard[0], 1), os.dup2(heard[1], 2)
os.chdir({str(folder)!r})
os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY})
batchd.__main__.main()
"""
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=home.home,
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        ("check", f"{CONTROLS}.md"),
        ("status", CONTROLS),
        ("status", "--set", f"poll.{CONTROLS}=1"),
        ("status", "--set", f"batch.{'x'}{CONTROLS}=1"),
        ("status", "--config", f"{CONTROLS}.toml"),
        ("status", "--state", CONTROLS),
        (CONTROLS,),
        ("resolve", CONTROLS),
        ("cancel", CONTROLS),
    ],
)
def test_no_argument_steers_the_terminal(under_way: Installation, words: tuple[str, ...]) -> None:
    ended = call(under_way, *words)
    assert ended.returncode in {1, 2}
    for character in CONTROLS:
        assert character.isprintable() or character not in ended.stdout + ended.stderr


def test_no_name_of_a_job_steers_the_terminal_by_json(under_way: Installation) -> None:
    under_way.sql(f"UPDATE jobs SET name = '{CONTROLS}'")  # noqa: S608  the test's own
    shown = call(under_way, "status", "--json").stdout
    assert not any(character in shown for character in "\x1b\x9b\u202e")
    assert json.loads(shown)["jobs"][0]["job"] == CONTROLS
