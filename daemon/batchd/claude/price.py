"""What tokens cost: rates of genai-prices, looked up once a model, lane and region, and multiplied in whole numbers.

Pure: the prices are those bundled with the installed genai-prices; no network, no clock. The library is imported when
the first price is asked for that is not in `price_list`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from batchd.claude.price_list import PRICES, RELEASE
from batchd.model import Cost, Lane, Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

PICO = Decimal(10) ** 12
"""The dearest token costs 0.00005 USD and the cheapest cached one a few billionths: all are whole picodollars."""
_PICO_PER_TOKEN: Final = 1_000_000
"""Picodollars of a token for each USD that a million of them costs."""
_NEWEST: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""Announced prices count."""
_ABOUT: Final = "genai_prices-{}.dist-info"
_DATED: Final = re.compile(r"-\d{8}\Z")

_SAME_PRICE: Final = {"claude-mythos-5": "claude-fable-5", "claude-mythos-5-1": "claude-fable-5-1"}
"""Models that genai-prices 0.2.3 does not know, and whose price is another's (API.md, the table of models)."""

US: Final = "us"
_TENTHS: Final = {None: 10, "": 10, "global": 10, "not_available": 10, US: 11}
"""Tenths of the price, by the region that `usage.inference_geo` names (docs: pricing, data residency). What is not here
has a price that nobody here knows. Models before 4.6 know no region: they say `not_available`."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Picodollars of a token."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int

    def of(self, usage: Usage) -> int:
        """Picodollars of an answer."""
        return (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_input_tokens * self.cache_read
            + usage.cache_write_5m_tokens * self.cache_write_5m
            + usage.cache_write_1h_tokens * self.cache_write_1h
        )


_Tiers: TypeAlias = tuple[tuple[int, Rates], ...]


@dataclass(frozen=True)
class Tariff:
    """The rates of a model in one lane and region: the length of a prompt decides which of them its request pays."""

    tiers: _Tiers
    """From the longest prompt to the shortest: tokens that a prompt must exceed; the last is -1."""
    tenths: int = 10

    def at(self, prompt_tokens: int) -> Rates:
        """Find the rates of a prompt, cached tokens included; a longer one is never cheaper."""
        return next(rates for above, rates in self.tiers if prompt_tokens > above)

    @cached_property
    def base(self) -> Rates:
        """The rates of a short prompt."""
        return self.tiers[-1][1]

    def charge(self, usage: Usage) -> Decimal:
        """USD of one answer."""
        return Decimal(self.at(_prompt(usage)).of(usage) * self.tenths) / (PICO * 10)

    def picodollars(self, amount: int) -> int:
        """Put the region's surcharge on an amount, rounded up."""
        return -(-amount * self.tenths // 10)


def price(usage: Usage, model: str, lane: Lane = Lane.BATCH, geo: str | None = None) -> Cost:
    """Price the tokens of one request: tiers go by the length of its own prompt, so sums must be made afterwards.

    What a request costs beside its tokens (web searches) is not in `Usage` and not priced.

    Args:
        usage: The tokens of one answer.
        model: The model's id, as the API names it.
        lane: By which it was answered.
        geo: The region in which it was answered, as `usage.inference_geo` says it.

    Returns:
        Exact USD. Unknown (None), and never 0, for a model or region without a price; the batch price is unknown too
        where what was found is the standard one under another name.
    """
    if min(usage.input_tokens, usage.output_tokens, *_cached(usage)) < 0:
        return Cost(None, None)
    charged, standard = tariff(model, lane, geo), tariff(model, Lane.SYNC, geo)
    return Cost(
        None if charged is None else charged.charge(usage), None if standard is None else standard.charge(usage)
    )


def saved_by_cache(usage: Usage, model: str, lane: Lane = Lane.BATCH, geo: str | None = None) -> Decimal | None:
    """Say by how much the prompt cache made an answer cheaper; less than nothing where it wrote more than was read.

    Returns:
        USD; None where the price is not known.
    """
    if not any(_cached(usage)):
        return Decimal(0)
    plain = Usage(input_tokens=_prompt(usage), output_tokens=usage.output_tokens)
    uncached, charged = price(plain, model, lane, geo).charged, price(usage, model, lane, geo).charged
    return None if uncached is None or charged is None else uncached - charged


def _cached(usage: Usage) -> tuple[int, int, int]:
    return usage.cache_read_input_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens


def _prompt(usage: Usage) -> int:
    return usage.input_tokens + sum(_cached(usage))


@lru_cache(maxsize=1024)
def tariff(model: str, lane: Lane = Lane.BATCH, geo: str | None = None) -> Tariff | None:
    """Look up what a model costs; None where that is not known."""
    tenths = _TENTHS.get(geo)
    if tenths is None:
        return None
    in_batch = lane is Lane.BATCH
    tiers = _listed(model, in_batch=in_batch) or _looked_up(model, in_batch=in_batch)
    return None if tiers is None else Tariff(tiers, tenths)


def _listed(model: str, *, in_batch: bool) -> _Tiers | None:
    if model not in PRICES or not _installed(RELEASE):
        return None
    share = 2 if in_batch else 1
    return tuple((above, Rates(*(price // share for price in prices))) for above, *prices in PRICES[model])


@lru_cache(maxsize=1)
def _installed(release: str) -> bool:
    """Whether genai-prices is of this release: its name is in the folder beside the package (PEP 427).

    To ask importlib.metadata takes longer than all prices of a job.
    """
    spec = find_spec("genai_prices")
    return bool(spec and spec.origin and Path(spec.origin).parents[1].joinpath(_ABOUT.format(release)).is_dir())


def _looked_up(model: str, *, in_batch: bool) -> _Tiers | None:
    if (found := _find(model)) is None:
        return None
    prices = standard = found.get_prices(_NEWEST)
    if in_batch:
        prices = found.get_prices(_NEWEST, {"processing": "batch"})
        if not _all_discounted(prices, standard):
            return None
    if prices.input_mtok is None or prices.output_mtok is None:
        return None
    starts = {tier.start for each in _amounts(prices) if not isinstance(each, Decimal) for tier in each.tiers}
    return tuple((above, _rates(prices, above)) for above in (*sorted(starts, reverse=True), -1))


def _find(model: str) -> "ModelInfo | None":
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415  a fifth of a second that most commands spare

    anthropic = get_snapshot().find_provider(None, "anthropic", None)
    bare = _DATED.sub("", model)
    names = (model, _SAME_PRICE.get(bare))
    return next(filter(None, (anthropic.find_model(name) for name in names if name)), None)


def _rates(prices: "ModelPrice", above: int) -> Rates:
    """The rates of prompts that are longer than this; what has no price of its own costs as what it is a kind of."""

    def rate(price: "Decimal | TieredPrices | None", otherwise: int) -> int:
        if price is None:
            return otherwise
        if not isinstance(price, Decimal):
            price = next((tier.price for tier in reversed(price.tiers) if above >= tier.start), price.base)
        return ceil(price * _PICO_PER_TOKEN)

    reading = rate(prices.input_mtok, 0)
    writing = rate(prices.cache_write_mtok, reading)
    return Rates(
        input=reading,
        output=rate(prices.output_mtok, 0),
        cache_read=rate(prices.cache_read_mtok, reading),
        cache_write_5m=writing,
        cache_write_1h=rate(prices.cache_write_1h_mtok, writing),
    )


def _amounts(prices: "ModelPrice") -> "list[Decimal | TieredPrices]":
    return [price for name, price in vars(prices).items() if name.endswith("_mtok") and price is not None]


def _all_discounted(batch: "ModelPrice", standard: "ModelPrice") -> bool:
    """Whether every price of tokens differs: a context that genai-prices does not know gives the standard, silently."""
    kinds = [name for name in vars(standard) if name.endswith("_mtok")]
    return bool(kinds) and all(getattr(batch, name) != getattr(standard, name) for name in kinds)


def to_picodollars(usd: Decimal | None) -> int | None:
    """Turn an amount into what is stored; None where it is not known."""
    return None if usd is None else int((usd * PICO).to_integral_value())


def from_picodollars(stored: int) -> Decimal:
    """Turn what is stored into an amount in USD."""
    return Decimal(stored) / PICO


def dollars(picodollars: int) -> str:
    """Write an amount for a person."""
    usd = from_picodollars(picodollars)
    return f"${usd:,.2f}" if usd >= 1 or usd == 0 else f"${usd:,.4f}"


@dataclass(frozen=True, slots=True)
class Prices:
    """Of one token, in USD, in the lane that it will travel in."""

    input: Decimal
    output: Decimal


def token_prices(model: str, lane: Lane = Lane.BATCH) -> Prices | None:
    """Say what a token of a short prompt costs, read and written; None where that is not known."""
    found = tariff(model, lane)
    return None if found is None else Prices(*map(from_picodollars, (found.base.input, found.base.output)))


@dataclass(frozen=True, slots=True)
class CachePrices:
    """What a token of a prompt costs in a batch, in USD."""

    plain: Decimal
    write: Decimal
    """Into the cache, for an hour."""
    hit: Decimal
    """Out of it."""


def cache_prices(model: str) -> CachePrices | None:
    """Say what the prompt cache costs; None where that is not known."""
    if (found := tariff(model)) is None:
        return None
    rates = (found.base.input, found.base.cache_write_1h, found.base.cache_read)
    return CachePrices(*map(from_picodollars, rates))
