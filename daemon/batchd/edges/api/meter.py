"""Counts calls of the API, how they ended and how long they took; the wait for a turn is counted apart."""

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from batchd.errors import Disconnected, Garbled, Gone, InDoubt, Parked, Refused, Unavailable, Unreachable

BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds by which calls are told apart."""
OPERATIONS: Final = ("create", "retrieve", "list", "results", "cancel", "count", "message")
OUTCOMES: Final = ("ok", "busy", "refused", "unreachable", "unanswered")

_WAITED: ContextVar[float] = ContextVar("waited", default=0.0)


class Meter:
    """What the calls of this process came to."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        """By operation and outcome."""
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """By operation, together."""
        self.within: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BOUNDS) + 1))
        """By operation, how many took up to each bound, and how many longer than all."""
        self.waited = 0.0
        """Seconds for which calls have waited for their turn."""

    @contextmanager
    def call(self, operation: str) -> Iterator[None]:
        """Within the block, one call is made."""
        before, began = _WAITED.get(), time.monotonic()
        outcome = "ok"
        try:
            yield
        except Exception as error:
            outcome = outcome_of(error)
            raise
        finally:
            took = max(time.monotonic() - began - (_WAITED.get() - before), 0.0)
            self.calls[operation, outcome] += 1
            self.seconds[operation] += took
            self.within[operation][bisect_left(BOUNDS, took)] += 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within the block, a call waits for its turn."""
        began = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - began
            self.waited += took
            _WAITED.set(_WAITED.get() + took)


def outcome_of(error: Exception) -> str:
    """Say in a word how a call has ended."""
    match error:
        case Refused() | Gone() | Parked():
            return "refused"
        case Unreachable():
            return "unreachable"
        case InDoubt() | Disconnected() | Garbled():
            return "unanswered"
        case Unavailable():
            return "busy"
        case _:
            return "unanswered"
