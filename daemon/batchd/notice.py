"""Notices: what people and programs are told of, each once; told in codes and counts alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from batchd.model import JobId
from batchd.text.strictjson import Json

PREFIX = "batchd."
"""Before each kind, where it stands among the events of other programs."""


class Kind(StrEnum):
    """What has happened."""

    JOB_FINISHED = "job.finished"
    """Its `job.json` is durable."""
    JOB_HELD = "job.held"
    """It waits for money, or for a person."""
    BATCH_HELD = "batch.held"
    """It waits for a person."""
    FILE_REJECTED = "file.rejected"
    INSTRUCTIONS = "instructions"
    """Those of a folder are wrong, and its files wait."""
    SENDING_PARKED = "sending.parked"
    """The API takes nothing from anybody: the key, money, the address."""
    SENDING_RESUMED = "sending.resumed"
    BUDGET_REACHED = "budget.reached"
    RESULTS_EXPIRING = "results.expiring"
    """Results of a batch that were not collected are deleted soon."""
    BATCH_OVERDUE = "batch.overdue"
    DISK_LOW = "disk.low"
    DISK_ENOUGH = "disk.enough"
    DIGEST = "digest"
    """How the day was."""
    TEST = "test"
    """Nothing: somebody tries a sink."""


class Why(StrEnum):
    """Why a batch waits for a person."""

    UNDECIDED = "undecided"
    UNKNOWN = "unknown_to_the_api"
    OVERDUE = "overdue"
    LINES_MISSING = "results_missing"
    IN_DOUBT = "create_in_doubt"
    CUT_OFF = "answer_cut_off"
    RESTORED = "state_restored"
    NO_KEY = "key_missing"


EVENTS = tuple(kind for kind in Kind if kind is not Kind.TEST)
"""What a sink may be told of."""


@dataclass(frozen=True, slots=True)
class NewNotice:
    """Something worth a notice, as it happens."""

    kind: Kind
    subject: str
    """What it is about: a kind and a subject are told once."""
    at: float
    """Unix seconds."""
    data: Mapping[str, Json] = field(default_factory=dict)
    """Codes and counts, names of jobs and files: no prompt, answer, custom_id, or text of the API."""
    job: JobId | None = None
    queue: str | None = None
    """The top folder of the inbox; empty for a file that lies in none, None where it is about no folder."""
    after: float = 0.0
    """Seconds for which it may still turn out to be nothing."""
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """Of a job: how its requests ended, which is counted and not told."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that is to be told."""

    id: int
    kind: Kind
    at: float
    data: Mapping[str, Json]
    job: JobId | None = None
    queue: str | None = None
    named: frozenset[str] = frozenset()
    """The sinks that its job names."""


@dataclass(frozen=True, slots=True)
class Message:
    """A notice as a sink gets it, the same at each attempt."""

    id: str
    kind: Kind
    body: bytes
    """A JSON object in one line."""
    title: str
    lines: tuple[str, ...] = ()
    """For people."""


class Told(StrEnum):
    """How an attempt to deliver has ended."""

    DONE = "done"
    AGAIN = "again"
    """It may do later."""
    NEVER = "never"
    STOPPED = "stopped"
    """The sink wants nothing any more."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver."""

    told: Told
    reason: str = ""
    """In one line, without anything that the sink has answered, or that its address holds."""


DONE = Attempt(Told.DONE)


def queue_of(path: str) -> str:
    """The top folder of a path below the inbox; empty where it lies in none."""
    top, slash, _ = path.partition("/")
    return top if slash else ""
