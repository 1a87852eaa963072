"""What commands print with `--json`, as types: their JSON Schemas are generated from these."""

from typing import Literal

import msgspec

from batchd.formats.jobs import Problem, Step
from batchd.formats.keeping import Pause


class Daemon(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one works on the state folder."""

    running: bool
    pid: int | None = None


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """Files that wait for the instructions of their folder to be put right."""

    folder: str
    files: int
    since: str
    errors: list[Problem]


class Inbox(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in the inbox."""

    path: str
    waiting: int
    waits: list[Waits]


class Outbox(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in the outbox."""

    path: str
    rejected: int


class Requests(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests a job has, and how they stand."""

    total: int
    waiting: int
    travelling: int
    complete: int
    incomplete: int
    errored: int
    expired: int
    canceled: int


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of a job that is being cancelled, in which others travel too."""

    batch: int
    requests: int
    jobs: list[str]


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps one thing from being done."""

    what: str
    of: str
    since: str
    reason: str
    defect: bool


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document between two rounds."""

    request: int
    round: int
    rounds: int
    words: int
    words_wanted: int | None
    sections: int
    sections_wanted: int | None


class Failures(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that are not complete, for one reason."""

    verdict: str
    reason: str | None
    count: int
    first: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job, as `status` tells of it."""

    id: int | None = None
    """The store's number of it."""
    job: str
    sandbox: bool = False
    state: str
    source: str
    received_at: str
    finished_at: str | None
    requests: Requests
    batches: list[int]
    next_poll_at: str | None
    cost_usd: float | None
    standard_cost_usd: float | None
    waits_for: str | None = None
    """Why its requests are not sent just now, where that is neither money nor a person."""
    hold: str | None
    held_until: str | None
    released: bool
    released_up_to_usd: float | None
    cancel_wanted: bool
    shared_batches: list[Shared]
    retry_wanted: bool
    troubles: list[Trouble] = []
    age_seconds: float | None = None
    documents: list[Document] = []
    failures: list[Failures] = []
    steps: list[Step] = []


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch, as `status` tells of it."""

    batch: int
    state: str
    lane: str = "batch"
    key: str | None = None
    """The NAME of `[keys.NAME]` by which it goes; null for the key of `[api]`."""
    remote_id: str | None
    evidence: str | None
    requests: int
    betas: list[str]
    jobs: list[str]
    planned_at: str | None
    submitted_at: str | None
    expires_at: str | None
    ended_at: str | None
    next_poll_at: str | None
    trouble: str | None
    answers: list[str]


class Untold(msgspec.Struct, frozen=True, kw_only=True):
    """A sink that has not taken what it was offered."""

    sink: str
    waiting: int
    """Notices."""
    since: str
    reason: str


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """One of many workers on one database, as it last said itself."""

    slot: int
    name: str
    sweeps: bool
    """Whether it is the one that takes, packs and delivers."""
    since: str
    heard_at: str
    batches: list[int]
    """Those that it has in hand; one that rests for long is in nobody's."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd status --json` prints."""

    schema: Literal["batchd/status/1"] = "batchd/status/1"
    sandbox: bool = False
    daemon: Daemon
    inbox: Inbox
    outbox: Outbox
    jobs: list[Job]
    batches: list[Batch]
    settings_error: str | None = None
    paused: list[Pause] = []
    untold: list[Untold] = []
    troubles: list[Trouble] = []
    workers: list[Worker] = []
    """Where `fleet.workers` is more than 1."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """How long earlier answers to requests of one kind were."""

    model: str
    max_tokens_from: int
    max_tokens_to: int
    answers: int
    median_output_tokens: int | float
    p95_output_tokens: int | float


class LaterStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step that is asked once those before it have been answered."""

    step: str
    model: str
    requests: int | None
    """None where a list in an answer decides."""
    worst_case_usd: float | None
    """Of each of them."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A file, as `check` tells of it."""

    file: str
    sandbox: bool = False
    ok: bool
    requests: int
    rejected: int
    models: dict[str, int]
    betas: list[str]
    long_requests: int
    sync_requests: int
    continued_requests: int
    errors: list[Problem]
    error_count: int
    cautions: list[Problem]
    worst_case_usd: float | None
    worst_case_standard_usd: float | None
    estimate_usd: float | None
    estimate_standard_usd: float | None
    estimate_saving_usd: float | None
    history: list[Known]
    history_of_sandbox: bool
    expected_usd: float | None
    expected_p95_usd: float | None
    cache: list[str]
    advice: str | None
    later_steps: list[LaterStep] = []
    bounded_by_budget: bool = False


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd check --json` prints."""

    schema: Literal["batchd/check/1"] = "batchd/check/1"
    sandbox: bool = False
    files: list[Checked]


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent in one group: that of a day, a job or a model."""

    day: str | None = None
    job: str | None = None
    model: str | None = None
    sandbox: bool = False
    answers: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    standard_cost_usd: float | None
    reserved_usd: float
    answers_without_a_price: int
    answers_bounded: int


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd costs --json` prints."""

    schema: Literal["batchd/costs/1"] = "batchd/costs/1"
    by: str
    days: int
    sandbox: bool = False
    spent: list[Spent]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that `doctor` looked at."""

    about: str
    health: str
    message: str
    remedy: str


class Doctor(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd doctor --json` prints."""

    schema: Literal["batchd/doctor/1"] = "batchd/doctor/1"
    ok: bool
    findings: list[Finding]


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd submit --json` prints; with `--wait` also what `wait` prints."""

    schema: Literal["batchd/submit/1"] = "batchd/submit/1"
    ticket: str
    job: str | None
    """None while nobody has accepted it, and where it was rejected."""
    rejected: str | None = None
    errors: list[Problem] = []
    count: int = 0


class Waited(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd wait --json` prints of a job; of one that has ended also what its `job.json` says."""

    schema: Literal["batchd/wait/1"] = "batchd/wait/1"
    job: str
    state: str | None
    """Of `job.json`, or `rejected` or `held`; None where the time was up, or there is no such job."""
    errors: list[Problem] = []
    count: int = 0


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the requests of a job that is cancelled."""

    total: int
    ended: int
    unsent: int
    stopped: int
    """On their way: stopped if the API still can."""
    charged: int
    """In batches that go on, since others travel in them."""


class Cancelled(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd cancel --json` prints."""

    schema: Literal["batchd/cancel/1"] = "batchd/cancel/1"
    job: str
    cancelled: bool = False
    """False where only a retry was taken back."""
    again: int | None = None
    requests: Stopped | None = None
    """None where it is being cancelled already."""
    daemon: Daemon


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd retry --json` prints."""

    schema: Literal["batchd/retry/1"] = "batchd/retry/1"
    job: str
    again: int
    anew: int
    worst_case_usd: float | None
    daemon: Daemon


class Mistake(Problem, frozen=True, kw_only=True):
    """One thing that is wrong with what was given to put a job right."""

    file: str


class Amended(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd amend --json` prints."""

    schema: Literal["batchd/amend/1"] = "batchd/amend/1"
    job: str
    sandbox: bool = False
    ticket: str | None = None
    """Of what was dropped; None where something is wrong, and nothing was."""
    replaced: int = 0
    added: int = 0
    worst_case_usd: float | None = None
    """None also where a price is not known."""
    accepted: bool = False
    """Whether the daemon has taken it."""
    daemon: Daemon | None = None
    errors: list[Mistake] = []
    count: int = 0


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd release --json` prints."""

    schema: Literal["batchd/release/1"] = "batchd/release/1"
    job: str
    up_to_usd: float | None
    undecided: list[str]
    daemon: Daemon


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd resolve --json` prints."""

    schema: Literal["batchd/resolve/1"] = "batchd/resolve/1"
    batches: list[int]
    decided: str
    daemon: Daemon
