"""Whether requests that wait for one that has gone first may go: it has left their beginning in the cache, or not."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from batchd.model import RequestId

WARM: Final = 3_000.0
"""Seconds after which a cache that lives for an hour is no longer counted on."""
_MOST_TRIES: Final = 2
"""How many go first, one after the other, before the rest is sent without breakpoints."""


@dataclass(frozen=True, slots=True)
class Family:
    """Requests with one beginning, some of which wait, when none that went first is on its way any more."""

    first: RequestId
    """By which it is known: the one that was chosen at first."""
    tried: int
    """How many have gone first since it was last warm."""
    warmed_at: float | None
    """When the last of them was answered, in unix seconds; None where none was."""
    job: str = ""


@dataclass(frozen=True, slots=True)
class Leader:
    """Who goes first in a family of which some wait."""

    family: RequestId
    """The one that was chosen at first."""
    request: RequestId
    """The one that goes first now."""
    warm_until: float | None
    """In unix seconds; None until its answer has warmed the cache."""


def alone(leaders: Iterable[Leader], now: float) -> dict[RequestId, RequestId]:
    """Say of each family whose cache is cold who alone may go: the others wait until its answer is here.

    Args:
        leaders: Of the families of which some wait.
        now: Unix seconds.

    Returns:
        The one that leads, by its family.
    """
    return {each.family: each.request for each in leaders if each.warm_until is None or each.warm_until <= now}


class Warming(StrEnum):
    """What is done about requests that wait for a warm cache."""

    GO = "go"
    """It is warm: they go."""
    ANOTHER = "another"
    """It is cold: the next one goes first."""
    BARE = "bare"
    """Nobody warms it: they go without breakpoints, at the plain price, rather than each write it at twice that."""


def decide_warming(family: Family, now: float) -> Warming:
    """Decide whether those that wait may go: only an answer of the last fifty minutes has left anything behind."""
    if family.warmed_at is not None and now < family.warmed_at + WARM:
        return Warming.GO
    return Warming.ANOTHER if family.tried < _MOST_TRIES else Warming.BARE
