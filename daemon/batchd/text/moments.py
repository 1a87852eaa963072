"""Moments as people say them: how long ago, which day, which date."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_AGO: Final = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_DAYS: Final = {"today": 0, "yesterday": 1}


def moment_of(said: str, now: datetime) -> datetime | None:
    """Read a moment in the past.

    Args:
        said: `2h`, `30m`, `3d`; `today` or `yesterday`, which begin at midnight; a date, or a date with a time.
        now: With the time zone that days begin in.

    Returns:
        None where that is none of these.
    """
    text = said.strip().lower()
    if (ago := _AGO.fullmatch(text)) is not None:
        try:
            return now - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
        except OverflowError:
            return None
    if text in _DAYS:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        return (midnight - timedelta(days=_DAYS[text])).astimezone(now.tzinfo)
    try:
        moment = datetime.fromisoformat(said.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.astimezone(now.tzinfo)


def moment_to_come(said: str, now: datetime) -> datetime | None:
    """Read a moment as `HH:MM`, the next time that a clock shows it, or as RFC 3339.

    Args:
        said: It.
        now: With the time zone of that clock.

    Returns:
        None where it is neither; a date and a time without a zone are neither.
    """
    if (clock := _CLOCK.fullmatch(said.strip())) is not None:
        today = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return today if today > now else today + timedelta(days=1)
    try:
        moment = datetime.fromisoformat(said.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def seconds_until(clock: str, now: datetime) -> float:
    """Say in how many seconds a clock shows a time next.

    Args:
        clock: `HH:MM`.
        now: With the time zone of that clock.
    """
    moment = moment_to_come(clock, now)
    return 86_400.0 if moment is None else (moment - now).total_seconds()


def month_of(moment: float) -> float:
    """Say when the month of a moment began, in UTC; both in unix seconds."""
    day = datetime.fromtimestamp(moment, UTC)
    return datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()
