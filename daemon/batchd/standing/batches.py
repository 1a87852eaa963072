"""A batch as data: all that `batchd status --json` says of it, and with what a person answers where it is held."""

from batchd.decisions.report import timestamp
from batchd.lifecycle import State
from batchd.model import Batch, Lane, RemoteId


def answers(batch: Batch) -> list[str]:
    """List the commands with which a person can decide about a held batch; none for any other."""
    if batch.state is not State.HELD:
        return []
    known = batch.remote_id or RemoteId("ID")
    # No list shows a single message, so there is nothing to adopt.
    adopt = [f"--adopt {known}"] if batch.lane is Lane.BATCH else []
    return [f"batchd resolve {batch.id} {answer}" for answer in (*adopt, "--resend", "--drop")]


def batch_as_data(batch: Batch, jobs: list[str]) -> dict[str, object]:
    """Tell of a batch in the words of `batchd status --json`.

    Args:
        batch: Any.
        jobs: The names of the shown jobs that travel in it.
    """

    def told(unix: float | None) -> str | None:
        return None if unix is None else timestamp(unix)

    return {
        "batch": batch.id,
        "state": batch.state,
        "lane": batch.lane,
        "key": batch.account or None,
        "remote_id": batch.remote_id,
        "evidence": batch.evidence,
        "requests": batch.count,
        "betas": batch.betas,
        "jobs": jobs,
        "planned_at": told(batch.planned_at),
        "submitted_at": told(batch.submitted_at),
        "expires_at": told(batch.expires_at),
        "ended_at": told(batch.ended_at),
        "next_poll_at": told(batch.next_poll_at) if batch.state is State.PROCESSING else None,
        "trouble": batch.trouble,
        "answers": answers(batch),
    }
