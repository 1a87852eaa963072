"""By which lane a request goes."""

import json
from datetime import UTC, datetime

import pytest
from batchd.decisions.jobfile.reader import Rules, read
from batchd.model import Caution, Entry, Lane, Problem

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
SOON, LATE, PAST = "2026-11-24T07:00:00+01:00", "2026-11-25T07:00:00Z", "2026-11-01T07:00:00Z"
RULES = Rules(now=NOW.timestamp())


def said(**settings: object) -> list[object]:
    request = {"custom_id": "a", **settings, "params": {"messages": [{"role": "user", "content": "Hi"}]}}
    return list(read(lambda: [json.dumps(request).encode()], ".jsonl", "x", RULES))


def lane_of(**settings: object) -> Lane:
    (entry,) = (each for each in said(**settings) if isinstance(each, Entry))
    return entry.wishes.lane


@pytest.mark.parametrize(
    ("settings", "lane"),
    [
        ({}, Lane.BATCH),
        ({"lane": "sync"}, Lane.SYNC),
        ({"lane": "auto"}, Lane.BATCH),
        ({"lane": "auto", "needed_by": SOON}, Lane.SYNC),
        ({"needed_by": SOON}, Lane.SYNC),
        ({"needed_by": PAST}, Lane.SYNC),
        ({"needed_by": LATE}, Lane.BATCH),
        ({"lane": "batch", "needed_by": SOON}, Lane.BATCH),
        ({"lane": "sync", "needed_by": LATE}, Lane.SYNC),
        ({"needed_by": SOON, "max_tokens": 200_000}, Lane.BATCH),
    ],
)
def test_a_deadline_decides_unless_the_user_has(settings: dict[str, object], lane: Lane) -> None:
    assert lane_of(**settings) is lane


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lane": "batch", "needed_by": SOON}, "lane sync would answer in seconds to minutes"),
        ({"needed_by": SOON, "max_tokens": 200_000}, "over 128,000 tokens there are batches alone"),
        ({"needed_by": PAST}, "is over; it goes by lane sync, at twice the price"),
        ({"needed_by": "2020-11-24T07:00:00Z", "lane": "sync"}, "is that moment right?"),
    ],
)
def test_who_cannot_have_it_in_time_is_told(settings: dict[str, object], words: str) -> None:
    (caution,) = (each for each in said(**settings) if isinstance(each, Caution))
    assert words in caution.message
    assert caution.field == "needed_by"


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        ({"lane": "fast"}, "lane", "must be one of batch, sync, auto"),
        ({"needed_by": "tomorrow"}, "needed_by", "with its time zone"),
        ({"needed_by": "2026-11-24T07:00:00"}, "needed_by", "with its time zone"),
        ({"needed_by": 7}, "needed_by", "must be a moment"),
        ({"needed_by": "2020-11-24T07:00:00Z"}, "needed_by", "over a year ago: correct the year"),
        ({"needed_by": "0001-01-01T00:00:00+14:00"}, "needed_by", "correct the year"),
        ({"needed_by": "9999-12-31T23:59:59-14:00", "lane": "fast"}, "lane", "must be one of"),
        ({"lane": "sync", "max_tokens": 200_000}, "max_tokens", "writes at most 128,000 tokens; more is for batches"),
        ({"lane": "sync", "betas": ["output-300k-2026-03-24"]}, "betas", "is for batches alone"),
    ],
)
def test_what_no_lane_can_do_is_wrong(settings: dict[str, object], field: str, words: str) -> None:
    problems = [each for each in said(**settings) if isinstance(each, Problem)]
    assert [problem.field for problem in problems] == [field]
    assert words in problems[0].message


def test_a_stream_may_break_off_so_it_may_be_continued_unless_the_user_says_otherwise() -> None:
    (entry,) = (each for each in said(lane="sync") if isinstance(each, Entry))
    assert entry.rounds == 3
    (entry,) = (each for each in said(lane="sync", **{"continue": 0}) if isinstance(each, Entry))
    assert entry.rounds == 0
