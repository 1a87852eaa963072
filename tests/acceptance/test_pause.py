"""`batchd pause` and `resume`, as a person calls them."""

import json
from datetime import datetime

from tests.acceptance.installation import Installation


def test_a_pause_is_told_everywhere_and_ended(under_way: Installation) -> None:
    batchd = under_way
    assert batchd.call("pause", "--reason", "the budget", "--until", "2031-01-01T00:00:00Z").returncode == 0
    assert batchd.call("pause", "--folder", "legal/").returncode == 0
    everything, legal = batchd.status()["paused"]
    assert (everything["folder"], everything["reason"]) == (None, "the budget")
    assert datetime.fromisoformat(everything["until"]).timestamp() == 1_924_992_000
    assert (legal["folder"], legal["until"]) == ("legal", None)
    assert set(legal) == {"folder", "since", "until", "by", "reason"}
    table = batchd.call("status").stdout
    assert "everything is paused since" in table
    assert "the budget" in table
    assert batchd.call("resume", "--folder", "legal").returncode == 1, "everything is paused still"
    told = json.loads(batchd.call("resume", "--json").stdout)
    assert told == {"schema": "batchd/resume/1", "resumed": 1, "paused": []}
    assert batchd.status()["paused"] == []
    assert batchd.call("resume").returncode == 0


def test_a_wrong_call_changes_nothing(under_way: Installation) -> None:
    for words in (("--until", "18"), ("--until", "2020-01-01T00:00:00Z"), ("--folder", "/")):
        ended = under_way.call("pause", *words)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert under_way.status()["paused"] == []


def test_without_an_installation_it_says_so(batchd: Installation) -> None:
    assert batchd.call("pause").returncode == 2
    assert batchd.call("resume").returncode == 2
