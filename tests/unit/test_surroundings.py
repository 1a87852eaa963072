"""Tests are the same on every machine: nothing that somebody has set up there reaches them, or what they start."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.surroundings import environment

THEIRS = ("BATCHD_INBOX", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "HTTPS_PROXY", "CREDENTIALS_DIRECTORY")
TELL = (
    "import os; from tests import conftest; from batchd.settings import Settings, load_settings\n"
    "print(sorted(os.environ), load_settings({}, None) == Settings())"
)


def test_nothing_set_up_on_the_machine_reaches_a_test(tmp_path: Path) -> None:
    (tmp_path / "batchd.toml").write_text('inbox = "elsewhere"')
    told = subprocess.run(
        [sys.executable, "-c", TELL],
        cwd=tmp_path,
        env={**os.environ, **dict.fromkeys(THEIRS, "theirs"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.endswith(" True\n")
    assert [name for name in THEIRS if name in told] == []


def test_a_command_reads_the_settings_of_its_own_folder_and_no_others(tmp_path: Path) -> None:
    assert environment(tmp_path)["BATCHD_CONFIG"] == "/dev/null"
    (tmp_path / "batchd.toml").touch()
    assert "BATCHD_CONFIG" not in environment(tmp_path)
