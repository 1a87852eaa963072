"""A file that was taken."""

from dataclasses import dataclass
from enum import StrEnum

from batchd.model.ids import JobId
from batchd.model.request import RowsForm
from batchd.model.steps import Steps


class StepBar(StrEnum):
    """What keeps the next step of a job until a person has answered."""

    ANSWERS = "answers"
    """Answers that it needs are not complete."""
    MONEY = "money"
    """A list is longer than the budget has room for."""
    PROMPTS = "prompts"
    """Its requests cannot be made of the answers."""
    RESTORED = "restored"
    """The state was restored, and what was sent of it is not known."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a folder's instructions let all jobs that belong to them cost in a day, together."""

    folder: str
    """In which they lie, below the inbox."""
    budget: int | None
    """Picodollars; None for any amount."""


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
    rejected: int = 0
    """Requests of its file that were left out, and are not counted in `total`."""
    rows: RowsForm | None = None
    """How its rows stand in its file; None where its requests are no rows."""
    twin: str | None = None
    """The job that it seems to be once more, and is held for; None where it is held for no such reason."""
    caution: str | None = None
    """What its user should know of it as a whole."""
    uid: int | None = None
    """Of the user who dropped it; None where that is not known."""
    sandbox: bool = False
    """Whether it is a rehearsal, which the sandbox answers."""
    steps: Steps | None = None
    """What is asked one after the other; None where all of it was asked at once."""
    steps_left: int = 0
    """How many of them are still to be taken, the one under way included."""
    steps_passed: int = 0
    """What is not complete of the steps before this one, it goes on without."""
    step_entries: int | None = None
    """Of the step under way, how many entries its list has; None where all are asked."""
    steps_note: str | None = None
    """Why a step asked nothing at all."""
    step_bar: StepBar | None = None
    """What its next step waits for; None where `hold` is not about that."""
    later: int = 0
    """Picodollars that are reserved for requests that are still to be made."""
    pruned: bool = False
    """Whether its folder or its requests were removed for their age: nothing of it can be sent again."""
