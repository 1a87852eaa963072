"""Results that lack lines: how long they are read again, before a person is told.

A store that is not consistent yet, or a proxy that ends a download early and properly, brings too little for a while.
What is missing may have been charged, so it is never called lost: it is held.
"""

from dataclasses import dataclass

HOUR = 3600.0
READINGS = 3
"""Whole readings that must agree, however long it has been: a machine that slept for an hour has read once."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Readings of one batch's results, one after the other, that lacked the same number of lines."""

    missing: int
    since: float
    """Unix seconds of the first of them."""
    readings: int
    """How many there were in this process."""

    def final(self, now: float) -> bool:
        """Whether to read once more is no use any more."""
        return self.readings >= READINGS and now - self.since >= HOUR


def after_reading(before: Shortfall | None, missing: int, now: float) -> Shortfall:
    """Add a reading to those before it: one that brought more begins anew.

    Args:
        before: None where there was none.
        missing: Lines that have never come.
        now: Unix seconds.
    """
    if before is None or before.missing != missing:
        return Shortfall(missing, now, 1)
    return Shortfall(missing, before.since, before.readings + 1)
