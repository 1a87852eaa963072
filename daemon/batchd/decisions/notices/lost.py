"""Notices of what a lost life has brought to an end, from what lies in the outbox: nobody may have been told of it."""

from batchd.decisions.report import timestamp
from batchd.formats.jobs import Job
from batchd.notice import Kind, NewNotice, queue_of
from batchd.text.strictjson import Json


def finished(job: Job, at: float) -> NewNotice:
    """Say that a job has ended of which the state knows nothing; why requests failed stands in its report alone.

    Args:
        job: As its `job.json` tells it.
        at: When that was, in unix seconds.
    """
    counts = job.requests
    told: dict[str, Json] = {
        "job": job.job,
        "queue": queue_of(job.job),
        "state": job.state,
        "source": job.source,
        "requests": {
            "total": counts.total,
            "complete": counts.complete,
            "incomplete": counts.incomplete,
            "errored": counts.errored,
            "expired": counts.expired,
            "canceled": counts.canceled,
            "rejected": counts.rejected,
        },
        "reasons": [],
        "cost_usd": job.cost_usd,
        "sandbox": job.sandbox,
    }
    return NewNotice(Kind.JOB_FINISHED, f"lost {job.job} {timestamp(at)}", at, told, queue=queue_of(job.job))


def rejected(file: str, source: str, errors: int, at: float) -> NewNotice:
    """Say that a file was rejected of which the state knows nothing.

    Args:
        file: Its path below `rejected/`.
        source: What it was called in the inbox, as far as that is known.
        errors: How many things are wrong with it.
        at: When that was, in unix seconds.
    """
    told: dict[str, Json] = {"file": file, "queue": queue_of(source), "source": source, "errors": errors}
    return NewNotice(Kind.FILE_REJECTED, f"lost {file} {timestamp(at)}", at, told, queue=queue_of(source))
