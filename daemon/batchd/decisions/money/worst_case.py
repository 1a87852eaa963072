"""What a request can cost at the most, all rounds of its continuation included.

Amounts are whole picodollars (1e-12 USD), as the store keeps them, so that sums are exact. What server tools cost is
not in it, nor the surcharge of a region that only the workspace names.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from batchd.claude.catalogue import Catalogue, ModelFacts
from batchd.claude.price import tariff
from batchd.claude.prompt_size import measure, region_of, window_of
from batchd.claude.turn import LONGEST_ASK, longest_ask
from batchd.model import Entry, Lane

NOTHING = msgspec.Raw()
"""What is expected where nothing is said."""

_CACHES = b'"cache_control":{'
_BREAKPOINT = b'[{"type":"text","text":,"cache_control":{"type":"ephemeral","ttl":"1h"}}]'
"""What is added to a request, at the most, that is to be cached."""
_COUNT_MARGIN = 20
"""A twentieth more, and as many tokens."""


class Prompt(NamedTuple):
    """What is read, as far as it costs."""

    tokens: int
    """At the most."""
    window: int
    """Tokens that the model reads at one time: what is longer is refused, and not charged."""
    cached: bool = False
    """Whether it may be written to the cache, which is dearer than to read it."""
    geo: str | None = None
    """The region that it asks for."""
    ask: int = LONGEST_ASK
    """Tokens, at the most, of what is said to the model to make it go on."""

    @classmethod
    def bounded(
        cls, params: bytes, facts: ModelFacts, betas: Iterable[str] = (), expect: msgspec.Raw = NOTHING
    ) -> "Prompt":
        """Bound it offline: no token is shorter than a byte, pictures and pages have their own measure."""
        at_most, window = measure(params, facts).at_most, window_of(facts, betas)
        return cls(at_most, window, _CACHES in params, region_of(params), longest_ask(expect))

    def counted(self, tokens: int) -> "Prompt":
        """Bound it by what the API has counted, from which the bill may differ a little (docs: token counting)."""
        return self._replace(tokens=min(tokens + tokens // _COUNT_MARGIN + _COUNT_MARGIN, self.tokens))


class Bounds:
    """Bounds what the requests of one file can cost; of one template only the length makes a difference."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._templates: dict[int, Prompt] = {}

    def of(self, entry: Entry) -> int | None:
        """Bound what a request can cost, before anything of it was sent.

        Returns:
            Picodollars; None where the price is not known.
        """
        size = len(entry.params)
        frame = self._templates.get(entry.template)
        if frame is None:
            prompt = _prompt_of(entry, self._catalogue)
            frame = Prompt(prompt.tokens - size, *prompt[1:])
            if entry.template:
                self._templates[entry.template] = frame
        prompt = Prompt(frame.tokens + size, *frame[1:])
        allowance = entry.rounds * entry.max_tokens
        return worst_case(prompt, entry.model, entry.max_tokens, entry.rounds, allowance, lane=entry.wishes.lane)


def _prompt_of(entry: Entry, catalogue: Catalogue) -> Prompt:
    """Bound a prompt; what may be given a breakpoint is reckoned as if it had one."""
    prompt = Prompt.bounded(entry.params, catalogue.find(entry.model), entry.betas, entry.wishes.expect)
    if entry.wishes.cache != "auto":
        return prompt
    return prompt._replace(tokens=prompt.tokens + len(_BREAKPOINT), cached=True)


def worst_of(entry: Entry, catalogue: Catalogue) -> int | None:
    """Bound what a single request can cost, as `Bounds` does."""
    return Bounds(catalogue).of(entry)


def worst_case(  # noqa: PLR0913  each makes it dearer
    prompt: Prompt, model: str, max_tokens: int, rounds: int = 0, allowance: int = 0, *, lane: Lane = Lane.BATCH
) -> int | None:
    """Bound what a request can cost, all rounds of its continuation included.

    What is written is bounded by `max_tokens + allowance`. What is read is the prompt in each round, and in each but
    the first the text so far: at the most what the first wrote, and from then on all that may be written. No round
    reads more than the model's window.

    Args:
        prompt: What is sent in the next round.
        model: Its model.
        max_tokens: Of the next round.
        rounds: How many more may follow it.
        allowance: Tokens that those may write together.
        lane: By which it is sent.

    Returns:
        Picodollars; None where the price is not known.
    """
    prices = tariff(model, lane, prompt.geo)
    if prices is None:
        return None
    again = prompt.tokens + prompt.ask + max_tokens
    later = [again + (allowance if number else 0) for number in range(rounds)]
    read = [min(tokens, prompt.window) for tokens in (prompt.tokens, *later)]
    rates = prices.at(max(read))
    reading = max(rates.input, rates.cache_write_1h) if prompt.cached or rounds else rates.input
    return prices.picodollars(sum(read) * reading + (max_tokens + allowance) * rates.output)
