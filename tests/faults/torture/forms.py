"""The forms of torture, each with its share of the time, in a quick and in a long form."""

import errno
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.torture.clocks import set_clocks
from tests.faults.torture.defects import DefectBlow, plant_defects
from tests.faults.torture.edge_steps import StepBlow
from tests.faults.torture.kept import back_up_and_kill, prune_and_kill, submit_again, tickets
from tests.faults.torture.kill_random import kill_at_random
from tests.faults.torture.messages import messages, sweep_messages
from tests.faults.torture.odd_streams import faults, sweep_odd_streams
from tests.faults.torture.power import cut_power, why_not
from tests.faults.torture.restored import restore_states
from tests.faults.torture.scenario import Scenario, amendments, books, bundles, duplicates, everything, rows
from tests.faults.torture.stage import Blow, Stage, Undisturbed, drawn_pairs, sweep
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
        return (numbers[:quick] if self.quick else numbers)[self.lane :: self.lanes]


@dataclass(frozen=True, slots=True)
class Sweep:
    """One scenario that many blows fall on; what it is like without any is played once, for all lanes and forms."""

    scenario: Callable[[Path | None], Scenario]
    strike: Callable[[Task, Stage, Undisturbed, Row], Row]
    counting: Callable[[], Blow] = StepBlow
    """Counts where the blows can fall."""
    across: bool = False
    """Whether the inbox lies on another file system, where taking is copying."""
    lacking: Callable[[], str] = str
    """What is not here and has to be; empty where nothing is lacking."""

    def rehearse(self, folder: Path) -> Undisturbed:
        with self._inbox() as inbox:
            return Stage(self.scenario(inbox), folder).undisturbed(self.counting())

    def play(self, task: Task, undisturbed: Undisturbed, row: Row) -> Row:
        with self._inbox() as inbox:
            return self.strike(task, Stage(self.scenario(inbox), task.folder), undisturbed, row)

    def why_not(self, folder: Path) -> str:
        """Why it cannot be played here; empty where it can."""
        if self.across and (not MEMORY.is_dir() or MEMORY.stat().st_dev == folder.stat().st_dev):
            return "there is no other file system"
        return self.lacking()

    @contextmanager
    def _inbox(self) -> Iterator[Path | None]:
        if not self.across:
            yield None
            return
        inbox = Path(tempfile.mkdtemp(dir=MEMORY, prefix="torture-"))
        try:
            yield inbox
        finally:
            shutil.rmtree(inbox)


@dataclass(frozen=True, slots=True)
class Form:
    """One row of the table."""

    name: str
    fault: str
    weight: float
    """Its part of the time, relative to the others'."""
    sweep: Sweep | None
    """None: the real command, killed at random moments."""
    lanes: int | None = None
    """How many can go on side by side; None for any number."""


def _steps(quick: int) -> Callable[[Task, Stage, Undisturbed, Row], Row]:
    def strike(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
        blows = [(StepBlow(at),) for at in task.share(len(undisturbed.steps), quick)]
        return sweep(stage, undisturbed, blows, row, task.until)

    return strike


def _pairs(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
    number = int(task.lane < 2) if task.quick else 10_000
    pairs = drawn_pairs(len(undisturbed.steps), number, task.seed + task.lane)
    return sweep(stage, undisturbed, [(StepBlow(one), StepBlow(two)) for one, two in pairs], row, task.until)


def _messages(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
    return sweep_messages(stage, undisturbed, task.share(len(undisturbed.steps), 4), row, task.until)


def _odd_streams(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
    kinds = list(faults())
    chosen = [kinds[number - 1] for number in task.share(len(kinds), 8)]
    return sweep_odd_streams(stage, undisturbed, chosen, row, seed=task.seed + task.lane, until=task.until)


def _restored(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
    steps = task.share(len(undisturbed.steps), 6)
    return restore_states(stage, undisturbed, steps, row, seed=task.seed + task.lane, until=task.until)


def _tickets(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
    return submit_again(stage, undisturbed, task.share(len(undisturbed.steps), 3), row, task.until)


def _prune(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
    return prune_and_kill(stage, undisturbed, row, quick=task.quick, seed=task.seed + task.lane, until=task.until)


def _backup(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
    steps = task.share(len(undisturbed.steps), 3)
    return back_up_and_kill(stage, undisturbed, steps, row, seed=task.seed + task.lane, until=task.until)


def _defects(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
    places = sorted(undisturbed.steps)
    blows = [DefectBlow(places[(number - 1) // 2], behind=number % 2 == 0) for number in task.share(2 * len(places), 8)]
    return plant_defects(stage, undisturbed, blows, row, task.until)


def _clocks(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
    steps = task.share(len(undisturbed.steps), 4)
    return set_clocks(stage, undisturbed, steps, row, seed=task.seed + task.lane, until=task.until)


def _worlds(sweep_worlds: Callable[..., Row]) -> Callable[[Task, Stage, Undisturbed, Row], Row]:
    def strike(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
        return sweep_worlds(stage, undisturbed, task.share(WORLDS, 6), row, seed=task.seed, until=task.until)

    return strike


def strike_at_random(task: Task, row: Row) -> Row:
    """Kill the real command at random moments, while files keep coming."""
    kills, files = (6, 12) if task.quick else (200, 400)
    seed = task.seed + task.lane
    return kill_at_random(
        task.folder, row, kills=kills // task.lanes, files=files // task.lanes, seed=seed, until=task.until
    )


def _calls(*actions: CallBlow) -> Callable[[Task, Stage, Undisturbed, Row], Row]:
    def strike(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
        blows: list[Sequence[Blow]] = [
            (CallBlow(at, blow.action, blow.error, blow.times),)
            for at in task.share(len(undisturbed.steps), 2)
            for blow in actions
        ]
        return sweep(stage, undisturbed, blows, row, task.until)

    return strike


def _compiler() -> str:
    return "" if preloaded() else "there is no C compiler to build what catches the calls"


def _power(task: Task, stage: Stage, undisturbed: Undisturbed, row: Row) -> Row:
    return cut_power(stage, undisturbed, task.share(len(undisturbed.steps), 2), row, task.until)


FORMS = (
    Form("steps", "SIGKILL at each edge step", 7, Sweep(everything, _steps(6))),
    Form("across", "the same, inbox on another file system", 3, Sweep(everything, _steps(2), across=True)),
    Form("bundles", "SIGKILL at each edge step, folders NAME.job", 4, Sweep(bundles, _steps(4))),
    Form("bundles-across", "the same, inbox on another file system", 3, Sweep(bundles, _steps(2), across=True)),
    Form("rows", "SIGKILL at each edge step, tables in folders with instructions", 4, Sweep(rows, _steps(12))),
    Form("rows-across", "the same, inbox on another file system", 3, Sweep(rows, _steps(6), across=True)),
    Form("books", "SIGKILL at each edge step, jobs of several steps", 4, Sweep(books, _steps(3))),
    Form("amend", "SIGKILL at each edge step, jobs put right", 6, Sweep(amendments, _steps(12))),
    Form("duplicates", "SIGKILL at each edge step, files saved again", 2, Sweep(duplicates, _steps(3))),
    Form("pairs", "SIGKILL at two steps, drawn at random", 3, Sweep(everything, _pairs)),
    Form("messages", "SIGKILL at each edge step, sync lane", 2, Sweep(messages, _messages)),
    Form("streams", "odd streams of every kind, sync lane", 3, Sweep(messages, _odd_streams)),
    Form("random", "kill -9 of `batchd run` at random moments", 10, None, lanes=2),
    Form("calls", "SIGKILL at each system call, or halfway a write", 5, Sweep(everything, _calls(
        CallBlow(action=Action.DIE_BEFORE), CallBlow(action=Action.DIE_HALFWAY)
    ), CallBlow, lacking=_compiler)),
    Form("eio", "EIO once, at each system call", 3, Sweep(everything, _calls(
        CallBlow(action=Action.FAIL)
    ), CallBlow, lacking=_compiler)),
    Form("full", "ENOSPC for some calls, at each system call", 3, Sweep(everything, _calls(
        CallBlow(action=Action.FAIL, error=errno.ENOSPC, times=WHILE_FULL)
    ), CallBlow, lacking=_compiler)),
    Form("power", "power cut at each edge step (ext4 image)", 4, Sweep(everything, _power, lacking=why_not)),
    Form("restored", "the state of each step, put back", 4, Sweep(everything, _restored)),
    Form("tickets", "SIGKILL at each edge step, submitted again", 2, Sweep(tickets, _tickets)),
    Form("prune", "SIGKILL at each step of `batchd prune`", 2, Sweep(everything, _prune), lanes=1),
    Form("backup", "SIGKILL in `batchd backup`; restored elsewhere", 3, Sweep(everything, _backup)),
    Form("defects", "a defect in each function, or behind it", 5, Sweep(everything, _defects, DefectBlow)),
    Form("lists", "odd and foreign lists, unanswered creates", 4, Sweep(everything, _worlds(sweep_lists))),
    Form("account", "trouble with the account", 2, Sweep(calm, _worlds(sweep_accounts))),
    Form("clocks", "the clock is set while it is dead", 3, Sweep(everything, _clocks)),
)  # fmt: skip


def share_of_time(form: Form, left: Sequence[Form], deadline: float) -> float:
    """Until when a form may go on: what it does not use goes to those after it."""
    now = time.monotonic()
    return now + (deadline - now) * form.weight / sum(each.weight for each in left)
