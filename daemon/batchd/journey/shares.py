"""What a group of results brings to the folder of each job: decided, then written there, then made durable.

All of it runs in worker threads. A job whose share cannot be decided or written keeps nothing from the others.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import msgspec

from batchd.claude import result_line
from batchd.claude.account import trouble_with_account
from batchd.claude.result_line import Line
from batchd.decisions.batch.backoff import pause_before
from batchd.delivery import PARKED, Delivery, Trip
from batchd.edges import disk
from batchd.edges.durable import Together
from batchd.edges.outbox import RESULTS, JobFolder
from batchd.edges.whole_files import by_folder
from batchd.errors import Defect, Unavailable
from batchd.journey.documents import Documents
from batchd.model import JobId, Lane, Verdict

Due: TypeAlias = tuple[Trip, Line, bytes]
"""Whose a result is, the result, and its bytes."""


Troubles: TypeAlias = dict[JobId, Exception]
"""What keeps the shares of some jobs from their folders."""


@dataclass(slots=True)
class Share:
    """What of a group belongs to one job."""

    folder: JobFolder
    deliveries: list[Delivery] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    """To be appended to its results, each followed by its end; none once they are written."""
    files: list[tuple[str, str]] = field(default_factory=list)
    """Names relative to the folder, and texts; none once they are written."""
    names: list[str] = field(default_factory=list)
    """Of files that are written and to be named."""


@dataclass(slots=True)
class Group:
    """A group of results, decided."""

    rows: frozenset[int] = frozenset()
    shares: dict[JobId, Share] = field(default_factory=dict)
    troubles: Troubles = field(default_factory=dict)
    """Why the shares of other jobs could not be decided."""

    @property
    def lines(self) -> int:
        """How many are to be written."""
        return sum(len(share.lines) // 2 for share in self.shares.values())

    @property
    def size(self) -> int:
        """Bytes of those lines."""
        return sum(map(len, chain.from_iterable(share.lines for share in self.shares.values())))


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


def write_documents(shares: Mapping[JobId, Share]) -> Troubles:
    """Write the documents of a group under hidden names, not durably."""
    troubles: Troubles = {}
    for job, share in shares.items():
        with _apart(job, share.folder, troubles):
            share.folder.write_hidden(share.files)
            share.names = [name for name, _ in share.files]
        share.files = []
    return troubles


def write_lines(shares: Mapping[JobId, Share], ends: Mapping[JobId, int]) -> tuple[dict[JobId, int], Troubles]:
    """Append the lines of a group, not durably.

    Args:
        ends: Where the lines of each job end.

    Returns:
        Where they end now, and what kept others from that.
    """
    now: dict[JobId, int] = {}
    troubles: Troubles = {}
    for job, share in shares.items():
        with _apart(job, share.folder, troubles):
            end = ends[job]
            now[job] = share.folder.append(RESULTS, end, share.lines, sync=False).end if share.lines else end
        share.lines = []
    return now, troubles


def make_durable(shares: Iterable[tuple[JobId, Share]], together: Together) -> Troubles:
    """Make what was written durable, documents with their names.

    Raises:
        OSError: The disk refuses: nothing written since the last time may be taken for durable.
    """
    folders: dict[JobId, tuple[JobFolder, list[str]]] = {}
    for job, share in shares:
        folders.setdefault(job, (share.folder, []))[1].extend(share.names)
    for folder, names in folders.values():
        together.note(folder.outbox, folder.inside())
        together.note(folder.outbox, folder.inside(RESULTS))
        for below, those in by_folder(names).items():
            together.note_made(folder.outbox, folder.inside(below), map(disk.hidden, those))
    together.sync()
    troubles: Troubles = {}
    for job, (folder, names) in folders.items():
        with _apart(job, folder, troubles):
            folder.give_names(names)
        for below in by_folder(names):
            together.note(folder.outbox, folder.inside(below))
            for parent in folder.inside(below).parents:
                together.note(folder.outbox, parent)
    together.sync()
    return troubles


@contextmanager
def _apart(job: JobId, folder: JobFolder, troubles: Troubles) -> Iterator[None]:
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
    if not again or trip.wishes.lane is not Lane.SYNC:
        return delivery
    return msgspec.structs.replace(delivery, rest=pause_before(trip.attempts))


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
