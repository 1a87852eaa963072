"""What a command that only looks does not import: most of its time would be that."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REQUEST = '{"custom_id": "a", "params": {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user"'
TALK = frozenset({"anthropic", "httpx2", "httpcore2", "pydantic", "genai_prices", "starlette", "uvicorn", "watchfiles"})
"""What reaches for a network, and the models of the SDK: most of a second."""
WORK = frozenset({"batchd.app", "batchd.dispatcher", "batchd.sandbox", "structlog", "rich.progress", "rich.live"})
CHECKS = frozenset({"yaml", "batchd.claude.params_check", "batchd.decisions.document", "batchd.journey"})
STORE = frozenset({"asyncio", "sqlite3", "aiosqlite", "batchd.edges.store"})


def imported(place: Path, *command: str) -> set[str]:
    """The modules of a command's process, as Python tells of them."""
    run = [sys.executable, "-X", "importtime", "-m", "batchd", *command]
    ended = subprocess.run(run, cwd=place, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-500:]
    return set(re.findall(r"^import time:[^|]*\|[^|]*\|\s*(\S+)$", ended.stderr, re.MULTILINE))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a daemon has run, and one file beside it."""
    place = tmp_path_factory.mktemp("place")
    run = [sys.executable, "-m", "batchd", "run", "--once", "--sandbox"]
    subprocess.run(run, cwd=place, check=True, capture_output=True)
    (place / "one.jsonl").write_text(REQUEST + ', "content": "hello"}]}}\n')
    return place


@pytest.mark.parametrize(
    ("command", "spared"),
    [
        ("--help", TALK | WORK | CHECKS | STORE | {"batchd.settings"}),
        ("status", TALK | WORK | CHECKS),
        ("status --json", TALK | WORK | CHECKS),
        ("check one.jsonl", TALK | WORK),
        ("check one.jsonl --state nowhere", TALK | WORK | STORE),
    ],
)
def test_a_command_that_looks_imports_nothing_of_the_work(place: Path, command: str, spared: frozenset[str]) -> None:
    found = imported(place, *command.split())
    assert "batchd" in found
    assert sorted(found & spared) == []
