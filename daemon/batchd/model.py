"""The values that travel through the house: nothing here acts, everything is frozen.

Three nouns. A *job* is a file that was taken, a *request* is one message of it, and a *batch* is one
trip to the API, which may carry requests of several jobs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, NamedTuple, NewType

import msgspec

from batchd.lifecycle import State

JobId = NewType("JobId", int)
RequestId = NewType("RequestId", int)
BatchId = NewType("BatchId", int)
RemoteId = NewType("RemoteId", str)
"""The API's own name of a batch, `msgbatch_…`; its format and length may change."""

DEFAULT_MODEL: Final = "claude-sonnet-5-5"
"""For a request that names none."""
DEFAULT_MAX_TOKENS: Final = 64_000
"""For a request that does not say."""
LONG_TOKENS: Final = 64_000
"""A request of a larger `max_tokens` is long, unless the settings draw the line elsewhere."""
BETA_NAME: Final = r"^[A-Za-z0-9._-]+$"
"""What the name of a beta consists of."""
MOST_DOLLARS: Final = 1_000_000
"""USD of the largest budget."""

BETA_300K = "output-300k-2026-03-24"
"""The beta that raises the cap of `max_tokens` to 300,000, in batches only (docs: batch processing)."""


class Lane(StrEnum):
    """By which of its APIs a request is sent."""

    BATCH = "batch"
    """Message Batches: at half the price, within 24 hours."""
    SYNC = "sync"
    """Messages, as a stream: at once, at the full price."""


class Verdict(StrEnum):
    """How a request ended; every request gets exactly one."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    SHORT = "short"
    REFUSED = "refused"
    PAUSED = "paused"
    ERRORED = "errored"
    EXPIRED = "expired"
    CANCELED = "canceled"

    @property
    def incomplete(self) -> bool:
        """Whether the API wrote (and charged for) something that is not the whole answer."""
        return self in {Verdict.TRUNCATED, Verdict.SHORT, Verdict.REFUSED, Verdict.PAUSED}


class Wishes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is asked of a request beside its parameters, and never changes: its settings, by their names in a job file.

    They are described here alone. From the door to the report they travel as this value; the store keeps it as JSON,
    and `failures.jsonl` gives it back as it is kept. A new one is a line here, and one where it acts; one whose type
    does not say what may be written has a check of its own in `settings_check`.
    """

    documents: bool = True
    """Whether the text of the answer is wanted as a file of its own."""
    lane: Lane = Lane.BATCH
    cache: Literal["auto", "off"] = "off"
    """Whether what it shares with others may be cached, where that pays."""
    files: bool = False
    """Whether its answer consists of files, to be written out each under its path."""
    expect: msgspec.Raw = msgspec.Raw()
    """What its document must have to be whole, as JSON; empty when nothing is said."""


class Entry(NamedTuple):
    """One request of a job file, checked, with the job's settings and the defaults merged in."""

    line: int
    """The line of the file on which it begins, from 1."""
    custom_id: str
    """The user's own name for it, unique in its job."""
    name: str
    """What its document is called in the outbox, without suffix; unique in its job, letter case ignored."""
    params: bytes
    """The Messages API's parameters as one line of UTF-8 JSON, `model` and `max_tokens` among them."""
    model: str
    max_tokens: int
    betas: tuple[str, ...] = ()
    """Sorted: requests travel together only when these are equal, since betas belong to a whole batch."""
    budget: Decimal | None = None
    """USD that this request may cost; None for any amount."""
    rounds: int = 0
    """How many times it may be continued when it comes back cut short."""
    wishes: Wishes = Wishes()
    version: str | None = None
    """Of the API, where it is not the one that everything else goes by: requests of one version travel together."""
    template: int = 0
    """Requests of one file and template differ in nothing but their ids and texts; 0 where that was not looked at."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a job file says of the job as a whole."""

    budget: Decimal | None = None
    """USD that all its requests may cost together; None for what the settings say."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a job file: it is refused whole, and says so at this line and field."""

    line: int
    """From 1; 0 when it concerns the file as a whole."""
    field: str
    """A path such as `params.messages[0].content`; empty when no single field is meant."""
    message: str


@dataclass(frozen=True, slots=True)
class Caution:
    """Something a user should know of before the bill, which stops nothing."""

    line: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one or many answers, as the API bills them."""

    input_tokens: int = 0
    """Without those read from, or written to, the prompt cache."""
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0

    @property
    def cache_creation_input_tokens(self) -> int:
        """Tokens written to the cache, whatever their time to live."""
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_input_tokens + other.cache_read_input_tokens,
            self.cache_write_5m_tokens + other.cache_write_5m_tokens,
            self.cache_write_1h_tokens + other.cache_write_1h_tokens,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What tokens cost, in USD; None where the price is not known, which is never the same as 0."""

    charged: Decimal | None
    """At the price of the lane that it went by."""
    standard: Decimal | None
    """The same tokens at the synchronous price."""


def total(costs: Iterable[Decimal | None]) -> Decimal | None:
    """Add prices up; one unknown price makes the sum unknown.

    Args:
        costs: Prices in USD.
    """
    whole = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        whole += cost
    return whole


@dataclass(frozen=True, slots=True)
class Waiting:
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
    job: JobId = JobId(0)
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
class Plan:
    """Requests that will travel together."""

    requests: tuple[RequestId, ...]
    betas: tuple[str, ...]
    size: int = 0
    """Bytes of all their params."""
    lane: Lane = Lane.BATCH
    version: str | None = None
    """Of the API; None for the current one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the params of one row of a batch lie in the spool."""

    claim: str
    offset: int
    """In bytes, as is `size`."""
    size: int


@dataclass(frozen=True, slots=True)
class Sending:
    """One sending of one request: what its id on the wire names."""

    request: RequestId
    number: int
    """How many times the request was put on a trip by then; 0 of trips that an earlier version planned."""


@dataclass(frozen=True, slots=True)
class WireRow:
    """One row of the body of a create."""

    sending: Sending
    place: Place


@dataclass(frozen=True, slots=True)
class Held:
    """A request that no budget has room for, as far as what it may cost depends on it."""

    id: RequestId
    model: str
    max_tokens: int
    rounds: int
    allowance: int
    lane: Lane
    betas: tuple[str, ...]
    worst: int
    """Picodollars."""
    place: Place
    job: JobId = JobId(0)
    job_name: str = ""
    room: int = 0
    """Picodollars that the budgets have left for it, and for what is held behind it."""
    counted: bool = False
    """Whether the API has counted its tokens."""


@dataclass(frozen=True, slots=True)
class Counts:
    """`request_counts` of a batch; all stay in `processing` until the whole batch has ended."""

    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        """How many requests the batch has."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch as the API describes it, with what some gateways leave out as None."""

    id: RemoteId
    status: str
    """`in_progress`, `canceling` or `ended`."""
    counts: Counts
    created_at: float
    """Unix seconds, by the server's clock, as are the others."""
    expires_at: float | None = None
    ended_at: float | None = None
    archived_at: float | None = None
    results_url: str | None = None
    server_time: float | None = field(default=None, compare=False)
    """The `Date` of the answer that told this, by which alone ages of remote things are judged."""

    @property
    def ended(self) -> bool:
        """Whether its results can be read."""
        return self.status == "ended"


class Evidence(StrEnum):
    """What makes us believe that a batch at the API is ours."""

    ANSWER = "answer"
    """Its id came in the answer to our own create."""
    COUNT = "count"
    """It is the only one of our count since our create: believed, not proved. Never cancelled, never delivered."""
    NONCE = "nonce"
    """Its results carry our nonce."""
    PERSON = "person"
    """Somebody said so with `batchd resolve`; its results must still carry our nonce."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What is on disk before the first byte of a create leaves: how to tell later which batch it made."""

    count: int
    """Requests of the batch."""
    baseline_id: RemoteId | None
    """The newest batch that the API had; None where it had none."""
    baseline_time: float
    """Unix seconds by the server's clock."""
    origin: str | None = None
    """Scheme, host, port and path of the API."""
    organization: str | None = None
    """Whose key it was, as the API said it; None where it does not say."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One trip to the API, as the store knows it. All times are unix seconds, remote ones by the server's clock."""

    id: BatchId
    state: State
    betas: tuple[str, ...]
    count: int
    size: int
    nonce: str
    attempt: int
    planned_at: float
    doubts: int = 0
    """Attempts of which nothing was found; what they made, if anything, may still appear."""
    baseline_id: RemoteId | None = None
    baseline_time: float | None = None
    origin: str | None = None
    organization: str | None = None
    doubted_at: float | None = None
    remote_id: RemoteId | None = None
    evidence: Evidence | None = None
    submitted_at: float | None = None
    expires_at: float | None = None
    ended_at: float | None = None
    results_url: str | None = None
    next_poll_at: float | None = None
    cancelled_at: float | None = None
    lacking: int | None = None
    """Lines that its results have lacked in every reading since `lacking_since`."""
    lacking_since: float | None = None
    lane: Lane = Lane.BATCH
    version: str | None = None
    """Of the API, by which all its requests go; None for the current one."""
    twin: RemoteId | None = None
    """A second batch of the API that carries the same requests, and was paid for as well."""
    trouble: str | None = None
    """What keeps it from going on, in one line for `batchd status`; None when all is well."""

    @property
    def known_id(self) -> RemoteId:
        """The API's id, where there must be one."""
        if self.remote_id is None:
            raise LookupError(f"batch {self.id} is {self.state} without an id of the API")
        return self.remote_id

    @property
    def intent(self) -> Intent | None:
        """What was known before its first create; None where nothing of it has left yet."""
        if self.baseline_time is None:
            return None
        return Intent(self.count, self.baseline_id, self.baseline_time, self.origin, self.organization)

    @property
    def surely_ours(self) -> bool:
        """Whether it may be cancelled at the API."""
        return self.evidence in {Evidence.ANSWER, Evidence.NONCE}


@dataclass(frozen=True, slots=True)
class Job:
    """A file that was taken, as the store knows it."""

    id: JobId
    claim: str
    """The name of its claim, and of its spool file."""
    name: str
    """Its folder in the outbox, relative."""
    source: str
    """Its path in the inbox, as it was dropped."""
    received_at: float
    total: int
    finished_at: float | None = None
    delivered: bool = False
    """Whether `job.json` is in the outbox."""
    cancel_wanted: bool = False
    retry_wanted: bool = False
    hold: str | None = None
    """Why nothing more of it is sent, until it is released; None when nothing holds it."""
    hold_until: float | None = None
    """Unix seconds at which it is tried again by itself; None for when a person releases it."""
    released: bool = False
    """Whether a person has let it go."""
    released_up_to: int | None = None
    """Up to which sum, in picodollars; None for whatever it costs."""
    cache: str | None = None
    """What was decided about the prompt cache; None where nobody asked for it."""
    results_length: int = 0
    """Bytes of `results.jsonl` that are acknowledged; what lies behind is a crash's leftover."""
    missing: int = 0
    """The last requests of its file, which the spool's index knows and the store does not yet."""
