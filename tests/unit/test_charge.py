"""What an answer has cost, from its result line on: unknown is never nothing."""

import json
from decimal import Decimal
from typing import Any

import pytest
from batchd.claude.price import price
from batchd.claude.result_line import read
from batchd.claude.verdict import Result
from batchd.decisions.money.charge import cost_of, saved_of
from batchd.model import Cost, Lane, Usage

MODEL = "claude-sonnet-4-6"
USAGE: dict[str, Any] = {"input_tokens": 1_000, "output_tokens": 200}
UNKNOWN = Cost(None, None)
FREE = Cost(Decimal(0), Decimal(0))


def result(usage: object = USAGE, model: object = MODEL, kind: str = "succeeded", **more: object) -> Result:
    message = {"model": model, "stop_reason": "end_turn", "content": [], "usage": usage, **more}
    line = {
        "custom_id": "a",
        "result": {"type": kind, "message": {k: v for k, v in message.items() if v != "left out"}},
    }
    return read(json.dumps(line).encode()).result


def test_an_answer_costs_what_its_usage_says() -> None:
    assert cost_of(result(), MODEL, Lane.BATCH) == price(Usage(1_000, 200), MODEL)


def test_a_model_that_only_a_gateway_knows_costs_as_the_one_that_was_asked() -> None:
    for name in ("vertex/sonnet@latest", "", None, "left out", 7):
        assert cost_of(result(model=name), MODEL, Lane.BATCH) == price(Usage(1_000, 200), MODEL)
    assert cost_of(result(model="claude-haiku-4-5"), MODEL, Lane.BATCH) == price(Usage(1_000, 200), "claude-haiku-4-5")
    assert cost_of(result(model="vertex/sonnet"), "also-unknown", Lane.BATCH) == UNKNOWN


@pytest.mark.parametrize(
    "usage",
    [
        "left out",
        None,
        {},
        {"output_tokens": 5},
        {"input_tokens": 5},
        {"input_tokens": None, "output_tokens": 5},
        {"input_tokens": 0, "output_tokens": 5},
        {**USAGE, "input_tokens": -1},
        {**USAGE, "output_tokens": (1 << 40) - 1},
        {**USAGE, "output_tokens": 1 << 40},
        {**USAGE, "output_tokens": 10**30},
        {**USAGE, "cache_read_input_tokens": 1 << 62},
        {**USAGE, "cache_creation": {"ephemeral_1h_input_tokens": 10**12}},
        {**USAGE, "input_tokens": "1000"},
        {**USAGE, "input_tokens": 1000.5},
        {**USAGE, "input_tokens": True},
        {**USAGE, "inference_geo": "mars"},
        [1],
        "none",
    ],
)
def test_what_is_not_said_or_cannot_be_is_an_unknown_cost(usage: object) -> None:
    found = result(usage)
    assert cost_of(found, MODEL, Lane.BATCH) == UNKNOWN
    assert cost_of(found, MODEL, Lane.SYNC) == UNKNOWN
    assert max(found.usage.input_tokens, found.usage.output_tokens, found.usage.cache_read_input_tokens) < 1 << 32


def test_an_answer_without_a_usage_saves_nobody_knows_what() -> None:
    assert saved_of(result(None), MODEL, Lane.BATCH) is None
    assert saved_of(result(), MODEL, Lane.BATCH) == 0


def test_all_of_a_prompt_may_have_come_from_the_cache() -> None:
    usage = {"input_tokens": 0, "output_tokens": 5, "cache_read_input_tokens": 4_000}
    assert cost_of(result(usage), MODEL, Lane.BATCH) == price(Usage(0, 5, 4_000), MODEL)


@pytest.mark.parametrize("geo", ["us", "global", "not_available", None])
def test_the_region_of_the_answer_counts_whatever_the_request_said(geo: str | None) -> None:
    found = result({**USAGE, "inference_geo": geo})
    assert cost_of(found, MODEL, Lane.BATCH) == price(Usage(1_000, 200), MODEL, geo=geo)
    # The same in a line that is not quite JSON as we know it.
    lenient = result({**USAGE, "inference_geo": geo}, content=[7])
    assert cost_of(lenient, MODEL, Lane.BATCH) == price(Usage(1_000, 200), MODEL, geo=geo)


@pytest.mark.parametrize("kind", ["errored", "expired", "canceled"])
def test_what_was_not_answered_costs_nothing(kind: str) -> None:
    assert cost_of(result("left out", kind=kind), MODEL, Lane.BATCH) == FREE


def test_a_result_of_a_kind_that_nobody_knows_may_have_been_charged() -> None:
    assert cost_of(result("left out", kind="postponed"), MODEL, Lane.BATCH) == UNKNOWN
