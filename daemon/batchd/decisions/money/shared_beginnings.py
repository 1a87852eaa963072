"""Whether requests that begin alike are cheaper when one of them goes first and leaves that beginning in the cache.

The arithmetic, with n requests that share S tokens, the prices i, w and r of a token that is read, written to the cache
for an hour, and read from it (w = 2 i, r ≤ 0.1 i), and the share h of those behind the first that find it there:

    plainly     n · S · i
    primed      S · w  +  (n - 1) · S · (h · r + (1 - h) · w)      who misses it writes it again

Hits inside of a batch are best effort, 30 to 98 of 100 (docs: prompt caching, batch processing). For the first has
ended before the others are sent, `HITS` is what is reckoned with; below a share of about 0.53 it costs more than it
saves, which is said beside each decision, and told afterwards from what was really charged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from batchd.claude.cache_marks import Depth, beginnings
from batchd.claude.params import Params
from batchd.claude.price import CachePrices, cache_prices

HITS: Final = Decimal("0.8")
"""Share of the requests behind the first that are reckoned to find in the cache what it has written."""
LEAST_TOKENS: Final = 4_096
"""What some models do not cache if it is shorter (docs: prompt caching; 512 to 4,096, by model)."""
LEAST_SAVING: Final = Decimal("0.01")
"""USD for which it is worth while that the others wait."""
_BYTES_PER_TOKEN: Final = 4
_MOST_BEGINNINGS: Final = 10_000
"""That are told apart within one file; later ones are sent as they are."""
_OWN: Final = b'"cache_control":{'


@dataclass(slots=True)
class _Sharing:
    """The requests that have one beginning."""

    model: str
    size: int
    count: int = 0
    first: int = 0
    """The one that is written soonest, and so goes first; of equal ones the earliest."""
    max_tokens: int = 0
    """Its own."""

    def take(self, row: int, max_tokens: int) -> None:
        if not self.count or max_tokens < self.max_tokens:
            self.first, self.max_tokens = row, max_tokens
        self.count += 1


@dataclass(slots=True)
class _Family:
    """The requests that have tools and system prompt in common, and those among them that share more."""

    whole: _Sharing
    contexts: dict[bytes, _Sharing] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offer:
    """What it would mean to let one of them go first."""

    first: int
    """Its row in the file."""
    requests: int
    """It included."""
    tokens: int
    """That they share, about."""
    saving: Decimal
    """USD, if `HITS` of the others find it in the cache; less than nothing where it does not pay."""
    enough_hits: Decimal
    """The share from which on it saves anything."""

    @property
    def pays(self) -> bool:
        """Whether it is worth while."""
        return self.saving >= LEAST_SAVING

    def __str__(self) -> str:
        """Say so, with the numbers."""
        shared = f"{self.requests:,} requests share about {self.tokens:,} tokens"
        if not self.pays:
            return f"{shared}: sent as they are, since to let one go first saves less than {LEAST_SAVING} USD"
        return (
            f"{shared}: one goes first and leaves them in the cache for an hour, the others follow when it has ended; "
            f"about ${self.saving:,.2f} saved if {HITS:.0%} of them find them there, nothing below "
            f"{self.enough_hits:.0%}"
        )


class Place(NamedTuple):
    """How a request is to be cached."""

    depth: Depth
    first: int
    """The row that goes before it, or is it."""


@dataclass(frozen=True, slots=True)
class Priming:
    """What was decided for a file."""

    places: Mapping[bytes, Place]
    """By the digest of a beginning that is to be cached."""
    reasons: tuple[str, ...]
    """For a person; at least one."""

    def find(self, params: Params, betas: tuple[str, ...]) -> Place | None:
        """Say how a request is to be cached; None for not at all.

        Args:
            params: The request's.
            betas: Its.
        """
        found = beginnings(params, betas)
        return next((self.places[each.digest] for each in found if each.digest in self.places), None)


class Beginnings:
    """How the requests of one file begin."""

    def __init__(self, long_tokens: int) -> None:
        """Begin a file.

        Args:
            long_tokens: A `max_tokens` above this makes an answer take so long that the cache may be gone after it.
        """
        self._long_tokens = long_tokens
        self._families: dict[bytes, _Family] = {}
        self._count = 0

    def add(self, row: int, params: bytes, betas: tuple[str, ...]) -> None:
        """Take a request in; one that has breakpoints of its own is left to its user.

        Args:
            row: Its place in the file.
            params: Its params, as compact JSON.
            betas: Its.
        """
        if _OWN in params:
            return
        found: Params = msgspec.json.decode(params)
        system, context = beginnings(found, betas)
        model, max_tokens = found["model"], found["max_tokens"]
        family = self._families.get(system.digest)
        if family is None and self._count < _MOST_BEGINNINGS:
            family = self._families[system.digest] = _Family(_Sharing(model, system.size))
            self._count += 1
        if family is None:
            return
        family.whole.take(row, max_tokens)
        if context.size and self._count < _MOST_BEGINNINGS:
            self._count += context.digest not in family.contexts
            family.contexts.setdefault(context.digest, _Sharing(model, context.size)).take(row, max_tokens)

    def decide(self) -> Priming:
        """Say which of them are to be cached, once all have been taken in."""
        places: dict[bytes, Place] = {}
        reasons: list[str] = []
        best: Offer | None = None
        for digest, family in self._families.items():
            whole = self._offer(family.whole)
            contexts = {key: offer for key, each in family.contexts.items() if (offer := self._offer(each))}
            best = max(filter(None, (best, whole, *contexts.values())), key=_saving, default=None)
            deeper = {key: offer for key, offer in contexts.items() if offer.pays}
            if deeper and sum(map(_saving, deeper.values())) >= (whole.saving if whole else 0):
                places |= {key: Place(Depth.CONTEXT, offer.first) for key, offer in deeper.items()}
                reasons += map(str, deeper.values())
            elif whole and whole.pays:
                places[digest] = Place(Depth.SYSTEM, whole.first)
                reasons.append(str(whole))
        if not reasons:
            reasons.append(str(best) if best else self._why_none())
        return Priming(places, tuple(reasons))

    def _offer(self, sharing: _Sharing) -> Offer | None:
        tokens = sharing.size // _BYTES_PER_TOKEN
        prices = cache_prices(sharing.model)
        if tokens < LEAST_TOKENS or sharing.count < 2 or prices is None or sharing.max_tokens > self._long_tokens:  # noqa: PLR2004  two share
            return None
        return _offer(sharing, tokens, prices)

    def _why_none(self) -> str:
        return (
            f"sent as they are: no two requests of a model whose price is known share {LEAST_TOKENS:,} tokens or more "
            f"at their beginning, one of them with a max_tokens of at most {self._long_tokens:,}"
        )


def _offer(sharing: _Sharing, tokens: int, prices: CachePrices) -> Offer:
    count, others = sharing.count, sharing.count - 1
    behind = HITS * prices.hit + (1 - HITS) * prices.write
    return Offer(
        first=sharing.first,
        requests=count,
        tokens=tokens,
        saving=tokens * (count * prices.plain - prices.write - others * behind),
        enough_hits=count * (prices.write - prices.plain) / (others * (prices.write - prices.hit)),
    )


def _saving(offer: Offer) -> Decimal:
    return offer.saving
