"""Decides, once and when a request arrives, how it will end; a text in a batch is written only when it is read."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from batchd.sandbox import checks, conversation, directives
from batchd.sandbox.checks import Refusal, Terms
from batchd.sandbox.conversation import CACHEABLE, TTL, Breakpoint

LARGEST_PARAMS = 32_000_000
"""Bytes (docs: "request size limits" of the Messages API); params above it are not even looked into."""

_DECODER = msgspec.json.Decoder(dict[str, object])
_TOO_LARGE = Refusal("request_too_large", "Request exceeds the maximum size")


class Cached(NamedTuple):
    """How many tokens of a prompt came from the cache, or went into it, by time to live."""

    read: int = 0
    wrote_5m: int = 0
    wrote_1h: int = 0


NOTHING_CACHED = Cached()


@dataclass(frozen=True, slots=True)
class Finding:
    """How a request will end, if it is processed at all."""

    digest: bytes
    """SHA-256 of its canonical params."""
    outcome: str = "succeeded"
    """Or `errored`, `expired`."""
    refusal: Refusal | None = None
    takes: float | None = None
    """Seconds, where the prompt says so."""
    told: bytes | None = None
    """SHA-256 of the prompt, where that tells to fail a number of times."""
    tokens: int = 0
    """Of the prompt, cached ones included."""
    cached: Cached = NOTHING_CACHED
    answer: str | None = None
    """The text of its answer, where a script says it."""


class Examiner:
    """Remembers what a stateless look at one request cannot know: failures so far, and the prompt cache."""

    def __init__(self, attempts: Counter[bytes], cache_hits: float = 1.0) -> None:
        """Go on where an earlier process stopped.

        Args:
            attempts: How often each prompt that tells to fail has been sent, by its SHA-256.
            cache_hits: Share of the requests that find what is in the cache.
        """
        self._attempts = attempts
        self._cache_hits = cache_hits
        self._warm: dict[bytes, float] = {}

    def examine(self, raw: bytes, terms: Terms, now: float) -> Finding:
        """Look at one request.

        Args:
            now: Unix seconds.

        Raises:
            msgspec.DecodeError: The params are not valid JSON.
            RecursionError: They are nested too deeply.
        """
        if len(raw) > LARGEST_PARAMS:
            return Finding(hashlib.sha256(raw).digest(), "errored", _TOO_LARGE)
        params = _DECODER.decode(raw)
        digest = conversation.digest(params)
        refusal = checks.refusal(params, terms)
        weight = conversation.NOTHING
        if refusal is None:  # only what is well formed is weighed, and what is read fits into the window
            weight = conversation.weigh(params).within(checks.window(params, terms))
        told = None
        orders = directives.NO_ORDERS
        if refusal is None and directives.MARK.encode() in raw:
            try:
                orders = directives.read(conversation.read(params).asked)
            except ValueError as mistake:
                refusal = Refusal("invalid_request_error", str(mistake))
        if refusal is None and orders.fail:
            told = conversation.digest({name: params[name] for name in ("system", "messages") if name in params})
            self._attempts[told] += 1
            if self._attempts[told] <= orders.fail_times:
                refusal = Refusal(orders.fail, f"The sandbox was told to fail: attempt {self._attempts[told]}")
        outcome = "errored" if refusal else "expired" if orders.expire and terms.batched else "succeeded"
        lucky = int.from_bytes(digest[:4]) < self._cache_hits * (1 << 32)
        cached = self._cache(weight.breakpoints, now, lucky=lucky) if outcome == "succeeded" else NOTHING_CACHED
        return Finding(digest, outcome, refusal, orders.take, told, weight.tokens, cached)

    def _cache(self, breakpoints: tuple[Breakpoint, ...], now: float, *, lucky: bool) -> Cached:
        """Read the longest warm prefix, if it is found, and write the rest."""
        points = [point for point in breakpoints if point.tokens >= CACHEABLE]
        read = max((point.tokens for point in points if lucky and self._warm.get(point.digest, 0.0) > now), default=0)
        wrote = dict.fromkeys(TTL, 0)
        reached = read
        for point in points:
            if point.tokens > reached:
                wrote[point.ttl] += point.tokens - reached
                reached = point.tokens
            self._warm[point.digest] = now + TTL[point.ttl]
        return Cached(read, wrote["5m"], wrote["1h"])
