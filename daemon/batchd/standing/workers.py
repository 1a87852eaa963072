"""The workers of one database, in the words of `batchd status --json`."""

from batchd.decisions.report import timestamp
from batchd.edges.store import AtWork


def worker_as_data(seen: AtWork) -> dict[str, object]:
    """Tell of a worker; documented in docs/json.md."""
    worker = seen.worker
    return {
        "slot": worker.slot,
        "name": worker.name,
        "sweeps": worker.sweeps,
        "since": timestamp(worker.began_at),
        "heard_at": timestamp(worker.heard_at),
        "batches": list(seen.batches),
    }
