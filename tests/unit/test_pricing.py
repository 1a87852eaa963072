import os
import socket
import subprocess
import sys
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import batchd
import pytest
from batchd.claude.catalogue import Catalogue
from batchd.claude.price import price, tariff
from batchd.claude.price_list import PRICES, RELEASE
from batchd.model import Cost, Lane, Usage

from tests.support.effort import effort

MILLION = 1_000_000

TABLE = [
    ("claude-opus-5-5", "2", "10", "0.05"),
    ("claude-opus-5", "2.50", "12.50", "0.1"),
    ("claude-opus-4-8", "2.50", "12.50", "0.1"),
    ("claude-opus-4-7", "2.50", "12.50", "0.1"),
    ("claude-opus-4-6", "2.50", "12.50", "0.1"),
    ("claude-sonnet-5-5", "1", "5", "0.05"),
    ("claude-sonnet-5", "1", "5", "0.1"),
    ("claude-sonnet-4-6", "1.50", "7.50", "0.1"),
    ("claude-haiku-5-5", "0.05", "0.25", "0.1"),
    ("claude-fable-5-2", "4", "20", "0.025"),
    ("claude-mythos-5-2", "4", "20", "0.025"),
    ("claude-fable-5-1", "5", "25", "0.025"),
    ("claude-mythos-5-1", "5", "25", "0.025"),
    ("claude-fable-5", "5", "25", "0.1"),
    ("claude-mythos-5", "5", "25", "0.1"),
    ("claude-opus-4-5", "2.50", "12.50", "0.1"),
    ("claude-sonnet-4-5", "1.50", "7.50", "0.1"),
    ("claude-haiku-4-5", "0.50", "2.50", "0.1"),
]
"""API.md: batch price in and out, USD per million tokens; the price of a cache read against that of input."""


@pytest.mark.parametrize(("model", "price_in", "price_out", "read"), TABLE)
def test_every_kind_of_token_costs_what_the_table_says(model: str, price_in: str, price_out: str, read: str) -> None:
    few = 1_000  # below every tier
    per_token = Decimal(price_in) / MILLION
    for usage, expected in [
        (Usage(input_tokens=few), per_token),
        (Usage(output_tokens=few), Decimal(price_out) / MILLION),
        (Usage(cache_read_input_tokens=few), per_token * Decimal(read)),
        (Usage(cache_write_5m_tokens=few), per_token * Decimal("1.25")),
        (Usage(cache_write_1h_tokens=few), per_token * 2),
    ]:
        cost = price(usage, model)
        assert cost.charged == expected * few
        assert cost.standard == expected * few * 2


def test_all_kinds_together_are_the_sum() -> None:
    cost = price(Usage(1_000, 2_000, 3_000, 4_000, 5_000), "claude-sonnet-4-6")
    per_input = Decimal("1.50") / MILLION
    assert cost.charged == per_input * (1_000 + 300 + 5_000 + 10_000) + Decimal("7.50") / MILLION * 2_000


@pytest.mark.parametrize(
    ("model", "limit", "below", "above"),
    [
        ("claude-haiku-5-5", 100_000, ("0.05", "0.25"), ("0.25", "1.25")),
        ("claude-sonnet-4-5", 200_000, ("1.50", "7.50"), ("3", "11.25")),
    ],
)
def test_the_tier_goes_by_the_whole_prompt_with_what_was_cached(
    model: str, limit: int, below: tuple[str, str], above: tuple[str, str]
) -> None:
    at_limit = price(Usage(limit - 1_000, 100, cache_write_1h_tokens=1_000), model)
    assert at_limit.charged == (Decimal(below[0]) * (limit + 1_000) + Decimal(below[1]) * 100) / MILLION
    over = price(Usage(limit - 999, 100, cache_write_1h_tokens=1_000), model)
    assert over.charged == (Decimal(above[0]) * (limit + 1_001) + Decimal(above[1]) * 100) / MILLION


@pytest.mark.parametrize("model", ["claude-opus-9", "gpt-5", "", "claude"])
def test_an_unknown_model_has_no_price_rather_than_none_to_pay(model: str) -> None:
    assert price(Usage(1, 1), model) == Cost(None, None)


def test_a_model_without_a_batch_price_has_only_the_standard_one() -> None:
    cost = price(Usage(input_tokens=MILLION), "claude-opus-4-1")
    assert cost == Cost(None, Decimal(15))


def test_no_tokens_cost_nothing() -> None:
    assert price(Usage(), "claude-opus-5-5") == Cost(Decimal(0), Decimal(0))


def test_tokens_that_no_bill_could_show_have_no_price() -> None:
    assert price(Usage(input_tokens=-1), "claude-opus-5-5") == Cost(None, None)


def test_a_dated_id_costs_as_its_model() -> None:
    assert price(Usage(output_tokens=10), "claude-haiku-4-5-20251001") == price(
        Usage(output_tokens=10), "claude-haiku-4-5"
    )


def test_large_sums_are_exact() -> None:
    assert price(Usage(123_456_789, 987_654_321), "claude-opus-5-5").charged == Decimal("10123.456788")


def test_prices_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert price(Usage(1), "claude-opus-5-5").charged is not None


def test_prices_are_cheap_to_look_up() -> None:
    def price_some() -> None:
        for tokens in range(500):
            price(Usage(tokens, tokens), "claude-opus-5-5")
            price(Usage(tokens, tokens), "unheard-of")

    assert effort(price_some) < 40


@pytest.mark.parametrize(
    ("geo", "factor"), [(None, "1"), ("", "1"), ("global", "1"), ("not_available", "1"), ("us", "1.1")]
)
def test_a_region_has_its_surcharge(geo: str | None, factor: str) -> None:
    usage = Usage(1_000, 200, 30, 4, 5)
    plain, there = price(usage, "claude-sonnet-4-6"), price(usage, "claude-sonnet-4-6", geo=geo)
    assert plain.charged is not None
    assert plain.standard is not None
    assert there == Cost(plain.charged * Decimal(factor), plain.standard * Decimal(factor))


def test_a_region_that_nobody_here_knows_has_no_price() -> None:
    assert price(Usage(1), "claude-sonnet-4-6", geo="mars") == Cost(None, None)


def test_a_mythos_costs_as_its_fable_with_a_date_too() -> None:
    assert price(Usage(7, 9), "claude-mythos-5-20260909") == price(Usage(7, 9), "claude-fable-5")
    assert price(Usage(7, 9), "claude-mythos-5-1") == price(Usage(7, 9), "claude-fable-5-1")


def test_the_list_says_what_the_library_says_for_every_current_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchd.claude.price._installed", lambda _: False)
    tariff.cache_clear()
    should_be = {
        model: tuple(
            (above, at.input, at.output, at.cache_read, at.cache_write_5m, at.cache_write_1h)
            for above, at in found.tiers
        )
        for model in Catalogue().models
        if tariff(model) is not None and (found := tariff(model, Lane.SYNC)) is not None
    }
    in_batches = {model: tariff(model) for model in PRICES}
    monkeypatch.undo()
    tariff.cache_clear()
    assert version("genai-prices") == RELEASE
    assert should_be == PRICES
    assert {model: tariff(model) for model in PRICES} == in_batches


@pytest.mark.parametrize("release", [RELEASE, "0.2.99"])
def test_the_list_counts_for_the_release_that_it_was_made_from_alone(release: str, tmp_path: Path) -> None:
    (tmp_path / "genai_prices").mkdir()
    (tmp_path / "genai_prices" / "__init__.py").touch()
    (tmp_path / f"genai_prices-{release}.dist-info").mkdir()
    code = (
        "import sys; from batchd.claude.price import token_prices\n"
        "try: print(token_prices('claude-opus-5-5').input)\n"
        "except ImportError: print('asked the library')"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(batchd.__file__).parents[1]}"}
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert said.stdout.strip() == ("0.000002" if release == RELEASE else "asked the library")


def test_a_price_of_the_list_does_not_load_the_library() -> None:
    code = (
        "import sys; from batchd.claude.price import token_prices; assert token_prices('claude-opus-5-5');"
        "sys.exit('genai_prices' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_who_asks_for_no_price_does_not_load_the_library() -> None:
    code = "import sys, batchd.claude.price, batchd.edges.store; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
