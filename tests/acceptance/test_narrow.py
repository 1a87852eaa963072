"""What people look at holds together at 80 columns and without colour, whatever jobs are called."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import unicodedata

import pytest

from tests.acceptance.installation import Installation

COLUMNS = 80
LONG = "a-job-with-a-name-that-is-long-enough-to-break-any-table-at-eighty-columns"
QUEUE = "ein-sehr-langer-name-einer-warteschlange"
WIDE = "日本語の長い名前のジョブがここにありますのでご注意ください"
STEERING = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*[349]\d")


def on_a_terminal(batchd: Installation, *words: str) -> str:
    """Run a command as somebody at a small terminal without colour."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(batchd.home)
        os.execve(  # noqa: S606  the command that is tested
            sys.executable,
            [sys.executable, "-m", "batchd", *words],
            {**batchd.environment, "NO_COLOR": "1", "TERM": "xterm"},
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    said = b""
    while True:
        try:
            said += (piece := os.read(terminal, 65_536))
        except OSError:  # Linux tells so that the other end is gone
            break
        if not piece:
            break
    os.waitpid(process, 0)
    os.close(terminal)
    return said.decode().replace("\r", "")


def width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in line)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Jobs of long and of wide names; one has failed, one is held."""
    batchd = Installation(tmp_path_factory.mktemp("named"))
    (batchd.inbox / QUEUE).mkdir(parents=True)
    (batchd.inbox / QUEUE / f"{LONG}.md").write_text("Hello")
    (batchd.inbox / f"{WIDE}.md").write_text("Hello")
    (batchd.inbox / "fails.md").write_text("Hello [sandbox: fail invalid_request_error 9]")
    (batchd.inbox / "held.md").write_text("---\nbudget: 0.0000001\n---\nHello")
    for number in range(12):
        (batchd.inbox / f"job-{number}.md").write_text("Hello")
    batchd.call("run", "--once", "--sandbox")
    return batchd


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("status", "--since", "1h"),
        ("status", f"{QUEUE}/{LONG}"),
        ("status", WIDE),
        ("status", "held"),
        ("costs",),
        ("costs", "--by", "job"),
        ("costs", "--by", "model"),
        ("check", f"outbox/{QUEUE}/{LONG}/request.md", f"outbox/{WIDE}/request.md"),
        ("doctor", "--offline"),
    ],
    ids=lambda words: " ".join(words)[:30],
)
def test_nothing_is_cut_or_wider_than_the_terminal(named: Installation, words: tuple[str, ...]) -> None:
    said = on_a_terminal(named, *words)
    assert not COLOUR.search(said)
    lines = STEERING.sub("", said).split("\n")
    assert [line for line in lines if width(line.rstrip()) > COLUMNS] == []
    assert "…" not in said
    assert len(lines) > 2


def test_long_names_can_be_read_whole_and_take_few_lines(named: Installation) -> None:
    for words, column in ((("status",), 12), (("costs", "--by", "job"), 12)):
        lines = STEERING.sub("", on_a_terminal(named, *words)).split("\n")
        first = next(at for at, line in enumerate(lines) if line.startswith(QUEUE[:column]))
        folded = ""
        while not f"{QUEUE}/{LONG}".startswith(folded) or folded != f"{QUEUE}/{LONG}":
            folded += lines[first].split(" ")[0]
            first += 1
            assert len(folded) <= len(f"{QUEUE}/{LONG}"), folded
        assert first - next(at for at, line in enumerate(lines) if line.startswith(QUEUE[:column])) <= 8


def test_without_colour_a_failed_job_does_not_look_finished(named: Installation) -> None:
    for wide in (False, True):
        said = named.call("status", NO_COLOR="1").stdout if wide else on_a_terminal(named, "status")
        failed = next(line for line in STEERING.sub("", said).split("\n") if line.startswith("fails"))
        done = next(line for line in STEERING.sub("", said).split("\n") if line.startswith("job-1 "))
        assert "failed" in failed
        assert "done" in done
        assert "━" not in failed or failed.count("━") < done.count("━")
