"""Hours of the day, as clocks show them: `20:00-06:00`."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from batchd.text.moments import seconds_until

_HOURS: Final = re.compile(r"((?:[01]?\d|2[0-3]):[0-5]\d)\s*-\s*((?:[01]?\d|2[0-3]):[0-5]\d)")
WRONG: Final = "must be two times of a day such as 20:00-06:00"
"""What is said of a text that is none."""


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of each day; it may go over midnight."""

    begins: str
    """`HH:MM`, the first minute of it."""
    ends: str
    """`HH:MM`, the first minute behind it."""

    def opens_in(self, now: datetime) -> float:
        """Say in how many seconds it begins: 0 while it lasts.

        Args:
            now: With the time zone of the clock.
        """
        first, behind, minute = _minute(self.begins), _minute(self.ends), now.hour * 60 + now.minute
        within = first <= minute < behind if first < behind else minute >= first or minute < behind
        return 0.0 if within else seconds_until(self.begins, now)


def hours_of(said: str) -> Hours | None:
    """Read hours; None where they are none, or have no length."""
    found = _HOURS.fullmatch(said.strip())
    return Hours(found[1], found[2]) if found and _minute(found[1]) != _minute(found[2]) else None


def _minute(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)
