"""The forms of torture, each with its share of the time, in a quick and in a long form."""

import errno
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.torture.clocks import set_clocks
from tests.faults.torture.defects import DefectBlow, plant_defects
from tests.faults.torture.edge_steps import StepBlow
from tests.faults.torture.kill_random import kill_at_random
from tests.faults.torture.messages import messages, sweep_messages
from tests.faults.torture.odd_streams import faults, sweep_odd_streams
from tests.faults.torture.power import cut_power, why_not
from tests.faults.torture.restored import restore_states
from tests.faults.torture.scenario import Scenario, amendments, books, bundles, everything, rows
from tests.faults.torture.stage import Blow, Stage, drawn_pairs, sweep
from tests.faults.torture.syscalls import Action, CallBlow, preloaded
from tests.faults.torture.table import Row
from tests.faults.torture.worlds import calm, sweep_accounts, sweep_lists

MEMORY = Path("/dev/shm")  # noqa: S108  another file system, where there is one
WORLDS = 5_000
"""Of which as many are played as the time allows."""
WHILE_FULL = 8
"""Calls that fail while the disk is full."""


@dataclass(frozen=True, slots=True)
class Task:
    """One lane of one form."""

    folder: Path
    lane: int
    lanes: int
    until: float
    """When to stop, by the monotonic clock."""
    quick: bool
    seed: int

    def share(self, count: int, quick: int) -> list[int]:
        """This lane's part of what is numbered from 1, in an order that is spread evenly wherever it ends."""
        numbers = list(range(1, count + 1))
        random.Random(self.seed).shuffle(numbers)  # noqa: S311  no secret
        return numbers[self.lane :: self.lanes][: quick // self.lanes if self.quick else None]


@dataclass(frozen=True, slots=True)
class Form:
    """One row of the table."""

    name: str
    fault: str
    weight: float
    """Its part of the time, relative to the others'."""
    play: Callable[[Task, Row], Row]
    lanes: int | None = None
    """How many can go on side by side; None for any number."""


def _steps(scenario: Callable[[], Scenario], quick: int) -> Callable[[Task, Row], Row]:
    def play(task: Task, row: Row) -> Row:
        stage = Stage(scenario(), task.folder)
        undisturbed = stage.undisturbed(StepBlow())
        blows = [(StepBlow(at),) for at in task.share(len(undisturbed.steps), quick)]
        return sweep(stage, undisturbed, blows, row, task.until)

    return play


def _steps_across(scenario: Callable[[Path], Scenario]) -> Callable[[Task, Row], Row]:
    """The same with an inbox on another file system, where taking is copying."""

    def play(task: Task, row: Row) -> Row:
        if not MEMORY.is_dir() or MEMORY.stat().st_dev == task.folder.stat().st_dev:
            row.note = "left out: there is no other file system"
            return row
        inbox = Path(tempfile.mkdtemp(dir=MEMORY, prefix="torture-"))
        try:
            return _steps(lambda: scenario(inbox), 6)(task, row)
        finally:
            shutil.rmtree(inbox)

    return play


def _pairs(task: Task, row: Row) -> Row:
    stage = Stage(everything(), task.folder)
    undisturbed = stage.undisturbed(StepBlow())
    pairs = drawn_pairs(len(undisturbed.steps), 6 // task.lanes if task.quick else 10_000, task.seed + task.lane)
    return sweep(stage, undisturbed, [(StepBlow(one), StepBlow(two)) for one, two in pairs], row, task.until)


def _messages(task: Task, row: Row) -> Row:
    stage = Stage(messages(), task.folder)
    undisturbed = stage.undisturbed(StepBlow())
    return sweep_messages(stage, undisturbed, task.share(len(undisturbed.steps), 10), row, task.until)


def _odd_streams(task: Task, row: Row) -> Row:
    stage = Stage(messages(), task.folder)
    undisturbed = stage.undisturbed(StepBlow())
    kinds = list(faults())
    chosen = [kinds[number - 1] for number in task.share(len(kinds), 8)]
    return sweep_odd_streams(stage, undisturbed, chosen, row, seed=task.seed + task.lane, until=task.until)


def _restored(task: Task, row: Row) -> Row:
    stage = Stage(everything(), task.folder)
    undisturbed = stage.undisturbed(StepBlow())
    steps = task.share(len(undisturbed.steps), 6)
    return restore_states(stage, undisturbed, steps, row, seed=task.seed + task.lane, until=task.until)


def _defects(task: Task, row: Row) -> Row:
    stage = Stage(everything(), task.folder)
    undisturbed = stage.undisturbed(DefectBlow())
    places = sorted(undisturbed.steps)
    blows = [DefectBlow(places[(number - 1) // 2], behind=number % 2 == 0) for number in task.share(2 * len(places), 8)]
    return plant_defects(stage, undisturbed, blows, row, task.until)


def _clocks(task: Task, row: Row) -> Row:
    stage = Stage(everything(), task.folder)
    undisturbed = stage.undisturbed(StepBlow())
    steps = task.share(len(undisturbed.steps), 4)
    return set_clocks(stage, undisturbed, steps, row, seed=task.seed + task.lane, until=task.until)


def _worlds(sweep_worlds: Callable[..., Row], scenario: Callable[[], Scenario]) -> Callable[[Task, Row], Row]:
    def play(task: Task, row: Row) -> Row:
        stage = Stage(scenario(), task.folder)
        undisturbed = stage.undisturbed(StepBlow())
        return sweep_worlds(stage, undisturbed, task.share(WORLDS, 6), row, seed=task.seed, until=task.until)

    return play


def _random(task: Task, row: Row) -> Row:
    kills, files = (10, 20) if task.quick else (200, 400)
    seed = task.seed + task.lane
    return kill_at_random(
        task.folder, row, kills=kills // task.lanes, files=files // task.lanes, seed=seed, until=task.until
    )


def _calls(*actions: CallBlow) -> Callable[[Task, Row], Row]:
    def play(task: Task, row: Row) -> Row:
        if not preloaded():
            row.note = "left out: there is no C compiler to build what catches the calls"
            return row
        stage = Stage(everything(), task.folder)
        undisturbed = stage.undisturbed(CallBlow())
        numbers = task.share(len(undisturbed.steps), 4)
        blows: list[Sequence[Blow]] = [
            (CallBlow(at, blow.action, blow.error, blow.times),) for at in numbers for blow in actions
        ]
        return sweep(stage, undisturbed, blows, row, task.until)

    return play


def _power(task: Task, row: Row) -> Row:
    if reason := why_not():
        row.note = f"left out: {reason}"
        return row
    stage = Stage(everything(), task.folder)
    undisturbed = stage.undisturbed(StepBlow())
    return cut_power(stage, undisturbed, task.share(len(undisturbed.steps), 4), row, task.until)


FORMS = (
    Form("steps", "SIGKILL at each edge step", 7, _steps(everything, 20)),
    Form("across", "the same, inbox on another file system", 3, _steps_across(everything)),
    Form("bundles", "SIGKILL at each edge step, folders NAME.job", 4, _steps(bundles, 12)),
    Form("bundles-across", "the same, inbox on another file system", 3, _steps_across(bundles)),
    Form("rows", "SIGKILL at each edge step, tables in folders with instructions", 4, _steps(rows, 12)),
    Form("rows-across", "the same, inbox on another file system", 3, _steps_across(rows)),
    Form("books", "SIGKILL at each edge step, jobs of several steps", 4, _steps(books, 4)),
    Form("amend", "SIGKILL at each edge step, finished jobs put right", 4, _steps(amendments, 12)),
    Form("pairs", "SIGKILL at two steps, drawn at random", 3, _pairs),
    Form("messages", "SIGKILL at each edge step, sync lane", 2, _messages),
    Form("streams", "odd streams of every kind, sync lane", 3, _odd_streams),
    Form("random", "kill -9 of `batchd run` at random moments", 10, _random, lanes=2),
    Form("calls", "SIGKILL at each system call, or halfway a write", 5, _calls(
        CallBlow(action=Action.DIE_BEFORE), CallBlow(action=Action.DIE_HALFWAY)
    )),
    Form("eio", "EIO once, at each system call", 3, _calls(CallBlow(action=Action.FAIL))),
    Form("full", "ENOSPC for some calls, at each system call", 3, _calls(
        CallBlow(action=Action.FAIL, error=errno.ENOSPC, times=WHILE_FULL)
    )),
    Form("power", "power cut at each edge step (ext4 image)", 4, _power),
    Form("restored", "the state of each step, put back", 4, _restored),
    Form("defects", "a defect in each function, or behind it", 5, _defects),
    Form("lists", "odd and foreign lists, unanswered creates", 4, _worlds(sweep_lists, everything)),
    Form("account", "trouble with the account", 2, _worlds(sweep_accounts, calm)),
    Form("clocks", "the clock is set while it is dead", 3, _clocks),
)  # fmt: skip


def share_of_time(form: Form, left: Sequence[Form], deadline: float) -> float:
    """Until when a form may go on: what it does not use goes to those after it."""
    now = time.monotonic()
    return now + (deadline - now) * form.weight / sum(each.weight for each in left)
