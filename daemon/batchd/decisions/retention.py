"""What has been kept long enough: which folders, refused files and rows go, and why the others stay."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from batchd.model import JobId

DAY = 86_400.0


class What(StrEnum):
    """What may be removed."""

    OUTBOX = "outbox"
    """The folders of finished jobs."""
    DOCUMENTS_ONLY = "documents_only"
    """In the folders of finished jobs, what was asked; their results are packed."""
    REJECTED = "rejected"
    """What was refused, with its reasons."""
    ROWS = "rows"
    """Requests and trips of finished jobs; the job, its name and its sums stay."""


@dataclass(frozen=True, slots=True)
class Aged:
    """A job, as far as its age decides about it."""

    job: JobId
    name: str
    claim: str
    requests: int
    finished_at: float | None
    """Unix seconds; None while it has not finished."""
    wanted_again: bool
    """Whether a person has asked for it to be sent again."""
    has_folder: bool
    has_rows: bool
    is_packed: bool = False
    """Whether its results are packed already."""
    holds_others: bool = False
    """Whether folders of other jobs lie in its own."""
    going: frozenset[What] = frozenset()
    """What a crash has left half removed."""


@dataclass(frozen=True, slots=True)
class Going:
    """What goes of a job."""

    what: What
    aged: Aged


@dataclass(frozen=True, slots=True)
class Staying:
    """What stays of a job, and why."""

    what: What
    aged: Aged
    reason: str


def days_of(
    *, outbox: int, documents_only: int, rejected: int, rows: int, only: Collection[What] = frozenset(What)
) -> dict[What, float]:
    """How long each is kept that is not kept for ever."""
    kept = {What.OUTBOX: outbox, What.DOCUMENTS_ONLY: documents_only, What.REJECTED: rejected, What.ROWS: rows}
    return {what: float(days) for what, days in kept.items() if days and what in only}


def decide(jobs: Iterable[Aged], days: Mapping[What, float], now: float) -> tuple[list[Going], list[Staying]]:
    """Say what goes of some jobs, and what stays though it was asked for.

    Args:
        jobs: Any.
        days: How long each is kept; what is not named, or 0, is kept for ever.
        now: Unix seconds.
    """
    going: list[Going] = []
    staying: list[Staying] = []
    for aged in jobs:
        there = {
            What.OUTBOX: aged.has_folder,
            What.DOCUMENTS_ONLY: aged.has_folder and not aged.is_packed,
            What.ROWS: aged.has_rows,
        }
        for what, is_there in there.items():
            if not is_there or not days.get(what):
                continue
            if what is What.DOCUMENTS_ONLY and going and going[-1] == Going(What.OUTBOX, aged):
                continue  # all of it goes
            if (reason := _stays(what, aged, days[what], now)) is None:
                going.append(Going(what, aged))
            else:
                staying.append(Staying(what, aged, reason))
    return going, staying


def _stays(what: What, aged: Aged, days: float, now: float) -> str | None:
    if aged.finished_at is None:
        return "it has not finished"
    if aged.wanted_again:
        return "it is to be sent again"
    if now - aged.finished_at < days * DAY:
        return f"it finished less than {days:g} days ago"
    if what is What.OUTBOX and aged.holds_others:
        return "other jobs lie in it"
    return None
