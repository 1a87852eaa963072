"""The store in numbers, and the metrics that say them: an operator's questions, each answered by a few."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from batchd.decisions import figures
from batchd.decisions.figures import Family, Folders

DURATIONS: Final = (60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400)
"""Seconds by which batches are told apart."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What a folder, model and lane have come to, in USD."""

    queue: str
    model: str
    lane: str
    cost: float
    standard: float
    reserved: float
    unpriced: int


@dataclass(frozen=True, slots=True)
class Measures:
    """The store in numbers."""

    schema: int
    sandbox: bool
    jobs: Mapping[str, int]
    """By state: held, open, finished."""
    batches: Mapping[str, int]
    """By state."""
    requests: Mapping[tuple[str, str], int]
    """By state (waiting, travelling) and folder."""
    waiting_since: Mapping[str, float]
    """By folder, unix seconds."""
    durations: Mapping[str, tuple[tuple[int, ...], float]]
    """By lane: how many batches took up to each of `DURATIONS`, and longer; and their seconds together."""
    oldest_batch: float | None
    oldest_result: float | None
    """Since when results can be had that were not collected."""
    counters: Mapping[tuple[str, str, str], int]
    """By what is counted, its state or verdict, and folder."""
    charges: tuple[Charge, ...]
    today: float
    """USD spent or reserved today."""
    month: float
    """The same of the month."""
    notices: int
    """Deliveries that wait."""
    oldest_notice: float | None
    paused: tuple[str, ...] = field(default=())
    """Folders whose sending is paused; an empty one for all."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Budgets, in USD; 0 for any amount."""

    per_day: float = 0.0
    per_month: float = 0.0


def families_of(measured: Measures, *, queues: int, is_known: Callable[[str], bool], limits: Limits) -> list[Family]:
    """Tell the store in metrics.

    Args:
        measured: What was read.
        queues: Folders that are told apart.
        is_known: Whether a model is one that we know; others are told together.
        limits: Budgets, which are told beside what is used of them.
    """
    known = [
        *(queue for _, queue in measured.requests),
        *(queue for *_, queue in measured.counters),
        *(charge.queue for charge in measured.charges),
    ]
    folder = Folders(known, queues)
    return [
        *_of_work(measured, folder),
        *_of_ends(measured, folder),
        *_of_money(measured, folder, is_known, limits),
        figures.gauge("batchd_notices_pending", "Notices that sinks are still to get.", measured.notices),
        figures.gauge(
            "batchd_oldest_notice_timestamp_seconds", "Since when the oldest of them waits.", measured.oldest_notice
        ),
    ]


def _of_money(measured: Measures, folder: Folders, is_known: Callable[[str], bool], limits: Limits) -> list[Family]:
    def key(queue: str, model: str, lane: str) -> tuple[str, ...]:
        name = model if is_known(model) else figures.OTHER
        return folder(queue), name, lane

    charges = measured.charges
    costs = figures.summed((key(each.queue, each.model, each.lane), each.cost) for each in charges)
    standard = figures.summed((key(each.queue, each.model, each.lane), each.standard) for each in charges)
    kept = figures.largest(costs)
    labels = ("queue", "model", "lane")
    budgets = {"day": limits.per_day, "month": limits.per_month}
    used = {"day": measured.today, "month": measured.month}
    return [
        figures.table("counter", "batchd_cost_usd", "What was charged.", labels, figures.bounded(costs, kept)),
        figures.table(
            "counter",
            "batchd_standard_cost_usd",
            "What the same tokens cost without batches.",
            labels,
            figures.bounded(standard, kept),
        ),
        figures.table(
            "gauge",
            "batchd_reserved_usd",
            "The worst case of what is under way.",
            ("queue",),
            figures.summed(((folder(each.queue),), each.reserved) for each in charges),
        ),
        figures.table(
            "gauge",
            "batchd_budget_limit_usd",
            "What may be spent; absent where that is any amount.",
            ("period",),
            {(period,): limit for period, limit in budgets.items() if limit},
        ),
        figures.table(
            "gauge",
            "batchd_budget_used_usd",
            "What is spent or reserved of it.",
            ("period",),
            {(period,): amount for period, amount in used.items()},
        ),
        figures.table(
            "counter",
            "batchd_unpriced_answers",
            "Answers whose price is not known; they are in no sum.",
            (),
            {(): float(sum(each.unpriced for each in charges))},
        ),
    ]


_JOBS: Final = ("held", "open", "finished")
_BATCHES: Final = ("planned", "intended", "processing", "ended", "held", "settled", "dissolved")


def _of_work(measured: Measures, folder: Folders) -> list[Family]:
    return [
        figures.table(
            "gauge",
            "batchd_jobs",
            "Jobs by state; those that are held wait for a person, or for money.",
            ("state",),
            {(state,): float(measured.jobs.get(state, 0)) for state in _JOBS},
        ),
        figures.table(
            "gauge",
            "batchd_batches",
            "Batches by state; those that are held wait for a person.",
            ("state",),
            {(state,): float(measured.batches.get(state, 0)) for state in _BATCHES},
        ),
        figures.table(
            "gauge",
            "batchd_paused",
            "Whether sending is paused; an empty queue stands for all.",
            ("queue",),
            {("",): 0.0, **{(folder(queue),): 1.0 for queue in measured.paused}},
        ),
        figures.table(
            "gauge",
            "batchd_requests",
            "Requests that wait or travel.",
            ("state", "queue"),
            figures.summed(
                ((state, folder(queue)), float(count)) for (state, queue), count in measured.requests.items()
            ),
        ),
        figures.table(
            "gauge",
            "batchd_oldest_waiting_timestamp_seconds",
            "Since when the oldest waiting request waits.",
            ("queue",),
            _earliest((folder(queue), since) for queue, since in measured.waiting_since.items()),
        ),
        figures.histogram(
            "batchd_batch_duration_seconds",
            "From when a batch was sent to its end.",
            "lane",
            DURATIONS,
            measured.durations,
        ),
        figures.gauge(
            "batchd_oldest_batch_timestamp_seconds",
            "When the oldest batch was sent that has not ended.",
            measured.oldest_batch,
        ),
        figures.gauge(
            "batchd_oldest_uncollected_result_timestamp_seconds",
            "Since when results can be had that were not collected.",
            measured.oldest_result,
        ),
    ]


def _of_ends(measured: Measures, folder: Folders) -> list[Family]:
    def of(name: str) -> dict[tuple[str, ...], float]:
        return figures.summed(
            ((label, folder(queue)), float(count))
            for (what, label, queue), count in measured.counters.items()
            if what == name
        )

    rejected = figures.summed(((queue,), count) for (_, queue), count in of("file").items())
    return [
        figures.table(
            "counter", "batchd_requests_finished", "Requests of finished jobs.", ("verdict", "queue"), of("request")
        ),
        figures.table("counter", "batchd_jobs_finished", "Jobs that have ended.", ("state", "queue"), of("job")),
        figures.table("counter", "batchd_files_rejected", "Files that were refused.", ("queue",), rejected),
        figures.table(
            "counter",
            "batchd_defects",
            "Defects of batchd that something has met.",
            (),
            {(): sum(of("defect").values())},
        ),
    ]


def _earliest(found: Iterable[tuple[str, float]]) -> dict[tuple[str, ...], float]:
    earliest: dict[tuple[str, ...], float] = {}
    for queue, since in found:
        earliest[queue,] = min(since, earliest.get((queue,), since))
    return earliest
