"""Whether what was dropped is what was dropped before: by mistake, and then a person is asked, or on purpose."""

from collections.abc import Iterable
from typing import NamedTuple

from batchd.decisions.report import timestamp


class Before(NamedTuple):
    """A job of the same bytes, name, folder and instructions."""

    name: str
    received_at: float
    finished_at: float | None
    """Unix seconds; None while it has not finished."""
    came_to_nothing: bool
    """Whether it was cancelled, or failed: then it is no wonder that it comes again."""
    held: bool
    """Whether it waits itself for the same question."""


class Twin(NamedTuple):
    """What is to be said of a job that came before."""

    of: str
    reason: str
    held: bool
    """Whether it waits for a person; else its user is told when it has finished."""


def twin_among(before: Iterable[Before], again_from: float) -> Twin | None:
    """Decide what is to be said of what was dropped again; nothing, where it is new.

    Args:
        again_from: A job that has finished before this moment, in unix seconds, holds nothing any more.
    """
    found = [each for each in before if not each.came_to_nothing]
    fresh = [each for each in found if each.finished_at is None or each.finished_at >= again_from]
    if not found:
        return None
    newest = max(fresh or found, key=lambda each: (not each.held, each.received_at))
    said = f"the same bytes as {newest.name}, received {timestamp(newest.received_at)}"
    return Twin(newest.name, said if fresh else f"{said}: sent again", bool(fresh))
