"""How long to wait: pure functions of age, so that a restarted daemon asks when the old one would have."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """A wait that grows by a factor from `initial` to `longest` seconds, as a function of elapsed time alone."""

    initial: float
    factor: float
    longest: float
    jitter: float = 0.1

    def delay(self, elapsed: float, luck: float = 0.5) -> float:
        """Say how long to wait when this much time has gone by.

        With `elapsed` the sum of the waits so far, `(factor - 1) * elapsed` is the next one of a geometric row,
        to within its first member; nothing has to be counted or kept.

        Args:
            elapsed: Seconds since the start; less than 0 (a clock set back) counts as 0.
            luck: From 0 to 1, spread over ± `jitter` of the wait.
        """
        wait = min(max((self.factor - 1) * elapsed + self.initial, self.initial), self.longest)
        return wait * (1 + self.jitter * (2 * luck - 1))

    def delay_randomly(self, elapsed: float) -> float:
        """Say how long to wait, with luck thrown.

        Args:
            elapsed: Seconds since the start.
        """
        return self.delay(elapsed, random.random())  # noqa: S311  spreads polls over time; guards no secret


_FIRST_PAUSE, _PAUSES_GROW_BY, _LONGEST_PAUSE = 2.0, 4.0, 300.0


def pause_before(attempts: int) -> float:
    """Say for how many seconds a message rests whose answer the API has broken off.

    Args:
        attempts: How often it was sent so far, from 1.

    >>> [pause_before(attempts) for attempts in (1, 2, 3, 4, 5)]
    [2.0, 8.0, 32.0, 128.0, 300.0]
    """
    return min(_FIRST_PAUSE * _PAUSES_GROW_BY ** min(attempts - 1, 10), _LONGEST_PAUSE)


PATIENCE = Backoff(initial=1.0, factor=1.5, longest=300.0)
"""Repeating what the API could not do just now; the server's own `retry-after` goes before it."""

DOUBT = Backoff(initial=1.0, factor=1.25, longest=60.0)
"""Looking again for a batch that an unanswered create may have made."""

PARKED = Backoff(initial=60.0, factor=2.0, longest=1800.0)
"""Trying again after the API refused key or money: calm, since only a person can mend it."""
