"""What a group of results brings to the folder of each job: decided, then durable there, then acknowledged.

Both run in a worker thread. A job whose share cannot be decided or written keeps nothing from the others.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from batchd.claude import result_line
from batchd.claude.account import trouble_with_account
from batchd.claude.result_line import Line
from batchd.decisions.batch.backoff import pause_before
from batchd.delivery import PARKED, Delivery, Trip
from batchd.edges.outbox import JobFolder
from batchd.errors import Defect, Unavailable
from batchd.journey.documents import Documents
from batchd.model import JobId, Lane, Verdict

Due: TypeAlias = tuple[Trip, Line, bytes]
"""Whose a result is, the result, and its bytes."""


@dataclass(slots=True)
class Share:
    """What of a group belongs to one job."""

    folder: JobFolder
    deliveries: list[Delivery] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    """To be appended to its results, each followed by its end."""
    files: list[tuple[str, str]] = field(default_factory=list)
    """Names relative to the folder, and texts."""


@dataclass(slots=True)
class Group:
    """A group of results, decided; nothing of it is in the outbox yet."""

    rows: frozenset[int] = frozenset()
    shares: dict[JobId, Share] = field(default_factory=dict)
    troubles: dict[JobId, Exception] = field(default_factory=dict)
    """Why the shares of other jobs could not be decided."""


@dataclass(slots=True)
class Written:
    """What of a group is durable, and to be acknowledged."""

    deliveries: list[Delivery] = field(default_factory=list)
    lengths: dict[JobId, int] = field(default_factory=dict)
    troubles: dict[JobId, Exception] = field(default_factory=dict)
    """Why the shares of other jobs are not."""


def decided(outbox: Path, documents: Documents, due: Mapping[int, Due]) -> Group:
    """Decide what becomes of results, by their rows: what is kept of them beside the outbox may be written again."""
    group = Group(rows=frozenset(due))
    for trip, line, raw in due.values():
        if trip.job in group.troubles:
            continue
        share = group.shares.setdefault(trip.job, Share(JobFolder(outbox, trip.job_name)))
        with _apart(trip.job, share.folder, group.troubles):
            _decide(share, documents, trip, line, raw)
    for job in group.troubles:
        del group.shares[job]
    return group


def write(group: Group, lengths: Mapping[JobId, int]) -> Written:
    """Bring a group into the outbox, durably.

    Args:
        lengths: Acknowledged bytes of the results of each of its jobs.
    """
    written = Written(troubles=dict(group.troubles))
    for job, share in group.shares.items():
        with _apart(job, share.folder, written.troubles):
            length = lengths[job]
            share.folder.write_together(share.files)
            if share.lines:
                length = share.folder.append("results.jsonl", length, share.lines).end
            written.deliveries += share.deliveries
            written.lengths[job] = length
    return written


@contextmanager
def _apart(job: JobId, folder: JobFolder, troubles: dict[JobId, Exception]) -> Iterator[None]:
    """Let what one job meets be its own trouble."""
    try:
        yield
    except OSError as error:
        troubles[job] = Unavailable(f"the outbox folder of {folder.name}: {error.strerror or type(error).__name__}")
    except Exception as bug:  # noqa: BLE001  a defect, or a file of ours that somebody has changed: that job's
        troubles[job] = Defect.of(bug, f"job {folder.name}")


def all_of(troubles: Mapping[JobId, Exception]) -> Exception:
    """Name everything that is in the way, as one error; it is tried again soon unless nothing but defects is."""
    waits = [trouble for trouble in troubles.values() if not isinstance(trouble, Defect)]
    said = "; ".join(dict.fromkeys(str(trouble) for trouble in troubles.values()))
    return Unavailable(said) if waits else Defect(said)


def _decide(share: Share, documents: Documents, trip: Trip, line: Line, raw: bytes) -> None:
    if reason := account(line):
        share.deliveries.append(_parked(trip, reason))
        return
    assembled = documents.assemble(trip, line.result)
    share.deliveries.append(paced(trip, assembled.delivery))
    share.files += assembled.files
    if assembled.delivery.verdict is not None or assembled.delivery.following is not None:
        share.lines += (result_line.under(raw, line.custom_id, trip.custom_id), b"\n")


def paced(trip: Trip, delivery: Delivery) -> Delivery:
    """Let a message that was not answered rest, longer each time, before it is sent again; batches take long enough."""
    again = delivery.verdict is None and delivery.following is None
    return replace(delivery, rest=pause_before(trip.attempts)) if again and trip.wishes.lane is Lane.SYNC else delivery


def _parked(trip: Trip, reason: str) -> Delivery:
    """Let a request wait as if it had not been sent: it is not at fault, and nothing was charged."""
    return Delivery(
        row=trip.row,
        request=trip.request,
        outcome=PARKED,
        verdict=Verdict.CANCELED if trip.cancelled else None,
        reason=reason,
        round=trip.round,
    )


def account(line: Line) -> str | None:
    """What is wrong with the account, where a request came back for no other reason."""
    result = line.result
    if result.type != "errored":
        return None
    return trouble_with_account(result.error_type, result.error_message, result.error_code)
