"""Moments as people say them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from batchd.text.moments import moment_of, moment_to_come

HERE = timezone(timedelta(hours=2))
NOW = datetime(2026, 3, 1, 0, 30, tzinfo=HERE)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2h", "2026-02-28T22:30:00+02:00"),
        ("90 m", "2026-02-28T23:00:00+02:00"),
        ("3D", "2026-02-26T00:30:00+02:00"),
        ("1w", "2026-02-22T00:30:00+02:00"),
        ("today", "2026-03-01T00:00:00+02:00"),
        ("Yesterday", "2026-02-28T00:00:00+02:00"),
        ("2026-02-14T10:00:00Z", "2026-02-14T10:00:00+00:00"),
    ],
)
def test_what_people_say_is_a_moment(said: str, meant: str) -> None:
    found = moment_of(said, NOW)
    assert found is not None
    if said.casefold() not in {"today", "yesterday"}:
        assert found == datetime.fromisoformat(meant)
    else:  # days begin where the machine is
        assert (found.hour, found.minute) == (found.astimezone(HERE).hour, found.astimezone(HERE).minute)


def test_a_date_is_its_beginning() -> None:
    found = moment_of("2026-02-14", datetime.now().astimezone())
    assert found is not None
    local = found.astimezone()
    assert (local.year, local.month, local.day, local.hour) == (2026, 2, 14, 0)


@pytest.mark.parametrize("said", ["", "soon", "2", "-2h", "2026-13-01", "h", "9" * 400 + "h", "999999w", "tomorrow"])
def test_anything_else_is_none(said: str) -> None:
    assert moment_of(said, NOW) is None


EVENING = datetime(2026, 11, 27, 18, 30, tzinfo=HERE)


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("18:31", datetime(2026, 11, 27, 18, 31, tzinfo=HERE)),
        ("18:30", datetime(2026, 11, 28, 18, 30, tzinfo=HERE)),
        ("6:05", datetime(2026, 11, 28, 6, 5, tzinfo=HERE)),
        ("2026-12-01T08:00:00Z", datetime(2026, 12, 1, 8, tzinfo=UTC)),
        ("2026-12-01T08:00:00+02:00", datetime(2026, 12, 1, 8, tzinfo=HERE)),
        ("24:00", None),
        ("2026-12-01T08:00:00", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_a_moment_to_come(said: str, moment: datetime | None) -> None:
    assert moment_to_come(said, EVENING) == moment
