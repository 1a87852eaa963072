"""Several processes side by side, since every play spends most of its time waiting."""

import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

from tests.faults.torture.processes import die_with
from tests.faults.torture.table import Row


def in_lanes(lanes: int, play: Callable[[int], Row], folder: Path, row: Row) -> Row:
    """Play in each lane, and add up what came of it; a lane that breaks down is itself a flaw."""
    parent = os.getpid()
    started = []
    for lane in range(lanes):
        pid = os.fork()
        if pid == 0:
            _play(parent, folder / f"row.{lane}", lambda lane=lane: play(lane))  # type: ignore[misc]  # bound now
        started.append((lane, pid))
    for lane, pid in started:
        _, status = os.waitpid(pid, 0)
        if status != 0:
            row.wrong += 1
            row.details.append(f"{row.fault}: lane {lane} broke down, see above")
            continue
        row += pickle.loads((folder / f"row.{lane}").read_bytes())  # noqa: S301  our own child's
    return row


def _play(parent: int, answer: Path, play: Callable[[], Row]) -> None:
    status = 70
    try:
        die_with(parent)
        answer.write_bytes(pickle.dumps(play()))
        status = 0
    except BaseException as error:  # noqa: BLE001  a child must never go on as its parent
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(status)
