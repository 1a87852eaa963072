"""What the outbox tells of jobs, as types: their JSON Schemas are generated from these."""

from typing import Literal

import msgspec


class Requests(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests a job has, and how they ended."""

    total: int
    complete: int
    incomplete: int
    errored: int
    expired: int
    canceled: int
    rejected: int = 0


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of all answers of a job."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """What `cache: auto` decided, and what the cache made cheaper."""

    decision: str | None
    saved_usd: float | None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """How far one step of a job is: one of requests, or one that joins the answers of others."""

    step: str
    state: Literal["waiting", "held", "asked", "complete", "incomplete", "empty"] | None = None
    requests: int | None = None
    complete: int | None = None
    incomplete: int | None = None
    open: int | None = None
    """Requests of it that have no verdict yet."""
    join: list[str] = []
    document: str | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job that has ended, as its `job.json` says."""

    schema: Literal["batchd/job/1"] = "batchd/job/1"
    job: str
    """Its name: its folder in the outbox."""
    state: Literal["done", "partial", "failed", "cancelled"]
    source: str
    received_at: str
    finished_at: str
    requests: Requests
    models: dict[str, int] = {}
    usage: Usage
    bounded: int = 0
    cost_usd: float | None
    standard_cost_usd: float | None
    cache: Cache | None = None
    batches: list[str]
    steps: list[Step] = []
    cautions: list[str] = []
    sandbox: bool = False
    """Whether it was a rehearsal, which cost nothing."""


class HeldBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that only a person can decide about."""

    batch: int
    reason: str | None
    answers: list[str]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps one thing from being done."""

    since: str
    what: str
    reason: str


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A job that waits for a person, or for money, as its `held.json` says."""

    schema: Literal["batchd/held/1"] = "batchd/held/1"
    job: str
    reason: str | None
    until: str | None = None
    retry: str | None = None
    release: str | None = None
    release_up_to: str | None = None
    batches: list[HeldBatch] = []
    troubles: list[Kept] = []
    sandbox: bool = False


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a file."""

    line: int
    """From 1; 0 for the file as a whole."""
    row: int | None = None
    """Of a table, as a spreadsheet counts."""
    field: str
    message: str


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """Why a file was rejected: the `.errors.json` beside it."""

    schema: Literal["batchd/errors/1"] = "batchd/errors/1"
    file: str
    errors: list[Problem]
    count: int


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """The receipt of what was dropped with a ticket."""

    schema: Literal["batchd/ticket/1"]
    ticket: str
    state: Literal["accepted", "rejected", "held"]
    job: str | None = None
    rejected: str | None = None
    errors: list[Problem] = []
    count: int = 0
    claim: str = ""
    """The daemon's own."""
    digest: str | None = None
    """Of the bytes that came with the ticket."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A section of a document that has a file of its own."""

    title: str
    file: str


class NotWritten(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an answer that was not written."""

    path: str
    reason: str


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """One sending of a request that was sent more than once."""

    batch: str | None
    outcome: str | None
    stop_reason: str | None
    output_tokens: int | None
    bounded: bool = False
    cost_usd: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `report.jsonl`."""

    custom_id: str
    sandbox: bool = False
    model: str = ""
    verdict: Literal["complete", "truncated", "short", "refused", "paused", "errored", "expired", "canceled"]
    reason: str | None
    stop_reason: str | None
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    bounded: bool = False
    cost_usd: float | None
    standard_cost_usd: float | None
    attempts: int
    rounds: int
    batches: list[str]
    document: str | None
    sections: list[Section]
    files: list[str] = []
    files_refused: list[NotWritten] = []
    chain: list[Sending]


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one request or row that was left out."""

    field: str
    message: str


class Reject(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `rejects.jsonl`."""

    row: int | None = None
    line: int | None = None
    custom_id: str | None = None
    request: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    """What its user wrote, as is `row_data`: one of the two."""
    row_data: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    errors: list[Flaw]
