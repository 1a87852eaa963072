"""One trip to the API: planned, sent, and as the API describes it."""

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from batchd.lifecycle import State
from batchd.model.ids import BatchId, RemoteId, RequestId
from batchd.model.request import Lane


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
    account: str = ""
    """By whose key it goes: the NAME of `[keys.NAME]`; empty for that of `[api]`."""


class Place(msgspec.Struct, frozen=True):
    """Where the params of one row of a batch lie in the spool."""

    claim: str
    offset: int
    """In bytes, as is `size`."""
    size: int


class Sending(msgspec.Struct, frozen=True):
    """One sending of one request: what its id on the wire names."""

    request: RequestId
    number: int
    """How many times the request was put on a trip by then; 0 of trips that an earlier version planned."""


class WireRow(msgspec.Struct, frozen=True):
    """One row of the body of a create."""

    sending: Sending
    place: Place


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
class Lacking:
    """What the results of a batch have lacked in every reading since some moment."""

    lines: int
    since: float
    """Unix seconds of the first of these readings."""


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
    intent: Intent | None = None
    """What was known before its first create; None where nothing of it has left yet."""
    doubted_at: float | None = None
    remote_id: RemoteId | None = None
    evidence: Evidence | None = None
    submitted_at: float | None = None
    expires_at: float | None = None
    ended_at: float | None = None
    results_url: str | None = None
    next_poll_at: float | None = None
    denied_since: float | None = None
    """Since when the API denies what would tell of it."""
    cancelled_at: float | None = None
    lacking: Lacking | None = None
    lane: Lane = Lane.BATCH
    version: str | None = None
    """Of the API, by which all its requests go; None for the current one."""
    account: str = ""
    """By whose key it goes, as `Plan.account`."""
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
    def surely_ours(self) -> bool:
        """Whether it may be cancelled at the API."""
        return self.evidence in {Evidence.ANSWER, Evidence.NONCE}
