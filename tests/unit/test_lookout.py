"""What the lookout decides: which steps of a budget are reached, what is late, when the day is told."""

from datetime import UTC, datetime, timedelta

import pytest
from batchd.decisions.notices.looking import Budget, OldBatch, digest_due, late, reached
from batchd.notice import Kind

NOW = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("used", "exhausted", "steps"),
    [(7.9, False, []), (8.0, False, [80]), (9.9, False, [80]), (10.0, False, [80, 100]), (5.0, True, [80, 100])],
)
def test_steps_of_a_budget(used: float, exhausted: bool, steps: list[int]) -> None:  # noqa: FBT001  a column
    found = list(reached(Budget("day", "2026-11-27", 10.0, used, exhausted), 0.0))
    assert [notice.data["percent"] for notice in found] == steps
    assert len({notice.subject for notice in found}) == len(steps)


def test_without_a_limit_there_are_no_steps() -> None:
    assert list(reached(Budget("day", "2026-11-27", 0.0, 5.0), 0.0)) == []


def test_what_is_late() -> None:
    hours, days = 3600.0, 86_400.0
    batches = [
        OldBatch(1, 5, 0.0, processing=True),
        OldBatch(2, 5, 24.5 * days, processing=True),
        OldBatch(3, 5, 0.0, processing=False),
    ]
    found = [(notice.kind, notice.data["batch"]) for notice in late(batches, 25 * days)]
    assert found == [(Kind.BATCH_OVERDUE, 1), (Kind.RESULTS_EXPIRING, 1), (Kind.RESULTS_EXPIRING, 3)]
    assert list(late([OldBatch(2, 5, 0.0, processing=True)], 24.9 * hours)) == []


@pytest.mark.parametrize(
    ("at", "began", "last", "due"),
    [
        ("07:30", NOW - timedelta(days=2), None, NOW.replace(hour=7, minute=30)),
        ("07:30", NOW - timedelta(minutes=10), None, None),
        ("07:30", NOW - timedelta(minutes=10), NOW - timedelta(days=1), NOW.replace(hour=7, minute=30)),
        ("07:30", NOW - timedelta(days=2), NOW - timedelta(minutes=20), None),
        ("09:00", NOW - timedelta(days=2), NOW - timedelta(hours=23), None),
        ("09:00", NOW - timedelta(days=2), NOW - timedelta(days=3), NOW.replace(hour=9) - timedelta(days=1)),
    ],
)
def test_when_the_day_is_told(at: str, began: datetime, last: datetime | None, due: datetime | None) -> None:
    assert digest_due(NOW, at, began, last) == due
