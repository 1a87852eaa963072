"""The session of the page for administrators goes as it stands there."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.acceptance.installation import QUICK, SOON
from tests.acceptance.test_developer import block_of
from tests.support.surroundings import REPOSITORY, environment

pytestmark = [
    pytest.mark.slow,  # a hold is told of after a minute
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give results to any group"),
]

PAGE = (REPOSITORY / "docs" / "administrator.md").read_text()
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
API = "http://127.0.0.1:8788"


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Path]:
    """Two folders for two machines, with what the page shows of files; what was started there ends with the test."""
    for machine in ("old", "new"):
        (tmp_path / machine / "inbox").mkdir(parents=True)
    old = tmp_path / "old"
    (old / "tell").write_text(block_of(PAGE, "sh"))
    (old / "tell").chmod(0o755)
    for name in ("key", "legal-key"):
        (old / name).write_text(f"sk-ant-first-{name}\n")
        (old / name).chmod(0o600)
    for name, text in (
        ("small", "Is this binding?"),
        ("large", "Sum it up. [sandbox: words 50]"),
        ("slow", "Which law? [sandbox: take 15]"),
    ):
        (old / f"{name}.md").write_text(
            f"---\nmodel: claude-haiku-4-5\nmax_tokens: {60_000 if name == 'large' else 100}\n---\n{text}\n"
        )
    api = subprocess.Popen(
        [sys.executable, "-m", "batchd", "sandbox", "--url-file", "url"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = tmp_path / "url"
    until = time.monotonic() + SOON
    while not url.exists():
        assert time.monotonic() < until
        time.sleep(0.1)
    (old / "batchd.toml").write_text(block_of(PAGE, "toml").replace(API, url.read_text().strip()))
    try:
        yield tmp_path
    finally:
        api.kill()
        api.wait()
        for lock in tmp_path.glob("*/.batchd/lock"):
            with suppress(OSError, ValueError):
                os.kill(int(lock.read_text()), signal.SIGKILL)


def done(machine: Path, command: str) -> subprocess.CompletedProcess[str]:
    words = re.sub(r"\bbatchd (?=[a-z])", f"{sys.executable} -m batchd ", command)
    return subprocess.run(
        ["sh", "-c", words],
        cwd=machine,
        env=environment(machine, QUICK),
        capture_output=True,
        text=True,
        check=False,
        timeout=SOON,
    )


def age(machine: Path) -> None:
    with closing(sqlite3.connect(machine / ".batchd/batchd.sqlite", isolation_level=None)) as state:
        state.execute("UPDATE jobs SET finished_at = finished_at - 4e7 WHERE name = 'legal/small' AND NOT rows_pruned")


def test_the_session_goes_as_it_stands(machines: Path) -> None:
    said, code = "", 0
    for line in block_of(PAGE, "console").splitlines():
        found = re.match(r"(old|new)\$ (.*)", line)
        if found is None:
            continue
        machine, command = machines / found[1], found[2]
        if command.startswith("batchd prune"):
            age(machine)
        told = done(machine, command.replace("$?", str(code)))
        code = told.returncode
        said += (
            f"{line}\n"
            + "".join(f"# {each}\n" for each in told.stderr.splitlines())
            + told.stdout.replace(str(machines), "/srv")
        )
    assert MOMENT.sub("…", said) == MOMENT.sub("…", block_of(PAGE, "console"))
