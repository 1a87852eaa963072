"""Requests that wait: for a trip, or for money."""

from dataclasses import dataclass

import msgspec

from batchd.model.batch import Place
from batchd.model.ids import JobId, RequestId
from batchd.model.request import Lane, Wishes


class Waiting(msgspec.Struct, frozen=True):
    """A request that waits for a trip: as much of it as the packer needs to know."""

    id: RequestId
    size: int
    """Bytes of its params."""
    max_tokens: int
    betas: tuple[str, ...]
    cohort: str
    """Only requests of one cohort travel together: how a refused batch is narrowed down to what is wrong in it."""
    since: float
    """Unix seconds."""
    job: JobId
    worst: int | None = 0
    """Picodollars that it can cost at the most, all its rounds included; None where its price is not known."""
    budget: int | None = None
    """Picodollars that its user allows it; None for any amount."""
    promised: bool = False
    """Whether `worst` was reserved before its first round, and has been kept for it."""
    lane: Lane = Lane.BATCH
    version: str | None = None
    """Of the API; None for the current one."""


@dataclass(frozen=True, slots=True)
class Held:
    """A request that no budget has room for, as far as what it may cost depends on it."""

    id: RequestId
    model: str
    max_tokens: int
    rounds: int
    allowance: int
    wishes: Wishes
    betas: tuple[str, ...]
    worst: int
    """Picodollars."""
    place: Place
    job: JobId
    job_name: str = ""
    room: int = 0
    """Picodollars that the budgets have left for it, and for what is held behind it."""
    counted: bool = False
    """Whether the API has counted its tokens."""
