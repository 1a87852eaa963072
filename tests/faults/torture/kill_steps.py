"""Kills the daemon at every step that an undisturbed run takes, and at pairs of steps, and starts it again."""

import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from daemon.app import serve
from tests.faults.torture import edge_steps
from tests.faults.torture.judge import Flaws, Left, compare, look, torn
from tests.faults.torture.processes import Ended, Judge, fork, judge
from tests.faults.torture.scenario import KEY, Home, Scenario
from tests.faults.torture.table import Row
from tests.support.house import FastClock

PATIENCE = 60.0
"""Seconds after which a run that does not end counts as stuck."""
FASTER = 40.0


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What everything is compared with."""

    left: Left
    steps: list[str]
    seconds: float


class Stage:
    """One scenario, played as often as one likes, each time in a fresh house with a sandbox of its own."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self._folder = folder
        self._number = 0

    @contextmanager
    def play(self) -> Iterator["Play"]:
        self._number += 1
        place = self._folder / f"{self._number:05}"
        home, clock = Home(place), FastClock(FASTER)
        for folder in (place, home.inbox):
            folder.mkdir(parents=True)
        self.scenario.drop_all(home.inbox)
        with judge(self.scenario, place / "sandbox", clock) as found:
            play = Play(home, found, self.scenario, clock)
            yield play
        if not play.keep:
            shutil.rmtree(place)

    def undisturbed(self) -> Undisturbed:
        with self.play() as play:
            ended = play.run()
            if ended.status != 0:
                play.keep = True
                raise RuntimeError(f"the undisturbed run did not end well ({ended.status}): see {play.home.place}/log")
            return Undisturbed(look(play.home, play.judge.ledger()), play.steps(), ended.seconds)


class Play:
    """One house."""

    def __init__(self, home: Home, found: Judge, scenario: Scenario, clock: FastClock) -> None:
        self.home = home
        self.judge = found
        self.keep = False
        """Whether the house is wanted afterwards, to see what went wrong."""
        self._settings = home.settings(scenario, found.url)
        self._clock = clock

    def run(self, die_at: int | None = None, prepare: Callable[[], object] | None = None) -> Ended:
        """Run the daemon until nothing is left to do, or until it dies at a step."""

        def work() -> None:
            edge_steps.install(edge_steps.Steps(self.home.place / "steps", die_at))
            if prepare:
                prepare()
            anyio.run(self._serve)

        return fork(work, self.home.place).end(PATIENCE)

    async def _serve(self) -> None:
        await serve(self._settings, KEY, once=True, clock=self._clock)

    def steps(self) -> list[str]:
        """What the last run did, up to its end."""
        return (self.home.place / "steps").read_text().splitlines()


def sweep(
    stage: Stage, undisturbed: Undisturbed, kills: Iterable[Sequence[int]], row: Row, until: float = float("inf")
) -> Row:
    """Kill at these steps: each entry is the step of the first run, of the second, and so on; then let it finish."""
    for dying in kills:
        if time.monotonic() > until:
            row.note = "time was up"
            break
        with stage.play() as play:
            ended, happened = _kill(play, dying, undisturbed.left)
            flaws = Flaws(wrong=happened)
            if ended.status != 0:
                flaws.lost.append(f"the last run did not end ({ended.status})")
            flaws = _joined(flaws, compare(look(play.home, play.judge.ledger()), undisturbed.left))
            play.keep = bool(flaws)
            row.add(flaws, ended, f"killed at {dying} of {len(undisturbed.steps)}, see {play.home.place}")
    return row


def _kill(play: Play, dying: Sequence[int], whole: Left) -> tuple[Ended, list[str]]:
    said: list[str] = []
    for step in dying:
        ended = play.run(step)
        if not ended.killed:
            # Its course was another one, and shorter.
            return ended, said
        said += [f"{flaw} (after {play.steps()[-1]})" for flaw in torn(play.home, whole, set())]
    return play.run(), said


def _joined(one: Flaws, other: Flaws) -> Flaws:
    return Flaws(one.lost + other.lost, one.doubled + other.doubled, one.wrong + other.wrong)


def singles(count: int, every: int = 1) -> list[tuple[int]]:
    """Each step once, or each so many."""
    return [(step,) for step in range(1, count + 1, every)]


def pairs(count: int, number: int, seed: int) -> list[tuple[int, int]]:
    """So many pairs of steps, drawn at random."""
    luck = random.Random(seed)  # noqa: S311  no secret
    return [(luck.randint(1, count), luck.randint(1, count)) for _ in range(number)]
