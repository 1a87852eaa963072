"""The values of the way out: a request on its trip, what became of it, and what is reported of it in the end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from batchd.model import Cost, JobId, Place, RequestId, Usage, Verdict, Wishes

PARKED = "parked"
"""The outcome of a trip that trouble with the account has ended: it is taken back, and counts for nothing."""


class Trip(msgspec.Struct, frozen=True):
    """A request on its trip: whose it is, and what is needed to deliver its result."""

    row: int
    request: RequestId
    job: JobId
    job_name: str
    custom_id: str
    name: str
    model: str
    wishes: Wishes
    attempts_left: int
    """How many more times it may be sent."""
    cancelled: bool
    delivered: bool
    first: Place = Place("", 0, 0)
    """Where the params of its first round lie."""
    max_tokens: int = 0
    """Of this round."""
    betas: tuple[str, ...] = ()
    round: int = 0
    """How many parts of its document were written before."""
    rounds: int = 0
    """How many may follow this one."""
    allowance: int = 0
    """Tokens of output that all rounds behind the first may write together, from this one on."""
    written: int = 0
    """Tokens of output that were written before."""
    attempts: int = 1
    """How often this round was sent, this time included."""
    breaks: int = 0
    """Rounds before this one that broke off for no reason of the model's."""
    worst: int | None = None
    """Picodollars that this round and all that may follow it can cost; None where the price is not known."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """A request that got its verdict between two rounds: what was written, and paid, before lies in its draft."""

    request: RequestId
    name: str
    round: int
    """The one that was not sent."""
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class NextRound:
    """How a document that is not whole is continued."""

    offset: int
    """Of its params in the spool, in bytes, as is `size`."""
    size: int
    max_tokens: int
    betas: tuple[str, ...]
    rounds: int
    allowance: int
    worst: int | None


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of the files of an answer that consists of them."""

    written: tuple[str, ...] = ()
    """Relative to the job's folder."""
    refused: tuple[tuple[str, str], ...] = ()
    """Path, as the model wrote it, and reason."""


class Delivery(msgspec.Struct, frozen=True):
    """What became of one trip, to be stored in one commit with the lengths of the files it went to."""

    row: int
    request: RequestId
    outcome: str
    """The result's type."""
    verdict: Verdict | None
    reason: str
    stop_reason: str | None = None
    usage: Usage = Usage()
    cost: Cost = Cost(None, None)
    saved: Decimal | None = None
    """USD by which the prompt cache made it cheaper."""
    document: str | None = None
    """Relative to the job's folder."""
    sections: tuple[tuple[str, str], ...] = ()
    """Title and file of each of its sections, where it has any."""
    round: int = 0
    """How many parts of its document were written before."""
    following: NextRound | None = None
    """The round that continues it; None where none does."""
    filed: Filed | None = None
    """Its files; None where none were wanted, or there is no text yet."""
    bounded: bool = False
    """Whether its tokens of output are a bound."""
    rest: float = 0.0
    """Seconds for which its request rests before it may be sent again."""


class ReportRow(msgspec.Struct, frozen=True):
    """A request that has its verdict, with all its trips summed up."""

    custom_id: str
    verdict: Verdict
    stop_reason: str | None
    reason: str
    usage: Usage
    cost: Cost
    attempts: int
    rounds: int
    """How many of them brought an answer."""
    model: str
    batches: tuple[str, ...]
    document: str | None
    sections: tuple[tuple[str, str], ...]
    chain: tuple[dict[str, object], ...]
    """Each trip: its batch, outcome, stop_reason, tokens and cost; empty where there was one only."""
    cached: bool
    """Whether it was given a breakpoint that its user had not written."""
    settings: dict[str, object]
    """What was said of it beside its params, as a job file says it; empty where it is complete."""
    offset: int
    """Of its params in the job's spool file, in bytes, as is `size`."""
    size: int
    filed: Filed | None = None
    """Its files; None where none were wanted."""
    bounded: int = 0
    """How many of its answers were cut before their tokens of output were told: those are a bound."""
    place: int | None = None
    """Where its row stands; None where that follows from the order of the requests, or it has none."""
    record: str | None = None
    """Its row as it was put right; None where it stands as it came."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How the requests of a job stand."""

    waiting: int
    travelling: int
    verdicts: dict[Verdict, int]
    usage: Usage
    cost: Cost
    saved: Decimal
    """USD by which the prompt cache made it cheaper, as far as prices are known."""
    bounded: int = 0
    """How many answers were cut before their tokens of output were told: those are a bound."""
    models: Mapping[str, int] = field(default_factory=dict)
    """How many requests go to each."""

    @property
    def settled(self) -> int:
        """How many have their verdict."""
        return sum(self.verdicts.values())
