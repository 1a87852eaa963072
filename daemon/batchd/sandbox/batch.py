"""One batch as a function of time: nothing has to run for it to end."""

from dataclasses import dataclass
from datetime import UTC, datetime

from batchd.sandbox.checks import Terms

STATES = ("succeeded", "errored", "canceled", "expired")


@dataclass(frozen=True, slots=True)
class Batch:
    """What was agreed when it was created, and what was done to it since; all times are Unix seconds."""

    number: int
    """Counts up, so a newer batch has a greater one."""
    id: str
    count: int
    created_at: float
    done_at: float
    """When the last request is done, if nothing happens before; infinite if never."""
    expires_at: float
    listed_at: float
    """From when on lists show it."""
    canceled_at: float | None
    cancel_duration: float
    deleted_at: float | None
    terms: Terms

    @property
    def ends_at(self) -> float:
        """When its results can be read."""
        if self.done_at == float("inf"):
            return self.done_at
        canceled = float("inf") if self.canceled_at is None else self.canceled_at + self.cancel_duration
        return min(self.done_at, self.expires_at, canceled)

    @property
    def cutoff(self) -> float:
        """Seconds after its creation; requests that take longer are not processed."""
        stop = self.expires_at if self.canceled_at is None else min(self.expires_at, self.canceled_at)
        return stop - self.created_at

    @property
    def unprocessed(self) -> str:
        """What becomes of requests that take longer than the cutoff."""
        return "expired" if self.canceled_at is None or self.canceled_at > self.expires_at else "canceled"

    def status(self, now: float) -> str:
        """`in_progress`, `canceling` or `ended`.

        Args:
            now: Unix seconds.
        """
        if now >= self.ends_at:
            return "ended"
        return "in_progress" if self.canceled_at is None else "canceling"


def describe(
    batch: Batch, counts: dict[str, int] | None, now: float, base_url: str, archived_at: float
) -> dict[str, object]:
    """The batch as the API shows it.

    Args:
        counts: How many requests ended how; None while it is under way.
        now: Unix seconds.
        base_url: Where results are fetched, as the caller knows this server.
        archived_at: Unix seconds after which results cannot be downloaded.
    """
    ended = counts is not None
    shown = counts or {}
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": batch.status(now),
        "request_counts": {
            "processing": 0 if ended else batch.count,
            **{state: shown.get(state, 0) for state in STATES},
        },
        "created_at": timestamp(batch.created_at),
        "expires_at": timestamp(batch.expires_at),
        "ended_at": timestamp(batch.ends_at) if ended else None,
        "cancel_initiated_at": None if batch.canceled_at is None else timestamp(batch.canceled_at),
        "archived_at": timestamp(archived_at) if now >= archived_at else None,
        "results_url": f"{base_url}/v1/messages/batches/{batch.id}/results" if ended else None,
    }


def timestamp(seconds: float) -> str:
    """RFC 3339 with microseconds, as the API writes it.

    Args:
        seconds: Unix seconds.
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
