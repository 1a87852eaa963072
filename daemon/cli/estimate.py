"""What a job file can cost at the most, and what it will cost about, before anything is sent."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from daemon.decisions.pricing import price
from daemon.model import Cost, Entry, Usage

BYTES_PER_TOKEN: Final = 4
"""Of usual prose; about. The tokenizer itself cannot be had offline."""

_LINEAR: Final = 100_000
"""Bytes of a request below which each token costs the same: the dearer tiers of long prompts begin above."""
_HOUR_CACHE: Final = b'"cache_control":{'


@dataclass(slots=True)
class _Sum:
    requests: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


@dataclass(slots=True)
class Estimate:
    """The price of all requests of a file, each answered once with every token that it allows.

    The bound holds because no token is shorter than a byte: what a request names by URL or file id (images,
    documents) and what server tools cost is not in it. Where a request caches, its whole input counts at the price of
    writing to the cache for an hour, the dearest.
    """

    models: Counter[str] = field(default_factory=Counter)
    _small: dict[str, _Sum] = field(default_factory=dict)
    _large: list[tuple[str, Usage, Usage]] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Count a request.

        Args:
            entry: A checked one.
        """
        self.models[entry.model] += 1
        size, caches = len(entry.params), _HOUR_CACHE in entry.params
        if size >= _LINEAR:
            self._large.append((entry.model, _usage(size, entry.max_tokens, caches=caches), _about(size, entry)))
            return
        # Millions of small requests are priced by their sum, which genai-prices would otherwise take minutes for.
        whole = self._small.setdefault(entry.model, _Sum())
        whole.requests += 1
        whole.output_tokens += entry.max_tokens
        if caches:
            whole.cached_tokens += size
        else:
            whole.input_tokens += size

    def worst(self) -> Cost:
        """Price a token for every byte, and every answer as long as it may be."""
        costs = [price(worst, model) for model, worst, _ in self._large]
        for model, whole in self._small.items():
            costs += [
                _times(price(Usage(input_tokens=1), model), whole.input_tokens),
                _times(price(Usage(cache_write_1h_tokens=1), model), whole.cached_tokens),
                _times(price(Usage(output_tokens=1), model), whole.output_tokens),
            ]
        return _total(costs)

    def about(self) -> Cost:
        """Price four bytes a token, nothing cached, and every answer as long as it may be."""
        costs = [price(about, model) for model, _, about in self._large]
        for model, whole in self._small.items():
            tokens = -(-(whole.input_tokens + whole.cached_tokens) // BYTES_PER_TOKEN)
            costs += [
                _times(price(Usage(input_tokens=1), model), tokens),
                _times(price(Usage(output_tokens=1), model), whole.output_tokens),
            ]
        return _total(costs)


def _usage(tokens: int, output: int, *, caches: bool) -> Usage:
    if caches:
        return Usage(cache_write_1h_tokens=tokens, output_tokens=output)
    return Usage(input_tokens=tokens, output_tokens=output)


def _about(size: int, entry: Entry) -> Usage:
    return Usage(input_tokens=-(-size // BYTES_PER_TOKEN), output_tokens=entry.max_tokens)


def _times(cost: Cost, tokens: int) -> Cost:
    return Cost(
        None if cost.batch is None else cost.batch * tokens, None if cost.standard is None else cost.standard * tokens
    )


def _total(costs: list[Cost]) -> Cost:
    """One unknown price makes the sum unknown."""

    def whole(prices: list[Decimal | None]) -> Decimal | None:
        known = [each for each in prices if each is not None]
        return sum(known, Decimal(0)) if len(known) == len(prices) else None

    return Cost(whole([cost.batch for cost in costs]), whole([cost.standard for cost in costs]))
