"""A stranger's word without end, at each place of every valid use: told at once, told short, and by both alike."""

import copy
import json
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from batchd.decisions.jobfile.reader import Rules, read
from batchd.model import Caution, Entry, Problem

from tests.support.rule_book import by_sandbox, disagreement
from tests.unit.test_rule_book import VALID, at, places

LONG = "claude-" + "x" * 1_000_000
MOST_SECONDS, MOST_BYTES, MOST_SAID = 2.0, 16_000_000, 400


def endless() -> Iterator[tuple[str, dict[str, Any]]]:
    """A request for each kind of place that takes a text or a key."""
    known: set[str] = set()
    for row in VALID:
        for path in places(row):
            inside = at(row, path)
            place = ".".join("*" if isinstance(step, int) else step for step in path)
            key = f"{type(inside).__name__} {place}"
            if key in known or not isinstance(inside, str | dict):
                continue
            known.add(key)
            other = copy.deepcopy(row)
            if isinstance(inside, dict):
                at(other, path)[LONG] = 1
            else:
                at(other, path[:-1])[path[-1]] = LONG
            yield key, other


PLACES = dict(endless())


@pytest.mark.parametrize("place", PLACES)
def test_it_is_told_at_once_and_short(place: str) -> None:
    line = json.dumps(PLACES[place]).encode()
    tracemalloc.start()
    begun = time.process_time()
    said = list(read(lambda: [line], ".jsonl", "x", Rules()))
    took = time.process_time() - begun
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    texts = [each.field + each.message for each in said if isinstance(each, Problem | Caution)]
    assert max(map(len, texts), default=0) < MOST_SAID
    assert took < MOST_SECONDS
    assert peak < MOST_BYTES


@pytest.mark.parametrize("place", [place for place in PLACES if " params" in place])
def test_both_judge_it_alike(place: str) -> None:
    assert disagreement(PLACES[place]) == ""


@pytest.mark.parametrize(
    "name", ["claude-" + "x" * 250, "-".join(["claude"] * 100_000), "a/" * 500_000 + "claude", "us.anthropic." * 99_999]
)
def test_a_models_name_is_no_longer_than_names_are(name: str) -> None:
    row = copy.deepcopy(VALID[0])
    row["params"]["model"] = name
    begun = time.process_time()
    said = list(read(lambda: [json.dumps(row).encode()], ".jsonl", "x", Rules()))
    assert time.process_time() - begun < MOST_SECONDS
    assert [each.field for each in said if isinstance(each, Problem)] == ["params.model"]


def test_a_header_holds_only_so_many_betas_and_none_without_end() -> None:
    for betas in (["a" * 101], ["a"] * 51):
        said = list(read(lambda: [json.dumps({**VALID[0], "betas": betas}).encode()], ".jsonl", "x", Rules()))  # noqa: B023  read at once
        assert [type(each) for each in said] == [Problem]


def test_thousands_of_calls_and_results_are_soon_held_against_each_other() -> None:
    calls = [{"type": "tool_use", "id": f"t{n}", "name": "a", "input": {}} for n in range(10_000)]
    found = [{"type": "tool_result", "tool_use_id": f"t{n}", "content": "x"} for n in range(10_000)][::-1]
    turns = [("user", "Look."), ("assistant", calls), ("user", found)]
    messages = [{"role": role, "content": content} for role, content in turns]
    params = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": messages}
    entry = next(
        iter(read(lambda: [json.dumps({"custom_id": "a", "params": params}).encode()], ".jsonl", "x", Rules()))
    )
    assert isinstance(entry, Entry)
    begun = time.process_time()
    assert by_sandbox({"params": params}, entry) == ""
    assert time.process_time() - begun < MOST_SECONDS
