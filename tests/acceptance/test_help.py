import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer
from batchd.cli.commands import COMMANDS as COMMANDS_OF_ALL

from tests.acceptance.installation import Installation

COMMANDS = ("demo", "doctor", "check", "run", "status", "cancel", "retry", "release", "resolve", "sandbox")


def test_help_names_all_commands_in_the_order_of_need(batchd: Installation) -> None:
    shown = batchd.call("--help")
    assert shown.returncode == 0
    assert "Files in, long documents out" in shown.stdout
    places = [shown.stdout.rindex(f"│ {command} ") for command in COMMANDS]
    assert places == sorted(places)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_example_and_exit_codes(batchd: Installation, command: str) -> None:
    shown = batchd.call(command, "--help")
    assert shown.returncode == 0
    assert f"batchd {command}" in shown.stdout
    assert "Example" in shown.stdout
    assert "Exit codes" in shown.stdout


def test_version(batchd: Installation) -> None:
    shown = batchd.call("--version")
    assert (shown.returncode, shown.stdout.split()[0]) == (0, "batchd")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Missing command"),
        (("florp",), "No such command"),
        (("run", "--inbx", "x"), "No such option: --inbx"),
        (("run", "--set", "poll.initial"), "KEY=VALUE"),
        (("run", "--set", "poll.initia=5"), "did you mean poll.initial?"),
        (("run", "--set", "poll.initial=soon"), "poll.initial = 'soon'"),
        (("run", "--config", "none.toml"), "none.toml"),
        (("run",), "ANTHROPIC_API_KEY"),
        (("sandbox", "--port", "-1"), "--port"),
        (("status", "--json", "--watch"), "--watch"),
        (("status", "nothing"), "there is no installation here"),
        (("cancel", "nothing"), "no daemon has run"),
        (("resolve", "1"), "--resend"),
        (("resolve", "1", "--drop", "--resend"), "--resend"),
        (("resolve", "1", "--adopt", "../x"), "../x"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_line(batchd: Installation, words: tuple[str, ...], said: str) -> None:
    ended = batchd.call(*words)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("batchd: ")
    assert said in line
    assert ended.stdout == ""


def test_what_the_help_says_of_a_command_is_what_the_command_says_of_itself() -> None:
    for name, (module, summary) in COMMANDS_OF_ALL.items():
        command = getattr(import_module(f"batchd.cli.{module}"), name)
        about = command.info.help if isinstance(command, typer.Typer) else command.__doc__
        assert isinstance(about, str)
        assert summary == about.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "spared"),
    [
        (["--help"], {"pydantic", "batchd.settings", "anyio", "aiosqlite", "structlog", "yaml", "genai_prices"}),
        (["status"], {"pydantic", "structlog", "yaml", "genai_prices", "anthropic", "starlette", "watchfiles"}),
        (
            ["check", "--help"],
            {"pydantic", "structlog", "genai_prices", "anthropic", "starlette", "watchfiles"},
        ),
    ],
)
def test_a_command_imports_no_more_than_it_uses(tmp_path: Path, words: list[str], spared: set[str]) -> None:
    code = """
import sys
from batchd.cli.commands import main
sys.argv[1:] = sys.argv[1:-1]
main()
print(*sys.modules, file=open("modules", "w"))
"""
    subprocess.run([sys.executable, "-c", code, *words, "-"], cwd=tmp_path, check=True, capture_output=True)
    assert set((tmp_path / "modules").read_text().split()) & spared == set()
