"""Puts back a state of any age while the outbox and the API are of another, and judges what comes of it.

The daemon is stopped at a step, its state copied as a good backup does, and its life goes on: to its end, or until it
is killed. That life is lost. An old state must be noticed before anything is sent, and made safe by `run --restored`.
"""

import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path, PurePosixPath

from batchd.edges.store import DATABASE

from tests.faults.torture.edge_steps import StepBlow
from tests.faults.torture.judge import Flaws, Left, compare_but_for
from tests.faults.torture.processes import Child
from tests.faults.torture.stage import PATIENCE, Play, Stage, Undisturbed
from tests.faults.torture.table import Row

UNFINISHED = "before the state was restored"
"""What the errors of a file say that had become a job of the lost life, which is not finished."""
KEPT = "superseded.jsonl"
"""What a restored state keeps of the results of its lost life."""


def restore_states(  # noqa: PLR0913  a form with all it needs
    stage: Stage, undisturbed: Undisturbed, steps: Iterable[int], row: Row, *, seed: int, until: float
) -> Row:
    """Put back the state of each of these steps; then let the daemon finish, and judge."""
    luck = random.Random(seed)  # noqa: S311  no secret
    for step in steps:
        if time.monotonic() > until:
            row.note = "time was up"
            break
        with stage.play() as play:
            life = _lost_life(play, step, luck)
            if life is None:
                continue
            flaws = Flaws()
            refused = play.run().status != 0  # or it saw that nothing was lost
            if not refused:
                flaws += judged(play, undisturbed.left)
            ended = play.run(restored=True)
            if ended.status != 0:
                flaws.lost.append(f"the restored run did not end ({ended.status})")
            flaws += judged(play, undisturbed.left)
            play.keep = bool(flaws)
            row.ended += refused
            row.add(
                flaws, ended, f"the state of step {step}, {life}, {'refused' if refused else 'not'}, see {play.place}"
            )
    return row


def _lost_life(play: Play, step: int, luck: random.Random) -> str | None:
    """Live on behind a backup, and put it back; says how that life ended, and None where there was nothing to keep."""
    backup = play.place / "backup"
    child = play.start(StepBlow(step, signal.SIGSTOP))
    if not child.wait_until_stopped(PATIENCE):
        return None
    kept = backed_up(play.home.state, backup)
    os.kill(child.pid, signal.SIGCONT)
    life = live_on(child, luck)
    if not kept:
        return None
    shutil.rmtree(play.home.state)
    shutil.copytree(backup, play.home.state)
    drop_again(play)
    return life


def drop_again(play: Play) -> None:
    """Drop what was taken after the backup and is gone with the lost state, as whoever restores one is told to."""
    home = play.home
    with closing(sqlite3.connect(home.state / DATABASE)) as database:
        known = {str(name) for (name,) in database.execute("SELECT name FROM jobs")}
    claimed = {file.name for file in (home.state / "claims").rglob("*") if file.is_file()}
    for name, data in play.scenario.files.items():
        job = str(PurePosixPath(name).with_suffix(""))
        there = (home.inbox / name, home.outbox / "rejected" / name, home.outbox / job / "job.json")
        if job not in known and Path(name).name not in claimed and not any(file.exists() for file in there):
            (home.inbox / name).parent.mkdir(parents=True, exist_ok=True)
            (home.inbox / name).write_bytes(data)


def live_on(child: Child, luck: random.Random) -> str:
    """Let a life go on, to its end or until it is killed, and say how it ended."""
    if luck.random() < 0.5:
        child.end(PATIENCE)
        return "its life went on to the end"
    seconds = luck.uniform(0.05, 1.5)
    if child.wait(seconds) is None:
        child.kill()
    return f"its life went on for {seconds:.2f} s"


def backed_up(state: Path, to: Path) -> bool:
    """Copy a state as a good backup does, its database at one moment; whether there is one already."""
    try:
        shutil.copytree(state, to, ignore=shutil.ignore_patterns(f"{DATABASE}*", "lock"))
        with closing(sqlite3.connect(f"file:{state / DATABASE}?mode=ro", uri=True)) as source:
            if not source.execute("SELECT 1 FROM sqlite_schema WHERE name = 'recovered'").fetchone():
                return False
            with closing(sqlite3.connect(to / DATABASE)) as copy:
                source.backup(copy)
    except (sqlite3.OperationalError, FileNotFoundError):  # it is just being made
        return False
    return True


def judged(play: Play, whole: Left) -> Flaws:
    """Judge what a restored state has come to."""
    found = play.left()
    for job in found.jobs.values():
        job.files.pop(KEPT, None)
    flaws = compare_but_for(UNFINISHED, found, whole)
    requests = (file for file in play.home.outbox.rglob("request.*") if len(list(file.parent.iterdir())) == 1)
    flaws.wrong += [f"{file.relative_to(play.home.outbox)} is left, and nothing else of its job" for file in requests]
    return flaws
