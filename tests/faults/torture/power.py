"""Cuts the power: an ext4 image is copied as it stands at some step, and the daemon goes on with the copy.

What a file system has not written to its device is not in the copy, exactly as after a cut. The daemon is stopped (not
asked) while it is copied, and a copy counts only when a second one is the same: it then shows one single moment.
"""

import filecmp
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.torture.edge_steps import StepBlow
from tests.faults.torture.judge import Flaws, Left, compare, look, torn
from tests.faults.torture.scenario import Home
from tests.faults.torture.stage import PATIENCE, Play, Stage, Undisturbed
from tests.faults.torture.table import Row

_IMAGE_BYTES = 24 << 20
_MOUNTS = 20
"""How often to try to mount."""
_BETWEEN = 0.2
"""Seconds between two tries."""
_COPIES = 50
"""How often to copy until two copies are the same."""
_ACKNOWLEDGED = (
    "SELECT 'job', name, '' FROM jobs",
    "SELECT 'job.json', name, '' FROM jobs WHERE delivered",
    "SELECT 'batch', id, remote_id FROM batches WHERE remote_id IS NOT NULL",
    "SELECT 'result', batch, row FROM trips WHERE outcome IS NOT NULL",
)


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of its own."""

    image: Path
    place: Path
    """Where it is mounted."""

    def mount(self) -> None:
        """Mount it; what looks for a free loop device may lose it to another lane, and looks again."""
        for _ in range(_MOUNTS):
            with suppress(subprocess.CalledProcessError):
                _run("mount", "-o", "loop", str(self.image), str(self.place))
                return
            time.sleep(_BETWEEN)
        raise RuntimeError(f"{self.image} cannot be mounted")

    def unmount(self) -> None:
        _run("umount", str(self.place))

    def copy(self) -> Path:
        """Copy it as it stands at one moment."""
        copies = self.image.with_suffix(".first"), self.image.with_suffix(".second")
        for _ in range(_COPIES):
            for copy in copies:
                _run("cp", "--sparse=always", str(self.image), str(copy))
            if filecmp.cmp(*copies, shallow=False):
                copies[1].unlink()
                return copies[0]
        raise RuntimeError("the image never stood still")


def why_not() -> str:
    """Why the power cannot be cut here; empty where it can."""
    if os.geteuid() != 0:
        return "needs root, to mount an image"
    try:
        subprocess.run(["losetup", "--find"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return "there are no loop devices"
    return ""


def cut_power(
    stage: Stage, undisturbed: Undisturbed, steps: Iterable[int], row: Row, until: float = float("inf")
) -> Row:
    """Cut it at each of these steps; then let the daemon finish on what the disk kept."""
    for step in steps:
        if time.monotonic() > until:
            row.note = "time was up"
            break
        with disk(stage.folder) as home_disk, stage.play(home_disk.place / "house") as play:
            os.sync()  # what was dropped lies there for good
            flaws = _cut(play, home_disk, StepBlow(step, signal.SIGSTOP), undisturbed.left)
            ended = play.run()
            if ended.status != 0:
                flaws.lost.append(f"the last run did not end ({ended.status})")
            flaws += compare(look(play.home, play.judge.ledger()), undisturbed.left)
            play.keep = bool(flaws)
            row.add(flaws, ended, f"cut at step {step} of {len(undisturbed.steps)}, see {play.place}")
    return row


def _cut(play: Play, disk: Disk, blow: StepBlow, whole: Left) -> Flaws:
    """Run until a step, and leave the house as the disk had it at that moment."""
    child = play.start(blow)
    if not child.wait_until_stopped(PATIENCE):
        # It was through before that step.
        return Flaws()
    known = acknowledged(play.home)
    copy = disk.copy()
    child.kill()
    disk.unmount()
    copy.replace(disk.image)
    disk.mount()
    flaws = Flaws(wrong=torn(play.home, whole, set()))
    kept = acknowledged(play.home)
    flaws.lost += [f"acknowledged {fact}" for fact in known - kept]
    flaws.lost += [
        f"{name}/job.json"
        for kind, name, _ in kept
        if kind == "job.json" and not (play.home.outbox / str(name) / "job.json").exists()
    ]
    return flaws


def acknowledged(home: Home) -> set[tuple[object, ...]]:
    """What the database says is done; a reader of a WAL sees nothing that was not synced before."""
    file = home.state / "batchd.sqlite"
    if not file.exists():
        return set()
    with closing(sqlite3.connect(file)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'jobs'").fetchone():
            return set()
        return {row for sql in _ACKNOWLEDGED for row in database.execute(sql)}


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """Make a small disk and mount it."""
    found = Disk(folder / "disk.img", folder / "disk")
    found.place.mkdir(exist_ok=True)
    # A new file: a device that still holds the last one would be taken again, with what it remembers of it.
    found.image.unlink(missing_ok=True)
    with found.image.open("wb") as image:
        image.truncate(_IMAGE_BYTES)
    _run("mkfs.ext4", "-q", "-F", str(found.image))
    found.mount()
    try:
        yield found
    finally:
        found.unmount()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
