"""Plants a defect of ours anywhere: one call of one function raises a `KeyError`, before its work or behind it.

Nothing is listed by hand: every function of every room that an undisturbed run calls is one in which it can happen. It
must stop one thing alone: the daemon goes on, nothing is sent twice, and the next start brings all to its end.
"""

import functools
import inspect
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import batchd.app

from tests.faults.torture.judge import Flaws, compare_but_for
from tests.faults.torture.stage import Stage, Undisturbed
from tests.faults.torture.table import Row

ROOMS = ("journey", "running", "edges", "decisions", "claude", "text", "dispatcher")
OFTEN = (1, 2, 3, 10, 50, 200)
"""Which calls of one function can meet it."""
HEADER = "a defect of batchd"
"""What the errors of a file say of which nothing was sent, since it met one."""


@dataclass(frozen=True, slots=True)
class DefectBlow:
    """Lets one call of one function raise; without a place it only tells which there are."""

    place: str = ""
    """`module:function number`."""
    behind: bool = False
    """Whether the function has done its work before."""

    @property
    def deadly(self) -> bool:
        return False

    def strike(self, log: Path) -> None:
        plant(Defects(log, self))

    def __str__(self) -> str:
        return f"KeyError {'behind' if self.behind else 'in'} {self.place}"


class Defects:
    """The calls of this process, and the one that meets a defect."""

    def __init__(self, log: Path, blow: DefectBlow) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._write = os.write
        self._place = blow.place
        self._behind = blow.behind
        self._calls: Counter[str] = Counter()

    def called(self, name: str) -> tuple[bool, bool]:
        """Count a call; whether it fails before its work, and behind it."""
        self._calls[name] += 1
        if self._calls[name] not in OFTEN:
            return False, False
        place = f"{name} {self._calls[name]}"
        self._write(self._log, f"{place}\n".encode())
        met = place == self._place
        return met and not self._behind, met and self._behind

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function of any kind but those that yield."""

        @functools.wraps(work)
        async def waiting(*args: Any, **named: Any) -> Any:
            before, behind = self.called(name)
            if before:
                raise KeyError("planted")
            result = await work(*args, **named)
            if behind:
                raise KeyError("planted")
            return result

        @functools.wraps(work)
        def working(*args: Any, **named: Any) -> Any:
            before, behind = self.called(name)
            if before:
                raise KeyError("planted")
            result = work(*args, **named)
            if behind:
                raise KeyError("planted")
            return result

        return waiting if inspect.iscoroutinefunction(work) else working


def plant(defects: Defects) -> None:
    """Wrap every function of the rooms, for good."""
    wrapped: dict[Callable[..., Any], Callable[..., Any]] = {}
    rooms = list(_rooms())
    for room in rooms:
        for name, found in list(vars(room).items()):
            if isinstance(found, FunctionType) and found.__module__ == room.__name__ and _can_be(found):
                wrapped[found] = defects.around(f"{room.__name__}:{name}", found)
            elif inspect.isclass(found) and found.__module__ == room.__name__ and not issubclass(found, BaseException):
                _plant_in_class(found, defects)
    for module in [module for name, module in sys.modules.items() if name.startswith("batchd.")]:
        for name, found in list(vars(module).items()):
            if isinstance(found, FunctionType) and found in wrapped:
                setattr(module, name, wrapped[found])


def _plant_in_class(owner: type, defects: Defects) -> None:
    for name, found in list(vars(owner).items()):
        if isinstance(found, FunctionType) and not name.startswith("__") and _can_be(found):
            setattr(owner, name, defects.around(f"{owner.__module__}:{owner.__name__}.{name}", found))


def _can_be(found: FunctionType) -> bool:
    yields = inspect.isgeneratorfunction(found) or inspect.isasyncgenfunction(found)
    return not yields and not hasattr(found, "__wrapped__")


def _rooms() -> Iterator[ModuleType]:
    for name, module in sorted(sys.modules.items()):
        if name.startswith(tuple(f"{batchd.__name__}.{room}" for room in ROOMS)):
            yield module


def plant_defects(stage: Stage, undisturbed: Undisturbed, blows: Iterable[DefectBlow], row: Row, until: float) -> Row:
    """Plant each of these for one run; then let the next finish, and judge."""
    for blow in blows:
        if time.monotonic() > until:
            row.note = "time was up"
            break
        with stage.play() as play:
            flaws = Flaws()
            struck = play.run(blow)
            if struck.status is None:
                flaws.wrong.append("it neither went on nor ended")
            elif struck.status != 0:
                row.ended += 1
                if struck.ready is not None:
                    flaws.wrong.append("the daemon ended of it")
            ended = play.run()
            if ended.status != 0:
                flaws.lost.append(f"the last run did not end ({ended.status})")
            flaws += compare_but_for(HEADER, play.left(), undisturbed.left)
            play.keep = bool(flaws)
            row.add(flaws, ended, f"{blow}, see {play.place}")
    return row
