"""The notice of a job that has come to its end."""

from collections.abc import Iterable
from dataclasses import dataclass

from batchd.decisions.report import state_of, summary
from batchd.delivery import Tally
from batchd.model import Job, Verdict
from batchd.notice import Kind, NewNotice, queue_of
from batchd.text.strictjson import Json

MOST_REASONS = 20
"""Reasons that are told; the most frequent."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why requests are not complete, in codes."""

    verdict: Verdict
    code: str
    """A stop reason, or the type of an error; empty where there is none."""
    count: int


def finished(job: Job, tally: Tally, reasons: Iterable[Reason] = ()) -> NewNotice:
    """Say that a job has ended.

    Args:
        job: With the moment at which it finished.
        tally: How its requests ended.
        reasons: Why some are not complete, the most frequent first.
    """
    whole = summary(job, tally, [])
    told: dict[str, Json] = {
        "job": job.name,
        "queue": queue_of(job.name),
        "state": state_of(job, tally),
        "source": job.source,
        "requests": {**_counts(whole["requests"])},
        "reasons": [{"verdict": each.verdict.value, "code": each.code, "count": each.count} for each in reasons],
        "cost_usd": None if tally.cost.charged is None else float(tally.cost.charged),
        "sandbox": job.sandbox,
    }
    verdicts = {verdict.value: count for verdict, count in tally.verdicts.items()}
    at = job.finished_at or job.received_at
    # It may finish again, once it was opened again.
    return NewNotice(
        Kind.JOB_FINISHED, f"job {job.id} {at:.6f}", at, told, job.id, queue_of(job.name), verdicts=verdicts
    )


def _counts(requests: object) -> dict[str, int]:
    return dict(requests) if isinstance(requests, dict) else {}
