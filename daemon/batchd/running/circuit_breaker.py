"""The circuit breaker: tripped while the API refuses everybody, so that one batch at a time asks, at a calm pace."""

import msgspec
import structlog

from batchd.decisions.batch.backoff import PARKED
from batchd.edges.clock import Clock
from batchd.errors import Blame
from batchd.model import BatchId
from batchd.text import typed

log = structlog.get_logger()


class _State(msgspec.Struct):
    """One that is tripped, as the workers of one database tell each other."""

    tripped_at: float
    by_results: bool
    next_try_at: float
    trying: BatchId | None
    reason: str
    blames: dict[Blame, float]


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
        self.blames: dict[Blame, float] = {}
        """What it is tripped for, and since when."""

    def told(self) -> str | None:
        """What another process has to know of it; None where it keeps nobody."""
        if self._tripped_at is None:
            return None
        state = _State(
            self._tripped_at, self._by_results, self._next_try_at, self._trying, self.reason, dict(self.blames)
        )
        return msgspec.json.encode(state).decode()

    def become(self, told: str | None) -> None:
        """Be as another process has told it."""
        if told is None:
            self._tripped_at, self._by_results, self._trying, self.blames = None, False, None, {}
            return
        state = typed.decode(told, _State)
        self._tripped_at, self._by_results, self._next_try_at = state.tripped_at, state.by_results, state.next_try_at
        self._trying, self.reason, self.blames = state.trying, state.reason, state.blames

    @property
    def closed(self) -> bool:
        """Whether it keeps everybody."""
        return self._tripped_at is not None

    def keeps(self, batch: BatchId) -> float:
        """Say for how many seconds a batch is kept; 0 where it may go, or is the one that is let try."""
        if self._tripped_at is None or batch == self._trying:
            return 0.0
        return max(self._next_try_at - self._clock.now(), 0.0)

    def claim(self, batch: BatchId) -> float:
        """Let this batch try, where it may; else say for how many seconds it is kept."""
        if not (wait := self.keeps(batch)):
            self.try_with(batch)
        return wait

    def try_with(self, batch: BatchId) -> None:
        """Let this batch try, and keep the others for a while; where nothing is kept, that changes nothing."""
        if self._tripped_at is not None:
            now = self._clock.now()
            self._trying = batch
            self._next_try_at = now + PARKED.delay(now - self._tripped_at)

    def trip(self, reason: str, blame: Blame | None = None, *, by_results: bool = False) -> None:
        """Keep everybody for a while, longer the longer it lasts.

        Args:
            reason: Why, for people.
            blame: The same in a word.
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
        if blame is not None:
            self.blames.setdefault(blame, now)
        log.error("submissions parked", reason=reason, seconds=round(wait))

    def reset(self) -> bool:
        """Let everybody through after a create was taken, and say whether that made a difference."""
        if self._by_results:
            return False
        was_tripped, self._tripped_at, self._trying = self._tripped_at is not None, None, None
        self.blames = {}
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
