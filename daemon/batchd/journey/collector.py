"""The last leg: the results of an ended batch are read as a stream and delivered to their jobs, group by group.

Each group is durable in the outbox first and acknowledged in the store after that. A crash in between leaves bytes
behind the acknowledged length, which the next delivery cuts off and writes again, the same.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import anyio
import structlog
from anyio import to_thread

from batchd.claude import batch_body, result_line
from batchd.claude.result_line import Line
from batchd.decisions.batch.backoff import pause_before
from batchd.delivery import Delivery, Trip
from batchd.edges.clock import Clock
from batchd.edges.outbox import JobFolder
from batchd.edges.store import Store
from batchd.errors import Defect, Garbled, NotOurs, Unavailable
from batchd.journey.documents import Documents
from batchd.model import Batch, BatchId, Evidence, JobId, Lane, Sending

log = structlog.get_logger()

GROUP_LINES = 512
GROUP_BYTES = 1 << 20
"""A group is delivered when it has this many lines or bytes: what a crash makes us read and write again."""
STREAMS = 16
"""Result streams that are read at one time, each with a group in memory: hundreds of batches may end at once."""
WHOLE_READS = 3
"""Readings of a whole result stream after which a request that is not in it counts as lost by the API."""

Results: TypeAlias = Callable[[Batch], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Opens the results of an ended batch as a stream of bytes."""

_Due: TypeAlias = tuple[Trip, Line | None, bytes]
"""Whose a result is, the result, and its bytes; None for one that the API has lost."""


class Collector:
    """Delivers results, of any number of batches at one time."""

    def __init__(  # noqa: PLR0913  the edges it works with
        self,
        store: Store,
        clock: Clock,
        outbox: Path,
        documents: Documents,
        max_attempts: int,
        results: Mapping[Lane, Results],
    ) -> None:
        """Make ready.

        Args:
            store: Where requests stand.
            clock: What moments are told by.
            outbox: Where results go.
            editor: Who judges them.
            max_attempts: Sendings of one request, the first included.
            results: Where results are, by the lane on which their batch went.
        """
        self._store = store
        self._results = results
        self._clock = clock
        self._outbox = outbox
        self._documents = documents
        self._max_attempts = max_attempts
        # Groups of several batches may end in one job's file; the disk is one in any case, and so is what is decoded.
        self._at_the_outbox = anyio.Lock()
        self._streams = anyio.Semaphore(STREAMS)
        self._whole_reads: dict[BatchId, int] = {}

    async def collect(self, batch: Batch) -> Batch:
        """Deliver what an ended batch has brought, and settle it.

        Args:
            batch: An ended one.

        Raises:
            Unavailable: The stream was cut, or lines are missing: read it again later.
            Gone: The API has no results (yet, or any more).
        """
        troubles: dict[JobId, Exception] = {}
        try:
            async with (
                self._streams,
                self._results[batch.lane](batch) as pieces,
                aclosing(_groups(result_line.lines(pieces))) as groups,
            ):
                async for group in groups:
                    async with self._at_the_outbox:
                        troubles |= await self._deliver_group(batch, group)
        except NotOurs as error:
            return await self._give_back(batch, str(error))
        if troubles:
            raise _all_of(troubles)
        missing = await self._store.deliveries.undelivered_rows(batch.id, GROUP_LINES)
        if missing:
            self._read_again_at_first(batch, f"its results lack at least {len(missing)} of {batch.count} lines")
            log.error("results incomplete", batch=batch.id, missing=len(missing))
            while missing:
                async with self._at_the_outbox:
                    troubles = await self._deliver(batch, [(row, None, b"") for row in missing])
                if troubles:
                    raise _all_of(troubles)
                missing = await self._store.deliveries.undelivered_rows(batch.id, GROUP_LINES)
        self._whole_reads.pop(batch.id, None)
        return await self._store.batches.settle(batch)

    async def _give_back(self, batch: Batch, reason: str) -> Batch:
        """Look again for a batch that was only believed to be ours; what the API itself named needs a person.

        For then its results were spoiled on their way, or its answer was: to send again might be to pay again.
        """
        if batch.evidence is not Evidence.COUNT:
            self._read_again_at_first(batch, reason)
            reason = f"{reason}, although the API named it"
            return await self._store.batches.hold(batch, reason)
        log.warning("batch was another's", batch=batch.id, remote=batch.remote_id, reason=reason)
        return await self._store.batches.give_back(batch)

    def _read_again_at_first(self, batch: Batch, reason: str) -> None:
        reads = self._whole_reads[batch.id] = self._whole_reads.get(batch.id, 0) + 1
        if reads < WHOLE_READS:
            raise Unavailable(reason)

    async def _deliver_group(self, batch: Batch, group: list[bytes]) -> dict[JobId, Exception]:
        """Deliver what is ours of a group, and return what kept the share of some job from its folder."""
        read = await to_thread.run_sync(_read, group, self._store.installation, batch.nonce)
        rows = await self._store.trips.rows_of(batch.id, [sending for sending, _, _ in read.sent])
        read.ours += ((rows[sending], line, raw) for sending, line, raw in read.sent if sending in rows)
        read.foreign += sum(sending not in rows for sending, _, _ in read.sent)
        if not read.ours and read.foreign and batch.evidence is not Evidence.NONCE:
            raise NotOurs("its results carry other ids")
        if read.ours and batch.evidence is not Evidence.NONCE:
            await self._store.batches.prove(batch)
        if read.foreign or read.garbled:
            log.warning("lines passed over", batch=batch.id, foreign=read.foreign, garbled=read.garbled)
        return await self._deliver(batch, read.ours)

    async def _deliver(self, batch: Batch, lines: list[tuple[int, Line | None, bytes]]) -> dict[JobId, Exception]:
        trips = await self._store.deliveries.trips(batch.id, (row for row, _, _ in lines), self._max_attempts)
        due: dict[int, _Due] = {}
        for row, line, raw in lines:
            if row in trips and not trips[row].delivered:
                due.setdefault(row, (trips[row], line, raw))
        if not due:
            return {}
        jobs = {trip.job for trip, _, _ in due.values()}
        lengths = {job: await self._store.deliveries.results_length(job) for job in jobs}
        # Once begun it is finished, so that a stop never leaves work behind that was acknowledged to nobody.
        with anyio.CancelScope(shield=True):
            written = await to_thread.run_sync(_write, self._outbox, self._documents, list(due.values()), lengths)
            await self._store.deliveries.deliver(batch, written.deliveries, written.lengths, now=self._clock.now())
            await to_thread.run_sync(self._documents.forget, written.deliveries)
        return written.troubles


class _Read:
    """What a group of lines turned out to be."""

    def __init__(self) -> None:
        self.sent: list[tuple[Sending, Line | None, bytes]] = []
        """What carries our tag; whether this batch has it, the store knows."""
        self.ours: list[tuple[int, Line | None, bytes]] = []
        self.foreign = 0
        self.garbled = 0


def _read(group: Iterable[bytes], tag: str, nonce: str) -> _Read:
    found = _Read()
    for raw in group:
        try:
            line = result_line.read(raw)
        except Garbled:
            found.garbled += 1
            continue
        if (sending := batch_body.sending_of(line.custom_id, tag)) is not None:
            found.sent.append((sending, line, raw))
        elif (row := batch_body.row_of(line.custom_id, nonce)) is not None:
            found.ours.append((row, line, raw))
        else:
            found.foreign += 1
    return found


@dataclass(slots=True)
class _Written:
    """What of a group is durable, and to be acknowledged."""

    deliveries: list[Delivery] = field(default_factory=list)
    lengths: dict[JobId, int] = field(default_factory=dict)
    troubles: dict[JobId, Exception] = field(default_factory=dict)
    """Why the shares of other jobs are not."""


def _write(outbox: Path, documents: Documents, due: Iterable[_Due], lengths: dict[JobId, int]) -> _Written:
    """Bring a group into the outbox, durably; a job whose share cannot be written keeps nothing from the others."""
    written = _Written()
    shares: dict[JobId, list[_Due]] = {}
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


def _all_of(troubles: Mapping[JobId, Exception]) -> Exception:
    """Name everything that is in the way, as one error; it is tried again soon unless nothing but defects is."""
    waits = [trouble for trouble in troubles.values() if not isinstance(trouble, Defect)]
    said = "; ".join(dict.fromkeys(str(trouble) for trouble in troubles.values()))
    return Unavailable(said) if waits else Defect(said)


def _write_share(folder: JobFolder, documents: Documents, share: list[_Due], length: int) -> tuple[list[Delivery], int]:
    deliveries: list[Delivery] = []
    lines: list[bytes] = []
    names: list[str] = []
    for trip, line, raw in share:
        assembled = documents.assemble(trip, None if line is None else line.result)
        deliveries.append(_paced(trip, assembled.delivery))
        for name, text in assembled.files:
            folder.write_whole(name, [text.encode()])
            names.append(name)
        if line is not None and (assembled.delivery.verdict is not None or assembled.delivery.following is not None):
            lines += (result_line.under(raw, line.custom_id, trip.custom_id), b"\n")
    if lines:
        length = folder.append("results.jsonl", length, lines).end
    if lines or names:
        folder.sync(names)
    return deliveries, length


def _paced(trip: Trip, delivery: Delivery) -> Delivery:
    """Let a message that was not answered rest, longer each time, before it is sent again; batches take long enough."""
    again = delivery.verdict is None and delivery.following is None
    return replace(delivery, rest=pause_before(trip.attempts)) if again and trip.lane is Lane.SYNC else delivery


async def _groups(lines: AsyncGenerator[bytes, None]) -> AsyncGenerator[list[bytes], None]:
    group: list[bytes] = []
    size = 0
    async with aclosing(lines) as each:
        async for line in each:
            group.append(line)
            size += len(line)
            if len(group) >= GROUP_LINES or size >= GROUP_BYTES:
                yield group
                group, size = [], 0
    if group:
        yield group
