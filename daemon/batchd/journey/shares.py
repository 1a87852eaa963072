"""What a group of results brings to the folder of each job: durable there, before it is acknowledged.

It runs in a worker thread. A job whose share cannot be written keeps nothing from the others.
"""

from collections.abc import Iterable, Mapping
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
class Written:
    """What of a group is durable, and to be acknowledged."""

    deliveries: list[Delivery] = field(default_factory=list)
    lengths: dict[JobId, int] = field(default_factory=dict)
    troubles: dict[JobId, Exception] = field(default_factory=dict)
    """Why the shares of other jobs are not."""


def write(outbox: Path, documents: Documents, due: Iterable[Due], lengths: dict[JobId, int]) -> Written:
    """Bring a group into the outbox, durably; a job whose share cannot be written keeps nothing from the others."""
    written = Written()
    shares: dict[JobId, list[Due]] = {}
    for each in due:
        shares.setdefault(each[0].job, []).append(each)
    for job, share in shares.items():
        folder = JobFolder(outbox, share[0][0].job_name)
        try:
            deliveries, length = _write_share(folder, documents, share, lengths[job])
        except OSError as error:
            said = f"the outbox folder of {folder.name}: {error.strerror or type(error).__name__}"
            written.troubles[job] = Unavailable(said)
            continue
        except Exception as bug:  # noqa: BLE001  a defect, or a file of ours that somebody has changed: that job's
            written.troubles[job] = Defect.of(bug, f"job {folder.name}")
            continue
        written.deliveries += deliveries
        written.lengths[job] = length
    return written


def all_of(troubles: Mapping[JobId, Exception]) -> Exception:
    """Name everything that is in the way, as one error; it is tried again soon unless nothing but defects is."""
    waits = [trouble for trouble in troubles.values() if not isinstance(trouble, Defect)]
    said = "; ".join(dict.fromkeys(str(trouble) for trouble in troubles.values()))
    return Unavailable(said) if waits else Defect(said)


def _write_share(folder: JobFolder, documents: Documents, share: list[Due], length: int) -> tuple[list[Delivery], int]:
    deliveries: list[Delivery] = []
    lines: list[bytes] = []
    names: list[str] = []
    for trip, line, raw in share:
        if reason := account(line):
            deliveries.append(_parked(trip, reason))
            continue
        assembled = documents.assemble(trip, line.result)
        deliveries.append(paced(trip, assembled.delivery))
        for name, text in assembled.files:
            folder.write_whole(name, [text.encode()])
            names.append(name)
        if assembled.delivery.verdict is not None or assembled.delivery.following is not None:
            lines += (result_line.under(raw, line.custom_id, trip.custom_id), b"\n")
    if lines:
        length = folder.append("results.jsonl", length, lines).end
    if lines or names:
        folder.sync(names)
    return deliveries, length


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
