"""A defect of ours, or spoiled content, that one thing meets is that thing's trouble: told, parked, and no other's.

The real command runs, with a `KeyError` planted in every room at once, each for one job.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import batchd
import pytest

from tests.acceptance.installation import Installation

PACKAGE = Path(batchd.__file__).parent

LAUNCHER = """
import sys
from batchd.__main__ import main

def plant(owner, method, met):
    whole = getattr(owner, method)
    def planted(self, *words, **more):
        if met(words[0]):
            raise KeyError("sk-ant-secret")
        return whole(self, *words, **more)
    setattr(owner, method, planted)

{plants}
sys.argv[0] = "batchd"
main()
"""

PLANT = """
import {module} as module
plant(module.{owner}, "{method}", lambda word: {met})
"""
FILES, CONTEXT = "files-api-2025-04-14", "context-1m-2025-08-07"


@dataclass(frozen=True)
class Room:
    """Where a defect is planted, and when it is met: by the job of the room's name."""

    module: str
    owner: str
    method: str
    met: str
    undone: str = ""
    """What is not done for the job, as `status` says it; empty where its batch is in trouble."""
    max_tokens: int = 300
    """Of the job's request."""
    job: dict[str, Any] = field(default_factory=dict)
    """The settings of the job."""

    @property
    def plant(self) -> str:
        return PLANT.format(module=self.module, owner=self.owner, method=self.method, met=self.met)


ROOMS = {
    "intake": Room(
        "batchd.journey.accepting", "Accepting", "arrival", 'word.claim.relative.stem == "intake"', "not taken"
    ),
    "packer": Room(
        "batchd.journey.packer", "Packer", "_afford", "any(each.max_tokens == 777 for each in word)",
        "not put into a batch", 777,
    ),
    "sender": Room("batchd.journey.sender", "Sender", "_send", f'"{FILES}" in word.betas', job={"betas": [FILES]}),
    "courier": Room("batchd.journey.poller", "Poller", "poll", f'"{CONTEXT}" in word.betas', job={"betas": [CONTEXT]}),
    "collector": Room("batchd.journey.documents", "Documents", "assemble", 'word.job_name == "collector"'),
    "finishing": Room(
        "batchd.journey.finishing", "Finishing", "summarized", 'word.name == "finishing"', "not finished"
    ),
    "held-file": Room(
        "batchd.running.held_file", "HeldFiles", "write", 'word.job == "held-file" and word.text',
        "held.json is not up to date", job={"budget": 0.0000001},
    ),
    "token-counter": Room(
        # Room for all that may be written and some fifteen tokens of prompt: a count could help, and does not.
        "batchd.running.token_counter", "TokenCounter", "count", "word.max_tokens == 778",
        "its tokens are not counted", 778, {"budget": 0.00195},
    ),
}  # fmt: skip
PLANTS = "".join(room.plant for room in ROOMS.values())
BUDGETED = [name for name, room in ROOMS.items() if "budget" in room.job]


@dataclass(frozen=True)
class Seen:
    """What was seen at one moment."""

    told: dict[str, str]
    """The reason that `status` tells, by the room."""
    finished: frozenset[str]
    """The jobs that had finished."""


@dataclass(frozen=True)
class Story:
    """Two daemons with all these defects, one after the other, and one without."""

    running: tuple[Seen, Seen]
    """While a daemon ran."""
    stopped: tuple[Seen, Seen]
    """After it."""
    log: str
    """Of both."""
    mended: dict[str, str]
    """The state of each job in the end."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Installation(tmp_path_factory.mktemp("defects")) as home:
        for name, room in ROOMS.items():
            drop(home, name, room.max_tokens, **room.job)
        running, stopped = [], []
        for well in ("before", "after"):
            drop(home, well)
            process = start(home, PLANTS)
            assert home.job(well)["state"] == "done"
            home.wait_until(lambda: see(home).told.keys() == ROOMS.keys())
            running.append(see(home))
            assert process.poll() is None
            assert home.stop(process) == 0
            stopped.append(see(home))
        log = (home.home / ".log").read_text()
        process = start(home)
        for name in BUDGETED:
            home.wait_until((home.outbox / name / "held.json").exists)
            assert home.call("release", name).returncode == 0
        mended = {name: home.job(name)["state"] for name in ROOMS}
        home.wait_until(lambda: not see(home).told)
        assert home.stop(process) == 0
        yield Story((running[0], running[1]), (stopped[0], stopped[1]), log, mended)


def start(home: Installation, plants: str = "") -> subprocess.Popen[str]:
    """Run the command, with something planted in it."""
    with (home.home / ".log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER.format(plants=plants), "run", "--sandbox"],
            cwd=home.home,
            env=home.environment,
            stdout=log,
            stderr=log,
            text=True,
        )
    home.running.append(process)
    return process


def drop(home: Installation, name: str, max_tokens: int = 300, **job: Any) -> None:
    params = {"model": "claude-haiku-4-5", "max_tokens": max_tokens, "messages": [{"role": "user", "content": name}]}
    lines = [{"job": job}, {"custom_id": "one", "params": params}] if job else [{"custom_id": "one", "params": params}]
    home.drop(f"{name}.jsonl", "".join(json.dumps(line) + "\n" for line in lines))


def see(home: Installation) -> Seen:
    status = home.status()
    of_things = {each["what"]: each["reason"] for each in status["troubles"]}
    told = {name: of_things[room.undone] for name, room in ROOMS.items() if room.undone in of_things}
    for batch in status["batches"]:
        # Of a batch that several jobs share, the trouble names the one that it is of.
        of_one = re.match(r"job (\S+): ", batch["trouble"] or "")
        told |= dict.fromkeys([of_one[1]] if of_one else batch["jobs"] if batch["trouble"] else [], batch["trouble"])
    return Seen(told, frozenset(each.parent.name for each in home.outbox.glob("*/job.json")))


@pytest.mark.parametrize("room", ROOMS)
def test_a_defect_that_one_job_meets_parks_that_job_alone(story: Story, room: str) -> None:
    for seen in (*story.running, *story.stopped):
        found = re.search(r"a defect of batchd \(KeyError at (.*?):\d", seen.told[room])
        assert found, seen.told[room]
        assert (PACKAGE / found[1]).is_file(), "it names a frame of ours"
        assert room not in seen.finished
    assert story.mended[room] == "done"


def test_what_meets_none_is_done_and_no_traceback_or_value_is_told(story: Story) -> None:
    first, second = story.running
    assert first.finished == frozenset({"before"})
    assert second.finished == frozenset({"before", "after"})
    assert "Traceback" not in story.log
    assert "sk-ant-secret" not in story.log
