"""Plays one scenario again and again, each time struck by other blows, and compares it with the undisturbed play."""

import random
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio
from batchd.app import serve

from tests.faults.torture.judge import Flaws, Left, compare, look, torn
from tests.faults.torture.processes import Child, Ended, Judge, fork, judge
from tests.faults.torture.scenario import KEY, Home, Scenario
from tests.faults.torture.table import Row
from tests.support.bundles import drop as drop_bundle
from tests.support.house import FastClock

PATIENCE = 60.0
"""Seconds after which a run that does not end counts as stuck."""
FASTER = 40.0
AGAIN = 30
"""Steps that every start takes."""


class Blow(Protocol):
    """What strikes one run of the daemon."""

    @property
    def deadly(self) -> bool:
        """Whether the run dies of it."""

    def strike(self, log: Path) -> None:
        """Make ready, within the child; write a line to the log for each step that could be struck."""


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What everything is compared with."""

    left: Left
    steps: list[str]
    """Those that can be struck."""


class Stage:
    """One scenario, played as often as one likes, each time in a fresh house with a sandbox of its own."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.folder = folder
        self._scenario = scenario
        self._number = 0

    @contextmanager
    def play(self, house: Path | None = None) -> Iterator["Play"]:
        """Set the stage; the house may lie elsewhere than all that is only of the play."""
        self._number += 1
        place = self.folder / f"{self._number:05}"
        house = house or place / "house"
        inbox = self._scenario.inbox / place.name if self._scenario.inbox else house / "inbox"
        home, clock = Home(house, inbox), FastClock(FASTER)
        for folder in (place, home.inbox):
            folder.mkdir(parents=True)
        with judge(self._scenario, place / "sandbox", clock) as found:
            play = Play(place, home, found, self._scenario, clock)
            if self._scenario.first:
                play.finish_first(self._scenario)
            self._scenario.drop_all(home.inbox)
            yield play
        if not play.keep:
            shutil.rmtree(place)
            shutil.rmtree(home.inbox, ignore_errors=True)

    def undisturbed(self, counting: Blow | None = None) -> Undisturbed:
        """Play it without a blow, only counting where they could fall."""
        with self.play() as play:
            ended = play.run(counting)
            if ended.status != 0:
                play.keep = True
                raise RuntimeError(f"the undisturbed run did not end well ({ended.status}): see {play.place}/log")
            return Undisturbed(look(play.home, play.judge.ledger()), play.steps() if counting else [])


class Play:
    """One house, and who judges what is done in it."""

    def __init__(self, place: Path, home: Home, found: Judge, scenario: Scenario, clock: FastClock) -> None:
        self.place = place
        self.home = home
        self.judge = found
        self.scenario = scenario
        self.keep = False
        """Whether the place is wanted afterwards, to see what went wrong."""
        self.finished: set[str] = set()
        """Jobs that had finished before it began: they have files that are not those of the end."""
        self._settings = home.settings(scenario, found.url)
        self._clock = clock

    def finish_first(self, scenario: Scenario) -> None:
        """Play what has happened before, undisturbed."""
        for name, contents in scenario.first.items():
            drop_bundle(self.home.inbox, name, contents)
        self.run()
        self.finished = {str(each.parent.relative_to(self.home.outbox)) for each in self.home.outbox.rglob("job.json")}

    def run(self, blow: Blow | None = None, *, ahead: float = 0.0, restored: bool = False) -> Ended:
        """Run the daemon until nothing is left to do, or until a blow ends it."""
        return self.start(blow, ahead=ahead, restored=restored).end(PATIENCE)

    def start(self, blow: Blow | None = None, *, ahead: float = 0.0, restored: bool = False) -> Child:
        """Start the daemon, on a machine whose clock is so many seconds ahead of the API's."""

        def work() -> None:
            if blow is not None:
                blow.strike(self.place / "steps")
            anyio.run(self._serve, ahead, restored)

        return fork(work, self.place)

    async def _serve(self, ahead: float, restored: bool) -> None:  # noqa: FBT001  what runs it takes no names
        self._clock.jump(ahead)  # in this process alone
        await serve(self._settings, KEY, once=True, restored=restored, clock=self._clock)

    def left(self) -> Left:
        """See what is there now."""
        return look(self.home, self.judge.ledger())

    def steps(self) -> list[str]:
        """What the last run that was struck did, up to its end."""
        return (self.place / "steps").read_text().splitlines()


def sweep(
    stage: Stage, undisturbed: Undisturbed, blows: Iterable[Sequence[Blow]], row: Row, until: float = float("inf")
) -> Row:
    """Strike the first run, the second, and so on with these blows; then let it finish, and judge."""
    for falling in blows:
        if time.monotonic() > until:
            row.note = "time was up"
            break
        with stage.play() as play:
            flaws = Flaws()
            struck = [_strike(play, blow, undisturbed.left, flaws) for blow in falling]
            ended = play.run()
            if ended.status != 0:
                flaws.lost.append(f"the last run did not end ({ended.status})")
            flaws += compare(look(play.home, play.judge.ledger()), undisturbed.left)
            play.keep = bool(flaws)
            # A course that was shorter this time ends before the blow: that is no trial.
            if flaws or all(run.killed or not blow.deadly for run, blow in zip(struck, falling, strict=True)):
                row.ended += sum(run.status not in {0, None} and not run.killed for run in struck)
                row.add(flaws, ended, f"{', then '.join(map(str, falling))}, see {play.place}")
    return row


def _strike(play: Play, blow: Blow, whole: Left, flaws: Flaws) -> Ended:
    """Let a blow fall, after which nothing may be seen half done."""
    ended = play.run(blow)
    flaws.wrong += [f"{said} (after {play.steps()[-1]})" for said in torn(play.home, whole, set(play.finished))]
    if ended.status is None:
        flaws.wrong.append("it neither went on by itself nor ended")
    if ended.status == 0 and not blow.deadly:
        # It says that all is done: nothing may be left to another start.
        flaws += compare(look(play.home, play.judge.ledger(), swept=False), whole)
    return ended


def drawn_pairs(count: int, number: int, seed: int) -> list[tuple[int, int]]:
    """So many pairs of steps, drawn at random; what was done before the first is not done again after it."""
    luck = random.Random(seed)  # noqa: S311  no secret
    firsts = [luck.randint(1, count) for _ in range(number)]
    return [(first, luck.randint(1, count - first + AGAIN)) for first in firsts]
