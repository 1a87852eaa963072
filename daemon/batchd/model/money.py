"""What an answer costs, in tokens and in dollars."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """The tokens of one or many answers, as the API bills them."""

    input_tokens: int = 0
    """Without those read from, or written to, the prompt cache."""
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0

    @property
    def cache_creation_input_tokens(self) -> int:
        """Tokens written to the cache, whatever their time to live."""
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_input_tokens + other.cache_read_input_tokens,
            self.cache_write_5m_tokens + other.cache_write_5m_tokens,
            self.cache_write_1h_tokens + other.cache_write_1h_tokens,
        )


class Cost(msgspec.Struct, frozen=True):
    """What tokens cost, in USD; None where the price is not known, which is never the same as 0."""

    charged: Decimal | None
    """At the price of the lane that it went by."""
    standard: Decimal | None
    """The same tokens at the synchronous price."""


def total(costs: Iterable[Decimal | None]) -> Decimal | None:
    """Add prices up; one unknown price makes the sum unknown.

    Args:
        costs: Prices in USD.
    """
    whole = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        whole += cost
    return whole
