"""`python -m tests.faults.torture`: the forms one after the other, and a table of what came of them."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.torture.forms import FORMS, Form, Sweep, Task, share_of_time, strike_at_random
from tests.faults.torture.lanes import in_lanes
from tests.faults.torture.stage import Undisturbed
from tests.faults.torture.syscalls import can_preload, preload, preloaded
from tests.faults.torture.table import Row, table
from tests.support.surroundings import isolate

_FOLDER = "TORTURE_FOLDER"
_LEGEND = """Times are median … maximum, in seconds: `ready again` from each start after
a kill (without the import of Python's modules, but for `batchd run`), `all done` of the last run until nothing was left
to do, on a clock that runs 40 times as fast (but for `batchd run`).
"""


def main() -> int:
    """Torture, and say whether anything was lost, doubled or otherwise wrong."""
    chosen = _arguments().parse_args()
    isolate()
    folder = Path(os.environ.get(_FOLDER) or tempfile.mkdtemp(prefix="torture-"))
    if can_preload() and not preloaded():
        environment = {**preload(folder), _FOLDER: str(folder)}
        os.execve(sys.executable, [sys.executable, "-m", __package__, *sys.argv[1:]], environment)  # noqa: S606
    rehearsals = Rehearsals(folder / "rehearsals")
    began = time.monotonic()
    rows: list[Row] = []
    left = [form for form in FORMS if not chosen.form or form.name in chosen.form]
    while left:
        until = share_of_time(left[0], left, began + chosen.minutes * 60)
        try:
            rows.append(_row(left.pop(0), folder, until, chosen, rehearsals))
        except RuntimeError as spoiled:
            sys.stderr.write(f"{spoiled}\n")
            return 2
        sys.stderr.write(f"{rows[-1].fault}: {rows[-1].tried} tried\n")
    minutes = (time.monotonic() - began) / 60
    details = "".join(f"{detail}\n" for row in rows for detail in row.details)
    sys.stdout.write(f"{table(rows)}\n\nIn {minutes:.1f} minutes, seed {chosen.seed}. {_LEGEND}{details}")
    if all(row.good for row in rows):
        shutil.rmtree(folder)
        return 0
    return 1


class Rehearsals:
    """What each scenario is like when nothing disturbs it; played once, before the lanes part."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._played: dict[object, Undisturbed] = {}

    def of(self, sweep: Sweep) -> Undisturbed:
        """Raises RuntimeError where it does not end well by itself."""
        key = sweep.scenario, sweep.counting, sweep.across
        if key not in self._played:
            self._played[key] = sweep.rehearse(self._folder / str(len(self._played)))
        return self._played[key]


def _row(form: Form, folder: Path, until: float, chosen: argparse.Namespace, rehearsals: Rehearsals) -> Row:
    lanes = min(chosen.lanes, form.lanes or chosen.lanes)
    sweep = form.sweep
    if sweep is not None and (reason := sweep.why_not(folder)):
        return Row(form.fault, note=f"left out: {reason}")
    undisturbed = rehearsals.of(sweep) if sweep is not None else None

    def play(lane: int) -> Row:
        place = folder / form.name / str(lane)
        place.mkdir(parents=True)
        task, row = Task(place, lane, lanes, until, chosen.quick, chosen.seed), Row(form.fault)
        if sweep is None or undisturbed is None:
            return strike_at_random(task, row)
        return sweep.play(task, undisturbed, row)

    return in_lanes(lanes, play, folder, Row(form.fault))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.torture", description=__doc__)
    parser.add_argument("form", nargs="*", help=f"only these: {', '.join(form.name for form in FORMS)}")
    parser.add_argument("--minutes", type=float, default=30.0, help="all together, at the most (30)")
    parser.add_argument("--quick", action="store_true", help="some trials of each form")
    parser.add_argument("--lanes", type=int, default=2 * (os.cpu_count() or 1), help="plays side by side")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of all that is random")
    return parser


if __name__ == "__main__":
    sys.exit(main())
