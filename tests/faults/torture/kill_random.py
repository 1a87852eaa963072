"""`kill -9` of the real process, `batchd run`, at random moments, while somebody keeps dropping files."""

import os
import random
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from batchd.sandbox import Fault
from batchd.settings import Settings, describe

from tests.faults.torture.judge import Flaws, Left, compare, look, torn
from tests.faults.torture.processes import Child, Ended, fork, judge
from tests.faults.torture.scenario import KEY, Home, Scenario, drop, jsonl
from tests.faults.torture.stage import Stage
from tests.faults.torture.table import Row
from tests.support.house import FastClock

AT_ONCE = 1.0
"""The speed of a clock that is in no hurry: the real process has the machine's own."""
START = 20.0
"""Seconds that a start may take."""
END = 240.0
"""Seconds in which the last run has to bring everything to its end."""
PIECES = 6


def wares(count: int, seed: int) -> dict[str, bytes]:
    """Files of all kinds; no prompt comes twice."""
    luck = random.Random(seed)  # noqa: S311  no secret
    return dict(_ware(number, luck) for number in range(count))


def _ware(number: int, luck: random.Random) -> tuple[str, bytes]:
    prompts = [f"{seed} {number}" for seed in ("rye", "oat", "pea", "fig", "nut")[: luck.randint(1, 5)]]
    match number % 8:
        case 1:
            return f"{number:04}.md", f"---\nmodel: claude-haiku-4-5\nmax_tokens: 90\n---\nEssay {number}\n".encode()
        case 3:
            return f"queue/{number:04}.jsonl", jsonl(prompts)
        case 5:
            return f"{number:04}.jsonl", jsonl([f"[sandbox: fail overloaded_error 1] {prompts[0]}", *prompts[1:]])
        case 7 if number % 16 == 7:
            return f"{number:04}.jsonl", jsonl(prompts) + b"{\n"
        case _:
            return f"{number:04}.jsonl", jsonl(prompts)


def kill_at_random(folder: Path, row: Row, *, kills: int, files: int, seed: int, until: float) -> Row:  # noqa: PLR0913  what a torture is made of
    """Kill so often, and compare what came of it with an undisturbed run of the same files."""
    scenario = Scenario(
        files=wares(files, seed),
        faults=[
            fault
            for _ in range(1 + kills // 40)
            for fault in (
                Fault(route="create", kind="reset", after=3),
                Fault(route="results", kind="cut", at=700, after=2),
                Fault(route="retrieve", kind="status", status=529, after=5),
            )
        ],
        duration=1.0,
        settings={
            "intake": {"settle": 0.3, "rescan": 2.0},
            "batch": {"linger": 0.3, "max_requests": 20},
            "poll": {"initial": 0.3, "max": 2.0},
            "api": {"doubt": 8.0},
        },
    )
    expected = Stage(scenario, folder / "undisturbed").undisturbed().left
    return _torture(folder / "killed", scenario, expected, row, kills=kills, seed=seed, until=until)


def _torture(  # noqa: PLR0913  what a torture is made of
    place: Path, scenario: Scenario, expected: Left, row: Row, *, kills: int, seed: int, until: float
) -> Row:
    home, luck = Home(place, place / "inbox"), random.Random(seed)  # noqa: S311  no secret
    for folder in (home.inbox, place / "writer"):
        folder.mkdir(parents=True)
    with judge(scenario, place / "sandbox", FastClock(AT_ONCE)) as found:
        settings = home.settings(scenario, found.url)
        writer = fork(lambda: _write(home.inbox, scenario.files, luck), place / "writer")
        passed: set[str] = set()
        for _ in range(kills):
            ended = _let_live(daemon(settings, place), luck)
            said = torn(home, expected, passed)
            if not ended.killed:
                said.append(f"ended by itself with {ended.status}")
            row.add(Flaws(wrong=said), ended, f"kill {row.tried + 1}, see {place}")
            if time.monotonic() > until:
                row.note = "time was up"
                break
        row.done.clear()
        written = writer.end(END)
        ended = daemon(settings, place, "--once").end(END)
        flaws = compare(look(home, found.ledger()), expected)
        if ended.status not in {0, 1} or written.status != 0:
            flaws.wrong.append(f"the last run ended with {ended.status}, who dropped files with {written.status}")
        row.add(flaws, ended, f"at the end, see {place}")
        row.tried -= 1
    return row


def daemon(settings: Settings, place: Path, *flags: str) -> Child:
    """Start the command, as a user does."""
    # Forked, and then another program: it dies with us, and the kernel knows no difference to a start by hand.
    return fork(lambda: os.execve(sys.executable, command(settings, *flags), environment()), place)  # noqa: S606


def command(settings: Settings, *flags: str) -> list[str]:
    """What starts a daemon with these settings."""
    places = ["--inbox", str(settings.inbox), "--outbox", str(settings.outbox), "--state", str(settings.state)]
    return [sys.executable, "-m", "batchd", "run", *places, *_set(settings), *flags]


def environment() -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return {**plain, "ANTHROPIC_API_KEY": KEY}


def _set(settings: Settings) -> Iterator[str]:
    """Every setting of a table that is not as it would be by itself."""
    for setting in describe():
        table, _, key = setting.key.partition(".")
        value = getattr(getattr(settings, table), key, setting.default)
        if value != setting.default:
            yield from ("--set", f"{setting.key}={value}")


def _let_live(child: Child, luck: random.Random) -> Ended:
    """Give a daemon some time, most often some work as well, and kill it."""
    if luck.random() < 0.2:
        return child.wait(luck.uniform(0.2, 2.0)) or child.kill()
    return child.wait(START, until_ready=True) or child.wait(luck.expovariate(1.2)) or child.kill()


def _write(inbox: Path, files: Mapping[str, bytes], luck: random.Random) -> None:
    """Drop files for as long as there are any: by rename, or in place and slowly, as `cat >` or scp do."""
    for number, (name, content) in enumerate(files.items()):
        if number % 3:
            drop(inbox, name, content)
        else:
            _write_slowly(inbox / name, content, luck)
        time.sleep(luck.uniform(0, 1.2))


def _write_slowly(file: Path, content: bytes, luck: random.Random) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    size = len(content) // PIECES + 1
    with file.open("wb", buffering=0) as growing:
        for start in range(0, len(content), size):
            growing.write(content[start : start + size])
            time.sleep(luck.uniform(0, 0.3))
