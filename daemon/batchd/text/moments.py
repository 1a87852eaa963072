"""Moments as people say them: how long ago, which day, which date."""

import re
from datetime import datetime, timedelta
from typing import Final

_AGO: Final = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
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
