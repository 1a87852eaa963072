"""Plots as shapes: where bars, lines and marks of a drawing lie. Pure; the templates draw them as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, floor, log10
from typing import Final

WIDTH, HEIGHT = 1_000, 200
"""Units of the drawing of costs."""
_STEPS: Final = (1, 2, 2.5, 5, 10)
_LEAST: Final = 600.0
"""Seconds of the shortest axis of time."""
_AHEAD: Final = 2.5
"""How many times as long as the past the future of an axis is at the most."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One day."""

    day: date
    x: float
    width: float
    y: float
    height: float
    cost: float
    standard: float


@dataclass(frozen=True, slots=True)
class Days:
    """What was spent, day by day, beside what it would have cost at the synchronous price."""

    bars: tuple[Bar, ...]
    line: str
    """Of the synchronous price, as the points of a polyline."""
    marks: tuple[tuple[float, float], ...]
    """Heights and amounts of the horizontal lines."""
    labels: tuple[tuple[float, date], ...]
    """Where the days are named that are."""


def days(spent: Mapping[date, tuple[float, float]], *, last: date, count: int) -> Days:
    """Lay out what was spent in the last days; a day without anything is a day with nothing.

    Args:
        spent: Cost and synchronous price, by day.
        last: The last day.
        count: How many.
    """
    all_ = [last - timedelta(days=count - 1 - at) for at in range(count)]
    values = [spent.get(day, (0.0, 0.0)) for day in all_]
    step, top = scale(max((max(each) for each in values), default=0.0))
    width = WIDTH / count

    def height(amount: float) -> float:
        return round(HEIGHT * amount / top, 2)

    bars = tuple(
        Bar(
            day,
            round(at * width + width * 0.15, 2),
            round(width * 0.7, 2),
            round(HEIGHT - height(cost), 2),
            height(cost),
            cost,
            standard,
        )
        for at, (day, (cost, standard)) in enumerate(zip(all_, values, strict=True))
    )
    corners = [
        f"{round(x, 2):g},{round(HEIGHT - height(standard), 2):g}"
        for at, (_, standard) in enumerate(values)
        for x in (at * width, (at + 1) * width)
    ]
    marks = tuple((round(HEIGHT - height(step * at), 2), step * at) for at in range(round(top / step) + 1))
    named = tuple((round((at + 0.5) * width, 2), day) for at, day in enumerate(all_) if day.day == 1 or at == count - 1)
    return Days(bars, " ".join(corners), marks, named)


def scale(most: float) -> tuple[float, float]:
    """Choose round steps for an axis, and where it ends: three to five steps."""
    if most <= 0:
        return 1.0, 3.0
    rough = most / 4
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * 0.999)
    return step, step * max(ceil(most / step * 0.9999), 1)


@dataclass(frozen=True, slots=True)
class Lane:
    """One batch on the common axis of time, in percent of its width; None where there is nothing to draw."""

    planned: float
    submitted: float | None
    until: float
    """Its end, or now."""
    expires: float | None


@dataclass(frozen=True, slots=True)
class Axis:
    """The time that lanes are drawn on; unix seconds."""

    begin: float
    end: float
    now: float
    """In percent of it."""


def lanes(
    batches: Sequence[tuple[float, float | None, float | None, float | None, bool]], now: float
) -> tuple[list[Lane], Axis]:
    """Lay batches out on one axis of time, which reaches as far ahead as the expiries of those that are not over.

    Args:
        batches: Planned, submitted, ended, expires, and whether each is over; unix seconds.
        now: The same.
    """
    begin = min((each[0] for each in batches), default=now)
    ahead = [expires for _, _, _, expires, over in batches if expires is not None and not over]
    end = max([now, begin + _LEAST, *(each for each in ahead if each - now <= max(now - begin, _LEAST) * _AHEAD)])

    def place(moment: float) -> float:
        return round(min(max(100 * (moment - begin) / (end - begin), 0), 100), 2)

    found = [
        Lane(
            place(planned),
            None if submitted is None else place(submitted),
            place(ended or (submitted or planned if over else now)),
            place(expires) if expires is not None and not over and expires <= end else None,
        )
        for planned, submitted, ended, expires, over in batches
    ]
    return found, Axis(begin, end, place(now))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar, in percent of it."""

    kind: str
    x: float
    width: float


def parts(total: int, counts: Sequence[tuple[str, int]]) -> list[Part]:
    """Lay the parts of a bar one beside the other; one that is there is seen, however small."""
    found: list[Part] = []
    at = 0.0
    for kind, count in counts:
        if count > 0:
            width = max(100 * count / max(total, 1), 0.6)
            found.append(Part(kind, round(at, 2), round(min(width, 100 - at), 2)))
            at += width
    return found
