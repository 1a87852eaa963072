"""What was tried and what came of it, as a table."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Self

from tests.faults.torture.judge import Flaws
from tests.faults.torture.processes import Ended

_HEADS = ("fault", "tried", "lost", "doubled", "wrong", "ready again, s", "all done, s", "")


@dataclass(slots=True)
class Row:
    """One kind of fault."""

    fault: str
    tried: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    """Other differences from the undisturbed run."""
    ready: list[float] = field(default_factory=list)
    """Seconds from each restart until it was ready."""
    done: list[float] = field(default_factory=list)
    """Seconds from the last restart until nothing was left to do."""
    details: list[str] = field(default_factory=list)
    ended: int = 0
    """Runs that a fault which kills nobody has ended, with an error."""
    note: str = ""

    def add(self, flaws: Flaws, ended: Ended | None, about: str) -> None:
        """Count one trial."""
        self.tried += 1
        self.lost += len(flaws.lost)
        self.doubled += len(flaws.doubled)
        self.wrong += len(flaws.wrong)
        if flaws:
            self.details.append(f"{self.fault}: {about}: {flaws}")
        if ended is not None:
            self.done.append(ended.seconds)
            if ended.ready is not None:
                self.ready.append(ended.ready)

    def __iadd__(self, more: "Row") -> Self:
        for name in ("tried", "lost", "doubled", "wrong", "ended", "ready", "done", "details"):
            setattr(self, name, getattr(self, name) + getattr(more, name))
        self.note = self.note or more.note
        return self

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)

    def cells(self) -> tuple[str, ...]:
        counts = (str(number) for number in (self.tried, self.lost, self.doubled, self.wrong))
        return (self.fault, *counts, _spread(self.ready), _spread(self.done), self._notes())

    def _notes(self) -> str:
        ended = f"{self.ended} ended with an error, the others went on" if self.ended else ""
        return "; ".join(filter(None, (self.note, ended)))


def table(rows: Iterable[Row]) -> str:
    """Draw it, aligned; times are median and maximum."""
    cells = [_HEADS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADS))]
    drawn = [
        "  ".join(
            cell.ljust(width) if column in {0, 7} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in (drawn[0], "  ".join("-" * width for width in widths), *drawn[1:]))


def _spread(seconds: list[float]) -> str:
    return f"{median(seconds):.2f} … {max(seconds):.2f}" if seconds else "-"
