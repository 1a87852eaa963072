"""The gate: closed while the API refuses key or money, so that nobody hammers at it."""

import structlog

from batchd.decisions.batch.backoff import PARKED
from batchd.edges.clock import Clock

log = structlog.get_logger()


class CircuitBreaker:
    """Closed while the API refuses key or money, so that one batch asks at a calm pace and not all of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._closed_since: float | None = None
        self._next_try_at = 0.0
        self.reason = ""
        """Why it is closed."""

    @property
    def closed(self) -> bool:
        """Whether it keeps everybody."""
        return self._closed_since is not None

    def check(self) -> float:
        """Let a batch through, or say for how many seconds none is; while closed, one at a time may try."""
        now = self._clock.now()
        if self._closed_since is not None:
            if now < self._next_try_at:
                return self._next_try_at - now
            self._next_try_at = now + PARKED.initial
        return 0.0

    def trip(self, reason: str) -> None:
        """Keep everybody for a while, longer the longer it lasts.

        Args:
            reason: Why, for people.
        """
        now = self._clock.now()
        if self._closed_since is None:
            self._closed_since = now
        wait = PARKED.delay(now - self._closed_since)
        self._next_try_at = now + wait
        self.reason = reason
        log.error("submissions parked", reason=reason, seconds=round(wait))

    def reset(self) -> bool:
        """Let everybody through, and say whether it was closed."""
        was_closed, self._closed_since = self._closed_since is not None, None
        return was_closed
