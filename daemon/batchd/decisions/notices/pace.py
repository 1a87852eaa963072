"""When a notice that could not be delivered is tried again, and when no more."""

from random import Random
from typing import Final

_GAPS: Final = (0.0, 5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 18_000.0)
"""Seconds before each attempt; from the last on they stay the same."""
LONGEST: Final = 72 * 3600.0
"""Seconds after which a notice that nobody takes is given up."""
_JITTER: Final = 0.2
_RANDOM: Final = Random()  # noqa: S311  spreads attempts, guards nothing


def gap(attempts: int, *, chance: float | None = None) -> float:
    """Say how many seconds lie between some attempts and the next.

    Args:
        attempts: Made so far.
        chance: From 0 to 1, where in the spread of a fifth the gap lies; None for a random place.
    """
    chance = _RANDOM.random() if chance is None else chance
    return _GAPS[min(attempts, len(_GAPS) - 1)] * (1 - _JITTER + 2 * _JITTER * chance)


def over(since: float, now: float) -> bool:
    """Whether it was tried long enough.

    Args:
        since: When it was first to be delivered, in seconds.
        now: By the same clock.
    """
    return now - since >= LONGEST
