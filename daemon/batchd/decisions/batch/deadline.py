"""Until when a batch may say that it is under way: the API ends each within a day, but not every server does."""

from batchd.model import RemoteBatch

HOUR = 3600.0
LIFE = 24 * HOUR
"""Seconds after which the API expires a batch (docs: batch processing), where it does not say so itself."""
OVERDUE = 2 * HOUR
"""Seconds after its expiry that a batch may still say it is under way."""


def overdue(remote: RemoteBatch, *, submitted_at: float | None, now: float) -> bool:
    """Whether a batch that is not ended should have been long since.

    By the server's time as far as it tells any: ours may have been set meanwhile. A server without `Date`, or one that
    does not say when a batch expires, is held to what the API promises, by our own clock.

    Args:
        remote: As it was told last.
        submitted_at: When we sent it, by our clock, as is `now`.
        now: Unix seconds.
    """
    if remote.server_time is not None and remote.expires_at is not None:
        return remote.server_time > remote.expires_at + OVERDUE
    return submitted_at is not None and now > submitted_at + LIFE + OVERDUE
