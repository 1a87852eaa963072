"""Our multiplication against the library's own, over every model, lane and tier that it knows."""

from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
from batchd.claude.price import price, tariff
from batchd.model import Lane, Usage
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

MODELS = [model.id for model in get_snapshot().find_provider(None, "anthropic", None).models]
NEWEST = datetime(9999, 12, 31, tzinfo=UTC)
# Beside the tiers and the round numbers, where a slip would show.
COUNTS = st.one_of(
    st.integers(0, 2_000_000), st.sampled_from([0, 1, 99_999, 100_000, 100_001, 199_999, 200_000, 200_001])
)


def library(usage: Usage, model: str, lane: Lane) -> Decimal:
    cached = usage.cache_read_input_tokens + usage.cache_creation_input_tokens
    tokens = genai_prices.Usage(
        input_tokens=usage.input_tokens + cached,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_tokens=usage.cache_creation_input_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
    )
    context = {"processing": "batch"} if lane is Lane.BATCH else None
    return genai_prices.calc_price(
        tokens, model, provider_id="anthropic", genai_request_timestamp=NEWEST, price_context=context
    ).total_price


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(MODELS), st.sampled_from(Lane), st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS))
def test_every_price_is_the_librarys_to_the_picodollar(model: str, lane: Lane, usage: Usage) -> None:
    cost = price(usage, model, lane)
    assert cost.standard == library(usage, model, Lane.SYNC)
    if cost.charged is None:
        assert lane is Lane.BATCH
        assert library(usage, model, lane) == cost.standard, "a batch price is known, and not told"
    else:
        assert cost.charged == library(usage, model, lane)


def test_every_rate_is_a_whole_picodollar_also_with_a_surcharge() -> None:
    for model in MODELS:
        for lane in Lane:
            for _, rates in () if (found := tariff(model, lane)) is None else found.tiers:
                each = (rates.input, rates.output, rates.cache_read, rates.cache_write_5m, rates.cache_write_1h)
                assert all(rate % 10 == 0 for rate in each), (model, rates)


@given(st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS))
def test_the_surcharge_of_a_region_is_exactly_a_tenth(usage: Usage) -> None:
    for lane in Lane:
        plain, there = (price(usage, "claude-haiku-5-5", lane, geo) for geo in (None, "us"))
        assert plain.charged is not None
        assert plain.standard is not None
        assert there.charged == plain.charged * Decimal("1.1")
        assert there.standard == plain.standard * Decimal("1.1")


@given(st.integers(0, 2_000_000))
def test_no_longer_prompt_is_cheaper(prompt: int) -> None:
    for model in MODELS:
        if found := tariff(model):
            assert found.at(prompt).input <= found.at(prompt + 1).input
            assert found.at(prompt).output <= found.at(prompt + 1).output
