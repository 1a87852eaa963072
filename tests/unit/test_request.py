"""From one request as it was written to one that can be sent, or to all that is wrong with it, told once."""

import json
from decimal import Decimal
from typing import Any

import pytest
from batchd.decisions.jobfile.request import Requests
from batchd.decisions.jobfile.rules import Rules
from batchd.model import Caution, Entry, Lane, Problem, Terms, Wishes
from batchd.text.jsonscan import Broken
from msgspec import Raw

HI = [{"role": "user", "content": "Hi"}]


def offered(found: object, job: object = None, rules: Rules | None = None) -> list[object]:
    requests = Requests(rules or Rules())
    said: list[object] = [] if job is None else list(requests.settle(1, job))
    return [*said, *requests.offer(2, found)]


def entry(job: object = None, rules: Rules | None = None, **settings: Any) -> Entry:
    said = offered({"custom_id": "a", "params": {"messages": HI}, **settings}, job, rules)
    (found,) = [each for each in said if isinstance(each, Entry)]
    return found


def problems(found: object, job: object = None, rules: Rules | None = None) -> list[tuple[int, str]]:
    said = offered(found, job, rules)
    assert not [each for each in said if isinstance(each, Entry)]
    return [(each.line, each.field) for each in said if isinstance(each, Problem)]


def test_a_request_that_says_nothing_has_the_rules_model_and_length_and_wishes_for_nothing() -> None:
    found = entry(rules=Rules(model="claude-opus-5", max_tokens=9, betas=("b", "a")))
    assert (found.model, found.max_tokens, found.betas) == ("claude-opus-5", 9, ("a", "b"))
    assert (found.budget, found.rounds, found.wishes, found.version) == (None, 0, Wishes(), None)
    assert json.loads(found.params) == {"messages": HI, "model": "claude-opus-5", "max_tokens": 9}


def test_what_a_request_says_counts_for_more_than_what_its_job_says() -> None:
    expect = {"words": 5}
    job = {"documents": False, "files": True, "cache": "auto", "lane": "sync", "continue": 3, "expect": expect}
    assert entry(job).wishes == Wishes(
        documents=False, lane=Lane.SYNC, cache="auto", files=True, expect=Raw(b'{"words":5}')
    )
    mine = {"documents": True, "lane": "auto", "cache": "off", "expect": {"words": 6}, "continue": 0}
    own = entry(job, None, **mine)
    assert (own.wishes, own.rounds) == (Wishes(files=True, expect=Raw(b'{"words":6}')), 0)


def test_a_jobs_budget_is_the_jobs_and_a_requests_its_own_to_the_last_digit() -> None:
    said = offered({"custom_id": "a", "params": {"messages": HI}, "budget": 0.1}, {"budget": 2})
    assert [each for each in said if isinstance(each, Terms)] == [Terms(Decimal(2))]
    assert [each.budget for each in said if isinstance(each, Entry)] == [Decimal("0.1")]
    assert entry({"budget": 2}).budget is None


@pytest.mark.parametrize(
    ("settings", "rounds"),
    [({"max_tokens": 64_000}, 0), ({"max_tokens": 64_001}, 3), ({"lane": "sync"}, 3), ({"continue": 0}, 0)],
)
def test_what_is_long_or_a_stream_is_continued_unless_it_says_otherwise(settings: dict[str, Any], rounds: int) -> None:
    assert entry(**settings).rounds == rounds


def test_a_moment_decides_about_the_lane_where_none_is_named_and_stays_out_of_the_wishes() -> None:
    rules = Rules(now=1_795_600_000.0)
    soon = "2026-11-25T12:00:00Z"
    assert entry(rules=rules, needed_by=soon).wishes == Wishes(lane=Lane.SYNC)
    assert entry({"needed_by": soon}, rules, lane="batch").wishes == Wishes()


@pytest.mark.parametrize(
    ("found", "places"),
    [
        (3, [(2, "")]),
        ({"params": {"messages": HI}}, [(2, "custom_id")]),
        ({"custom_id": 3, "params": {"messages": HI}}, [(2, "custom_id")]),
        ({"custom_id": "x" * 257, "params": {"messages": HI}}, [(2, "custom_id")]),
        ({"custom_id": "\ud800", "params": {"messages": HI}}, [(2, "custom_id")]),
        ({"custom_id": "a", "params": {}}, [(2, "params.messages")]),
        ({"custom_id": "a", "colour": 1}, [(2, "colour")]),
        ({"custom_id": "a", "params": {"messages": HI}, "max_tokens": 10**6}, [(2, "max_tokens")]),
        ({"custom_id": "a", "params": {"messages": HI}, "expect": {"ends_with": "\ud800"}}, [(2, "expect.ends_with")]),
        ({"custom_id": "a", "params": {"messages": HI, "system": "\ud800"}}, [(2, "params.system")]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_request_is_told_at_its_place(found: object, places: list[tuple[int, str]]) -> None:
    assert problems(found) == places


def test_an_id_is_one_requests_alone() -> None:
    requests = Requests(Rules())
    request = {"custom_id": "a", "params": {"messages": HI}}
    assert [type(each) for each in requests.offer(1, request)] == [Entry]
    assert [type(each) for each in requests.offer(2, request)] == [Problem]


def test_what_is_wrong_with_what_requests_share_is_told_once_at_the_jobs_line() -> None:
    requests = Requests(Rules())
    said: list[object] = list(requests.settle(1, {"params": {"temperature": 3}, "max_tokens": 10**6}))
    for line in (2, 3):
        said += requests.offer(line, {"custom_id": f"r{line}", "params": {"messages": HI}})
    assert [(each.line, each.field) for each in said if isinstance(each, Problem)] == [
        (1, "job.max_tokens"),
        (1, "job.params.temperature"),
    ]
    assert [getattr(each, "line", None) for each in Requests(Rules()).settle(4, [])] == [4]


def test_a_caution_is_given_once_a_file() -> None:
    requests = Requests(Rules(now=1_795_600_000.0))
    late = {"needed_by": "2026-11-25T12:00:00Z", "lane": "batch", "params": {"messages": HI}}
    said = [each for line in (1, 2) for each in requests.offer(line, {"custom_id": f"r{line}", **late})]
    assert [type(each) for each in said] == [Caution, Entry, Entry]


def test_a_request_is_measured_as_it_goes_out() -> None:
    rules = Rules(max_request_bytes=200)
    assert problems({"custom_id": "a", "params": {"messages": HI}}, {"system": "x" * 200}, rules) == [(2, "params")]
    assert entry(rules=rules).custom_id == "a"


def test_a_file_holds_so_many_requests_and_no_more() -> None:
    requests = Requests(Rules(max_requests=1))
    list(requests.offer(1, {}))
    with pytest.raises(Broken, match="more than 1 requests"):
        list(requests.offer(2, {}))
