"""The SDK is imported by the first call of the API, and not before: a daemon is ready, and small, without it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

IDLE = """
import sys, anyio
from batchd.app import serve
from batchd.settings import Settings
from pathlib import Path
place = Path(sys.argv[1])
settings = Settings(inbox=place / "inbox", outbox=place / "outbox", state=place / "state")
anyio.run(lambda: serve(settings, None, once=True))
print("imported:", *sorted({"anthropic", "httpx2"} & sys.modules.keys()))
"""


def run(place: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC")}
    return subprocess.run(
        [sys.executable, "-c", IDLE, str(place)],
        env={**environment, "HOME": str(place), **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_daemon_with_nothing_to_send_has_not_imported_it(tmp_path: Path) -> None:
    done = run(tmp_path, ANTHROPIC_API_KEY="sk-ant-test")
    assert (done.returncode, done.stdout.splitlines()[-1].strip()) == (0, "imported:"), done.stderr


@pytest.mark.parametrize("more", [{}, {"ANTHROPIC_API_KEY": ""}])
def test_that_there_is_no_key_is_said_at_the_start(tmp_path: Path, more: dict[str, str]) -> None:
    done = run(tmp_path, **more)
    assert "no key for the API" in done.stderr
