"""A shell completes commands, options and the names of jobs, quickly, and without a word where it cannot."""

import resource
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from batchd.cli.commands import COMMANDS

from tests.acceptance.installation import Installation

QUICK = 0.3
"""Seconds of the processor for the names of jobs."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A folder in which three jobs have finished."""
    batchd = Installation(tmp_path_factory.mktemp("finished"))
    batchd.drop("orders.md", "Hello")
    batchd.drop("Orphans of the sea.md", "Hello")
    (batchd.inbox / "nightly").mkdir()
    (batchd.inbox / "nightly" / "bees.md").write_text("Hello")
    assert batchd.call("run", "--once", "--sandbox").returncode == 0
    return batchd


def completed(batchd: Installation, line: str) -> list[str]:
    """What bash would offer at the end of a line."""
    words = line.split(" ")
    asked = f"""
        eval "$(batchd completion bash)"
        compopt() {{ :; }}  # it only works where a person types
        COMP_WORDS=({" ".join(shlex.quote(word) for word in words)})
        COMP_CWORD={len(words) - 1}
        _batchd
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    tools = batchd.home / "bin"
    tools.mkdir(exist_ok=True)
    (tools / "batchd").write_text('#!/bin/sh\nexec "$PYTHON" -m batchd "$@"\n')
    (tools / "batchd").chmod(0o755)
    path = f"{tools}:{batchd.environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", asked],
        cwd=batchd.home,
        env={**batchd.environment, "PATH": path, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("batchd stat", ["status"]),
        ("batchd status o", ["orders", r"Orphans\ of\ the\ sea"]),
        ("batchd results nightly/", ["nightly/bees"]),
        ("batchd wait --ti", ["--timeout"]),
        ("batchd wait nothing-like-it", [""]),
    ],
)
def test_bash_offers_commands_options_and_names(finished: Installation, line: str, offered: list[str]) -> None:
    assert completed(finished, line) == offered


def test_without_a_beginning_the_latest_jobs_are_offered(finished: Installation) -> None:
    assert sorted(completed(finished, "batchd status ")) == ["Orphans\\ of\\ the\\ sea", "nightly/bees", "orders"]


def test_names_come_quickly(finished: Installation) -> None:
    finished.call("completion", "jobs")
    least = 9.0
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert finished.call("completion", "jobs", "--", "o").stdout.count("\n") == 2
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert least < QUICK


@pytest.mark.parametrize("spoiled", ["nothing", "no database", "wrong settings"])
def test_nothing_is_said_where_names_cannot_be_had(batchd: Installation, spoiled: str) -> None:
    if spoiled == "no database":
        batchd.state.mkdir()
        (batchd.state / "batchd.sqlite").write_text("this is none")
    if spoiled == "wrong settings":
        (batchd.home / "batchd.toml").write_text("nonsense = 1\n")
    done = batchd.call("completion", "jobs", "--", "o")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_told_all_commands(batchd: Installation, shell: str, tmp_path: Path) -> None:
    done = batchd.call("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in COMMANDS)
    assert "batchd completion jobs" in done.stdout
    if shutil.which(shell):
        (tmp_path / "script").write_text(done.stdout)
        assert subprocess.run([shell, "-n", tmp_path / "script"], check=False).returncode == 0


def test_another_shell_is_refused(batchd: Installation) -> None:
    done = batchd.call("completion", "csh")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
