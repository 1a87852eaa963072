"""Hours of the day: read as they are written, and when they begin."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from batchd.text.hours import hours_of


@pytest.mark.parametrize(
    "said", ["", "20:00", "20:00-", "24:00-06:00", "20:60-06:00", "20:00-20:00", "8-9", "8:00 to 9:00"]
)
def test_what_are_no_hours(said: str) -> None:
    assert hours_of(said) is None


@pytest.mark.parametrize(
    ("said", "now", "seconds"),
    [
        ("08:00-18:00", "08:00:00", 0),
        ("08:00-18:00", "17:59:59", 0),
        ("08:00-18:00", "18:00:00", 14 * 3600),
        ("08:00-18:00", "07:59:30", 30),
        ("20:00-06:00", "23:00:00", 0),
        ("20:00 - 6:00", "05:59:59", 0),
        ("20:00-06:00", "06:00:00", 14 * 3600),
        ("20:00-06:00", "19:00:00", 3600),
    ],
)
def test_when_they_begin(said: str, now: str, seconds: float) -> None:
    hours = hours_of(said)
    assert hours is not None
    assert hours.opens_in(datetime.fromisoformat(f"2026-11-27T{now}").replace(tzinfo=ZoneInfo("UTC"))) == seconds
