"""Amounts, sizes and moments as people say them."""

from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Final

from batchd.text.tickets import parted

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_KILO: Final = 1_000
_LEAST: Final = 0.0001
"""USD below which nobody wants to know how much."""
_CLOSE: Final = 90
"""Seconds within which a moment is now."""


def money(usd: float | None) -> str:
    """Say an amount: two digits above a dollar, more below."""
    if usd is None:
        return "unknown"
    if not usd:
        return "$0"
    if usd < _LEAST:
        return f"under ${_LEAST}"
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"


def dropped(source: str) -> str:
    """Say what a file was called, without the ticket in its name."""
    return str(parted(PurePosixPath(source))[0])


def size(count: int) -> str:
    """Say how large a file is."""
    number, unit = float(count), _UNITS[0]
    for larger in _UNITS[1:]:
        if number < _KILO:
            break
        number, unit = number / _KILO, larger
    return f"{number:,.0f} {unit}" if unit == _UNITS[0] else f"{number:,.1f} {unit}"


def span(seconds: float) -> str:
    """Say how long something takes, in the one unit that matters."""
    whole = max(round(seconds), 0)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{round(whole / _MINUTE)} min"
    if whole < 2 * _DAY:
        return f"{round(whole / _HOUR)} h"
    return f"{round(whole / _DAY)} days"


def unix(moment: str | None) -> float | None:
    """Read a moment as `--json` has it."""
    return None if moment is None else datetime.fromisoformat(moment).timestamp()


def relative(moment: str | None, now: float) -> str:
    """Say how long ago, or how soon, a moment is."""
    at = unix(moment)
    if at is None:
        return ""
    away = at - now
    if abs(away) < _CLOSE:
        return "just now" if away <= 0 else "in a minute"
    return f"in {span(away)}" if away > 0 else f"{span(-away)} ago"


def exact(moment: str | None) -> str:
    """Say a moment exactly, in UTC."""
    at = unix(moment)
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%A %-d %B %Y, %H:%M:%S UTC")


def plural(count: int, one: str, more: str = "") -> str:
    """Say a number of things."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"
