"""What is paused, in the words of `batchd status --json` and of `outbox/paused.json`."""

from batchd.decisions.report import timestamp
from batchd.edges.store import Pause


def pause_as_data(pause: Pause) -> dict[str, object]:
    """Tell of a pause; documented in docs/json.md."""
    return {
        "folder": pause.folder,
        "since": timestamp(pause.since),
        "until": None if pause.until is None else timestamp(pause.until),
        "by": pause.by,
        "reason": pause.reason,
    }
