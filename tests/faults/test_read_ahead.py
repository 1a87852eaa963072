"""A group of results is decided while the one before it is written: nothing of that shows in what is delivered."""

import threading
from typing import Any

import pytest
from batchd.journey import collector, group_commit, shares

from tests.support.house import House

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("kind", "at"), [("duplicate", 0), ("duplicate", 3), ("cut", 2_500), ("malformed", 2), ("foreign", 1)]
)
async def test_groups_one_behind_the_other_are_delivered_as_one_would_be(
    home: House, kind: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first group is written only once the second is decided."""
    second = threading.Event()
    decided, write = shares.decided, shares.write_lines
    calls = 0

    def count(*words: Any) -> Any:
        nonlocal calls
        calls += 1
        group = decided(*words)
        if calls > 1:
            second.set()
        return group

    def wait(*words: Any) -> Any:
        second.wait()
        return write(*words)

    monkeypatch.setattr(collector, "GROUP_LINES", 1)
    monkeypatch.setattr(collector, "decided", count)
    monkeypatch.setattr(group_commit, "write_lines", wait)
    home.fault("results", kind, at=at)
    home.drop("a.jsonl", [f"say {number}" for number in range(6)])
    assert await home.run()
    home.assert_nothing_twice()
    assert sorted(line["custom_id"] for line in home.lines("a", "results.jsonl")) == [f"r{n}" for n in range(6)]
    assert len(home.lines("a", "report.jsonl")) == 6
