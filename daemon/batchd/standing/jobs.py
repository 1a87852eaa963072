"""A job as data: in which state it is, in a word, and all that `batchd status --json` says of it."""

import re
from collections.abc import Mapping
from typing import Final

from batchd.claude.price import from_picodollars
from batchd.decisions.report import rehearsal, state_of, timestamp, usd
from batchd.delivery import Tally
from batchd.edges.store import JobStanding, Shared, Standing
from batchd.lifecycle import State
from batchd.model import Batch, BatchId, Job, Verdict
from batchd.standing.troubles import trouble_as_data
from batchd.trouble import Work

_AMOUNT: Final = re.compile(r"\$\d(?:[\d,.]*\d)?")
_NAMES: Final = 3
"""Jobs that are named where a batch is shared; more are only mentioned."""


def state(standing: JobStanding, all_: Standing) -> str:
    """Say in a word how a job stands.

    Args:
        standing: The job.
        all_: With every unfinished batch, at least, and what keeps single things.
    """
    job, tally = standing.job, standing.tally
    if job.delivered and not job.retry_wanted:
        return state_of(job, tally)
    if _parked(job, all_):
        return "parked"
    if job.delivered:
        return "to be retried"
    held = {batch.id for batch in all_.batches if batch.state is State.HELD}
    if job.hold is not None or held.intersection(standing.batches):
        return "held"
    return _under_way(job, tally)


def _under_way(job: Job, tally: Tally) -> str:
    if job.cancel_wanted:
        return "cancelling"
    if tally.travelling:
        return "travelling"
    return "waiting" if tally.waiting else "finishing"


def _parked(job: Job, all_: Standing) -> bool:
    """Whether a defect keeps the job from going on."""
    return any(
        trouble.defect and trouble.thing.job == job.id and trouble.thing.work is not Work.NOTE
        for trouble in all_.troubles
    )


def next_poll(standing: JobStanding, batches: Mapping[BatchId, Batch]) -> float | None:
    """Say when the API is asked next about a job's batches; None where no poll is due.

    Args:
        standing: The job.
        batches: Every unfinished batch, at least.
    """
    polled = (batches[batch] for batch in standing.batches if batch in batches)
    due = (batch.next_poll_at for batch in polled if batch.state is State.PROCESSING)
    return min((each for each in due if each is not None), default=None)


def sharing(shared: Shared) -> str:
    """Say why a batch is not stopped for one job."""
    others = ", ".join(shared.others[:_NAMES]) + (" and others" if len(shared.others) > _NAMES else "")
    return f"Batch {shared.batch} is shared with {others}: it goes on, and is charged"


def marked(text: str, job: Job) -> str:
    """A text in which each amount of a rehearsal says that it is one."""
    return _AMOUNT.sub(r"\g<0> (sandbox)", text) if job.sandbox else text


def job_as_data(standing: JobStanding, all_: Standing, waits_for: str | None = None) -> dict[str, object]:
    """Tell of a job in the words of `batchd status --json`; documented in docs/json.md.

    Args:
        standing: The job.
        all_: With every unfinished batch, at least, and what keeps single things.
        waits_for: Why its requests are not sent just now, from `standing.waits`.
    """
    job, tally = standing.job, standing.tally
    batches = {batch.id: batch for batch in all_.batches}
    poll = next_poll(standing, batches)
    return {
        "id": job.id,
        "job": job.name,
        **rehearsal(sandbox=job.sandbox),
        "state": state(standing, all_),
        "source": job.source,
        "received_at": timestamp(job.received_at),
        "finished_at": None if job.finished_at is None else timestamp(job.finished_at),
        "requests": {
            "total": job.total,
            "waiting": tally.waiting,
            "travelling": tally.travelling,
            "complete": tally.verdicts.get(Verdict.COMPLETE, 0),
            "incomplete": sum(count for verdict, count in tally.verdicts.items() if verdict.incomplete),
            "errored": tally.verdicts.get(Verdict.ERRORED, 0),
            "expired": tally.verdicts.get(Verdict.EXPIRED, 0),
            "canceled": tally.verdicts.get(Verdict.CANCELED, 0),
        },
        "batches": list(standing.batches),
        "next_poll_at": None if poll is None else timestamp(poll),
        "cost_usd": usd(tally.cost.charged),
        "standard_cost_usd": usd(tally.cost.standard),
        "waits_for": waits_for,
        "hold": job.hold,
        "held_until": None if job.hold_until is None else timestamp(job.hold_until),
        "released": job.released,
        "released_up_to_usd": None if job.released_up_to is None else float(from_picodollars(job.released_up_to)),
        "cancel_wanted": job.cancel_wanted,
        "shared_batches": [
            {"batch": each.batch, "requests": each.requests, "jobs": list(each.others)} for each in standing.shared
        ],
        "retry_wanted": job.retry_wanted,
        "troubles": [trouble_as_data(each) for each in all_.troubles if each.thing.job == job.id],
    }
