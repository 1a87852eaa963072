"""The circuit breaker: tripped while the API refuses everybody, so that one batch at a time asks, at a calm pace."""

import structlog

from batchd.decisions.batch.backoff import PARKED
from batchd.edges.clock import Clock
from batchd.model import BatchId

log = structlog.get_logger()


class CircuitBreaker:
    """Keeps all batches while something is wrong with the account: its key, its money, a hold.

    A create that is taken shows that this is over; but where the results had told of it, only results can.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tripped_at: float | None = None
        self._by_results = False
        self._next_try_at = 0.0
        self._trying: BatchId | None = None
        """The batch that is let try."""
        self.reason = ""
        """Why it is tripped."""

    @property
    def closed(self) -> bool:
        """Whether it keeps everybody."""
        return self._tripped_at is not None

    def keeps(self, batch: BatchId) -> float:
        """Say for how many seconds a batch is kept; 0 where it may go, or is the one that is let try."""
        if self._tripped_at is None or batch == self._trying:
            return 0.0
        return max(self._next_try_at - self._clock.now(), 0.0)

    def try_with(self, batch: BatchId) -> None:
        """Let this batch try, and keep the others for a while; where nothing is kept, that changes nothing."""
        if self._tripped_at is not None:
            now = self._clock.now()
            self._trying = batch
            self._next_try_at = now + PARKED.delay(now - self._tripped_at)

    def trip(self, reason: str, *, by_results: bool = False) -> None:
        """Keep everybody for a while, longer the longer it lasts.

        Args:
            reason: Why, for people.
            by_results: Whether the results of a batch say so, though its create was taken.
        """
        self._by_results |= by_results
        now = self._clock.now()
        self._trying = None
        if self._tripped_at is None:
            self._tripped_at = now
        wait = PARKED.delay(now - self._tripped_at)
        self._next_try_at = now + wait
        self.reason = reason
        log.error("submissions parked", reason=reason, seconds=round(wait))

    def reset(self) -> bool:
        """Let everybody through after a create was taken, and say whether that made a difference."""
        if self._by_results:
            return False
        was_tripped, self._tripped_at, self._trying = self._tripped_at is not None, None, None
        return was_tripped

    def prove(self, *, sent_at: float | None) -> bool:
        """Let everybody through after a batch has brought answers, and say whether that made a difference.

        Args:
            sent_at: When it was sent: what was sent before the trouble shows nothing.
        """
        if self._tripped_at is None or sent_at is None or sent_at < self._tripped_at:
            return False
        self._by_results = False
        return self.reset()
