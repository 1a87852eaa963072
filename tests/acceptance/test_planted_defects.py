"""A defect of ours, or spoiled content, that one thing meets is that thing's trouble: told, parked, and no other's.

The real command runs, with a `KeyError` planted for one job in one room after the other.
"""

import json
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import batchd
import pytest

from tests.acceptance.installation import Installation

PACKAGE = Path(batchd.__file__).parent
MARK = 777
"""The `max_tokens` of every request of job `a`."""
BETA = "files-api-2025-04-14"

LAUNCHER = """
import sys
from batchd.__main__ import main

{plant}

sys.argv[0] = "batchd"
main()
"""

PLANT = """
import {module} as module
whole = module.{owner}.{method}
def planted(self, *words, **more):
    if {met}:
        raise KeyError("sk-ant-secret")
    return whole(self, *words, **more)
module.{owner}.{method} = planted
"""


@dataclass(frozen=True)
class Room:
    """Where a defect is planted, and when it is met."""

    module: str
    owner: str
    method: str
    met: str
    job: dict[str, Any]
    """The settings of job `a`."""

    @property
    def plant(self) -> str:
        return PLANT.format(module=self.module, owner=self.owner, method=self.method, met=self.met)


ROOMS = {
    "intake": Room("batchd.journey.accepting", "Accepting", "_arrival", 'words[0].claim.relative.stem == "a"', {}),
    "packer": Room(
        "batchd.journey.packer", "Packer", "_afford", f"any(each.max_tokens == {MARK} for each in words[0])", {}
    ),
    "sender": Room("batchd.journey.sender", "Sender", "_send", f'"{BETA}" in words[0].betas', {"betas": [BETA]}),
    "courier": Room("batchd.journey.poller", "Poller", "poll", f'"{BETA}" in words[0].betas', {"betas": [BETA]}),
    "collector": Room("batchd.journey.documents", "Documents", "assemble", 'words[0].job_name == "a"', {}),
    "finishing": Room("batchd.journey.finishing", "Finishing", "summarized", 'words[0].name == "a"', {}),
    "held file": Room(
        "batchd.running.held_file", "HeldFiles", "write", 'words[0].job == "a" and words[0].text', {"budget": 0.0000001}
    ),
    "token counter": Room(
        # Room for all that may be written and some fifteen tokens of prompt: a count could help, and does not.
        "batchd.running.token_counter",
        "TokenCounter",
        "count",
        f"words[0].max_tokens == {MARK}",
        {"budget": 0.00195},
    ),
}


def start(home: Installation, plant: str = "") -> subprocess.Popen[str]:
    """Run the command, with something planted in it."""
    with (home.home / ".log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER.format(plant=plant), "run", "--sandbox"],
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


def troubles(home: Installation) -> list[str]:
    told = home.status()
    return [each["reason"] for each in told["troubles"]] + [each["trouble"] or "" for each in told["batches"]]


def defects(home: Installation) -> list[str]:
    return [
        place for reason in troubles(home) for place in re.findall(r"a defect of batchd \(KeyError at (.*?):\d", reason)
    ]


@pytest.mark.parametrize("room", ROOMS.values(), ids=ROOMS)
def test_a_defect_that_one_job_meets_parks_that_job_alone(batchd: Installation, room: Room) -> None:
    batchd.inbox.mkdir()
    drop(batchd, "a", MARK, **room.job)
    drop(batchd, "b")
    process = start(batchd, room.plant)
    assert batchd.job("b")["state"] == "done"
    batchd.wait_until(lambda: defects(batchd))
    assert all((PACKAGE / place).is_file() for place in defects(batchd)), "it names a frame of ours"
    assert process.poll() is None
    assert not (batchd.outbox / "a" / "job.json").exists()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0

    assert defects(batchd), "it is told also while no daemon runs"
    process = start(batchd, room.plant)
    drop(batchd, "c")
    assert batchd.job("c")["state"] == "done"
    batchd.wait_until(lambda: defects(batchd))
    assert process.poll() is None
    assert batchd.stop(process) == 0

    log = (batchd.home / ".log").read_text()
    assert "Traceback" not in log
    assert "sk-ant-secret" not in log
    process = start(batchd)
    if room.job.get("budget"):
        batchd.wait_until((batchd.outbox / "a" / "held.json").exists)
        assert batchd.call("release", "a").returncode == 0
    assert batchd.job("a")["state"] == "done"
    batchd.wait_until(lambda: not any(troubles(batchd)))
    assert batchd.stop(process) == 0
