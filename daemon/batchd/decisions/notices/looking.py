"""What is worth a notice though nothing has happened just now: found by looking, and told once for its subject."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from batchd.decisions.report import timestamp
from batchd.notice import Kind, NewNotice
from batchd.text.strictjson import Json

STEPS: Final = (80, 100)
"""Per cent of a budget."""
OVERDUE: Final = 25 * 3600.0
"""Seconds after which a batch should have ended: the API ends each within 24 hours."""
EXPIRING: Final = 25 * 86_400.0
"""Seconds after which results should be collected."""
KEPT: Final = 29 * 86_400.0
"""Seconds for which the API keeps results (docs: batch processing)."""
ROOM_AGAIN: Final = 1.1
"""By how much more than the limit is to be free before a disk is said to have room again."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget and what is spent or reserved of it, in USD."""

    of: str
    """day or month."""
    period: str
    """Which one, as `2026-11-27`."""
    limit: float
    used: float
    exhausted: bool = False
    """Whether something is held by it."""
    queue: str | None = None
    """Whose it is; None for all."""


@dataclass(frozen=True, slots=True)
class OldBatch:
    """A batch that was sent a while ago, and whose results are not collected."""

    id: int
    requests: int
    submitted_at: float
    processing: bool


def reached(budget: Budget, now: float) -> Iterator[NewNotice]:
    """Tell which steps of a budget are reached."""
    if budget.limit <= 0:
        return
    used = 100 * budget.used / budget.limit
    for step in STEPS:
        if used >= step or budget.exhausted:
            whose = "all" if budget.queue is None else f"folder {budget.queue}"
            yield NewNotice(
                Kind.BUDGET_REACHED,
                f"budget {whose} {budget.of} {budget.period} {step}",
                now,
                {
                    "of": budget.of,
                    "period": budget.period,
                    "folder": budget.queue,
                    "percent": step,
                    "limit_usd": budget.limit,
                    "used_usd": round(budget.used, 6),
                },
                queue=budget.queue,
            )


def late(batches: Iterable[OldBatch], now: float) -> Iterator[NewNotice]:
    """Tell which batches should have ended, and whose results are deleted soon."""
    for each in batches:
        told: dict[str, Json] = {
            "batch": each.id,
            "requests": each.requests,
            "submitted_at": timestamp(each.submitted_at),
            "gone_at": timestamp(each.submitted_at + KEPT),
        }
        if each.processing and now - each.submitted_at >= OVERDUE:
            yield NewNotice(Kind.BATCH_OVERDUE, f"batch {each.id}", now, told)
        if now - each.submitted_at >= EXPIRING:
            yield NewNotice(Kind.RESULTS_EXPIRING, f"batch {each.id}", now, told)


def digest_due(now: datetime, at: str, began: datetime, last: datetime | None) -> datetime | None:
    """Say for which moment a digest is due; None where none is.

    Args:
        now: By the machine's clock, in its zone.
        at: As `07:30`.
        began: When this process did.
        last: When there was one last; None where there was none yet.
    """
    hour, minute = map(int, at.split(":"))
    moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if moment > now:
        moment -= timedelta(days=1)
    if last is not None and last >= moment:
        return None
    # What lies before the first start is nobody's day; after a longer stop one digest tells of all.
    return moment if moment >= began or last is not None else None
