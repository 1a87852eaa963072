"""Whether a list of batches is what the API promises: newest first, each entry once."""

from collections.abc import Sequence
from itertools import pairwise

from batchd.model import RemoteId


def oddity(ids: Sequence[RemoteId], created_at: Sequence[float]) -> str | None:
    """Say in what a list is odd, so that its order proves nothing; None where it is as it should be.

    Args:
        ids: As they came.
        created_at: Of the same batches, unix seconds. Two of one moment may stand either way.
    """
    if len(set(ids)) < len(ids):
        return "lists batches more than once"
    if any(before < after for before, after in pairwise(created_at)):
        return "does not list the newest batches first"
    return None
