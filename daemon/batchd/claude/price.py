"""What tokens cost: genai-prices, asked in the way that the Batches API needs.

Pure: the prices are those bundled with the installed genai-prices; no network, no clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

import genai_prices
from genai_prices.types import ModelPrice

from batchd.model import Cost, Lane, Usage

PICO = Decimal(10) ** 12
"""The dearest token costs 0.00005 USD and the cheapest cached one a few billionths: all are whole picodollars."""
_PROVIDER = "anthropic"
_BATCH = {"processing": "batch"}
_NEWEST = datetime(9999, 12, 31, tzinfo=UTC)

_SAME_PRICE = {"claude-mythos-5": "claude-fable-5", "claude-mythos-5-1": "claude-fable-5-1"}
"""Models that genai-prices 0.2.3 does not know, and whose price is another's (API.md, the table of models)."""


def price(usage: Usage, model: str, lane: Lane = Lane.BATCH, at: datetime | None = None) -> Cost:
    """Price the tokens of one request: tiers go by the length of its own prompt, so sums must be made afterwards.

    What a request costs beside its tokens (web searches, a regional surcharge) is not in `Usage` and not priced.

    Args:
        usage: The tokens of one answer.
        model: The model's id, as the API names it.
        lane: By which it was answered.
        at: When it was answered; None for the newest prices known, among them announced ones.

    Returns:
        Exact USD. Unknown (None), and never 0, for a model without a price; the batch price is unknown too where what
        was found is the standard one under another name.
    """
    when = at or _NEWEST
    known = _known_as(model)
    if known is None or min(usage.input_tokens, usage.output_tokens, *_cached(usage)) < 0:
        return Cost(None, None)
    tokens = _tokens(usage)
    standard = genai_prices.calc_price(tokens, known, provider_id=_PROVIDER, genai_request_timestamp=when)
    if lane is Lane.SYNC:
        return Cost(standard.total_price, standard.total_price)
    batch = genai_prices.calc_price(
        tokens, known, provider_id=_PROVIDER, genai_request_timestamp=when, price_context=_BATCH
    )
    discounted = _all_discounted(batch.model_price, standard.model_price)
    return Cost(batch.total_price if discounted else None, standard.total_price)


def saved_by_cache(usage: Usage, model: str, lane: Lane = Lane.BATCH) -> Decimal | None:
    """Say by how much the prompt cache made an answer cheaper; less than nothing where it wrote more than was read.

    Args:
        usage: The tokens of one answer.
        model: The model's id.
        lane: By which it was answered.

    Returns:
        USD; None where the price is not known.
    """
    if not any(_cached(usage)):
        return Decimal(0)
    plain = Usage(input_tokens=usage.input_tokens + sum(_cached(usage)), output_tokens=usage.output_tokens)
    uncached, charged = price(plain, model, lane).charged, price(usage, model, lane).charged
    return None if uncached is None or charged is None else uncached - charged


def _cached(usage: Usage) -> tuple[int, int, int]:
    return usage.cache_read_input_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens


def _tokens(usage: Usage) -> genai_prices.Usage:
    """Count as genai-prices does: its input holds the cached tokens, its cache writes hold those of an hour."""
    return genai_prices.Usage(
        input_tokens=usage.input_tokens + sum(_cached(usage)),
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_tokens=usage.cache_creation_input_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
    )


@lru_cache(maxsize=1024)
def _known_as(model: str) -> str | None:
    """Under which name genai-prices knows the model; a miss is not cached there, and searches every model."""
    for name in filter(None, (model, _SAME_PRICE.get(model))):
        try:
            genai_prices.calc_price(genai_prices.Usage(), name, provider_id=_PROVIDER, genai_request_timestamp=_NEWEST)
        except LookupError:
            continue
        return name
    return None


def _all_discounted(batch: ModelPrice, standard: ModelPrice) -> bool:
    """Whether every price of tokens differs: a context that genai-prices does not know gives the standard, silently."""
    kinds = [name for name in vars(standard) if name.endswith("_mtok")]
    return bool(kinds) and all(getattr(batch, name) != getattr(standard, name) for name in kinds)


def to_picodollars(usd: Decimal | None) -> int | None:
    """Turn an amount into what is stored.

    Args:
        usd: The amount; None where it is not known.
    """
    return None if usd is None else int((usd * PICO).to_integral_value())


def from_picodollars(stored: int) -> Decimal:
    """Turn what is stored into an amount in USD.

    Args:
        stored: Picodollars.
    """
    return Decimal(stored) / PICO


@dataclass(frozen=True, slots=True)
class Prices:
    """Of one token, in USD, in the lane that it will travel in."""

    input: Decimal
    output: Decimal


def token_prices(model: str, lane: Lane = Lane.BATCH) -> Prices | None:
    """Say what a token costs, read and written; None where that is not known.

    Args:
        model: Its id.
        lane: By which it is sent.
    """
    prices = prices_of(model, caches=False, long=False, lane=lane)
    return None if prices is None else Prices(from_picodollars(prices[0]), from_picodollars(prices[1]))


@dataclass(frozen=True, slots=True)
class CachePrices:
    """What a token of a prompt costs in a batch, in USD."""

    plain: Decimal
    write: Decimal
    """Into the cache, for an hour."""
    hit: Decimal
    """Out of it."""


@lru_cache(maxsize=256)
def cache_prices(model: str) -> CachePrices | None:
    """Say what the prompt cache costs; None where that is not known.

    Args:
        model: Its id.
    """
    kinds = (Usage(input_tokens=1), Usage(cache_write_1h_tokens=1), Usage(cache_read_input_tokens=1))
    plain, write, hit = (price(usage, model).charged for usage in kinds)
    return None if plain is None or write is None or hit is None else CachePrices(plain, write, hit)


@lru_cache(maxsize=256)
def prices_of(model: str, *, caches: bool, long: bool, lane: Lane) -> tuple[int, int] | None:
    """Picodollars of an input token, the dearest way it may be charged, and of an output token."""
    tokens = 1_000_000 if long else 1
    usage = Usage(cache_write_1h_tokens=tokens) if caches else Usage(input_tokens=tokens)
    beside = Usage(input_tokens=tokens, output_tokens=1_000_000)
    reading, whole = price(usage, model, lane).charged, price(beside, model, lane).charged
    alone = price(Usage(input_tokens=tokens), model, lane).charged
    if reading is None or whole is None or alone is None:
        return None
    return int(reading * PICO) // tokens, int((whole - alone) * PICO) // 1_000_000
