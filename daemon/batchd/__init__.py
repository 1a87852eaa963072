"""batchd: files in, long documents out, through Claude's Message Batches API.

For programs: `from batchd import submit, wait, results`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchd.client import Held, Job, Refused, Row, Ticket, results, submit, wait

__all__ = ["Held", "Job", "Refused", "Row", "Ticket", "results", "submit", "wait"]


def __getattr__(name: str) -> object:
    """Import what programs use when they use it: the command needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from batchd import client  # noqa: PLC0415  see above

    return getattr(client, name)
