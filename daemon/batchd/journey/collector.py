"""The last leg: the results of an ended batch are read as a stream and delivered to their jobs, group by group.

Each group is durable in the outbox first and acknowledged in the store after that. A crash in between leaves bytes
behind the acknowledged length, which the next delivery cuts off and writes again, the same. A reading that is cut
delivers what came before the cut. Results that stay away are read again for an hour, then the batch is held: they may
have been charged, so they are never called lost.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

import anyio
import anyio.abc
import structlog
from anyio import to_thread
from anyio.streams.memory import MemoryObjectSendStream

from batchd.claude import batch_body, result_line
from batchd.claude.result_line import Line
from batchd.decisions.batch.shortfall import Shortfall, after_reading
from batchd.edges.api.lines import cut_lines
from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.errors import Disconnected, Garbled, Gone, NotOurs, Unavailable
from batchd.journey.documents import Documents
from batchd.journey.group_commit import GroupCommit, Written
from batchd.journey.shares import Due, Group, Troubles, account, all_of, decided
from batchd.model import Batch, BatchId, Evidence, Lacking, Lane, Sending
from batchd.notice import Why
from batchd.running.departure import Departure

log = structlog.get_logger()

GROUP_LINES = 2048
GROUP_BYTES = 1 << 21
"""What is decoded and decided at one time, but for its last line."""
STREAMS = 16
"""Result streams that are read at one time, each with a group in memory: hundreds of batches may end at once."""
DECODED = 2
"""Groups that are in memory in decoded form, of all streams together: that takes several times their bytes."""

Cut: TypeAlias = Callable[[int, int], Awaitable[None]]
"""Is told after each cut how many there were, and how many bytes had come."""
Results: TypeAlias = Callable[[Batch, Cut], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Opens the results of an ended batch as a stream of bytes."""


@dataclass(slots=True)
class _Reading:
    """What one reading of a batch's results has brought so far."""

    troubles: Troubles = field(default_factory=dict)
    """What kept the share of some job from its folder."""
    failed: Exception | None = None
    """What kept a group from being acknowledged at all."""
    account: str | None = None
    """What is wrong with the account, as the result of some request has it."""
    answered: bool = False
    """Whether some request has an answer, so that the account must have been well."""
    proved: bool = False
    """Whether the batch is known to be ours by the ids that it carries."""
    ahead: set[int] = field(default_factory=set)
    """Rows that are decided and not acknowledged yet: a second line of one is passed over."""
    decoded: int = 0
    """Its groups in memory in decoded form."""

    def hear_of_account(self, lines: Iterable[Line]) -> None:
        """Note what results say of the account."""
        for line in lines:
            self.answered |= line.result.type == "succeeded"
            self.account = self.account or account(line)


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
        departure: Departure,
    ) -> None:
        """Make ready.

        Args:
            store: Where requests stand.
            clock: What moments are told by.
            outbox: Where results go.
            documents: What becomes of them.
            max_attempts: Sendings of one request, the first included.
            results: Where results are, by the lane on which their batch went.
            departure: Is told what results say of the account.
        """
        self._store = store
        self._results = results
        self._clock = clock
        self._outbox = outbox
        self._documents = documents
        self._max_attempts = max_attempts
        self._departure = departure
        self._commit = GroupCommit(store, clock, outbox, documents)
        self._streams = anyio.Semaphore(STREAMS)
        self._decoded = anyio.Semaphore(DECODED)
        self._shortfalls: dict[BatchId, Shortfall] = {}
        self._cuts: dict[BatchId, int] = {}

    async def collect(self, batch: Batch) -> Batch:
        """Deliver what an ended batch has brought, and settle it; or hold it, if results stay away.

        Args:
            batch: An ended one.

        Raises:
            Unavailable: Not now, cut, or lines are missing: read it again later.
        """
        reading = _Reading()
        try:
            async with self._streams, self._results[batch.lane](batch, partial(self._cut, batch)) as pieces:
                await self._deliver_stream(batch, pieces, reading)
        except NotOurs as error:
            return await self._not_ours(batch, str(error))
        except Gone as gone:
            return await self._read_again_or_hold(batch, f"its results are {gone}")
        except Disconnected as cut:
            raise Disconnected(await self._how_far(batch, str(cut))) from cut
        finally:
            await self._tell_of_account(batch, reading)
        if reading.troubles:
            raise all_of(reading.troubles)
        if await self._store.deliveries.undelivered(batch.id):
            return await self._read_again_or_hold(batch, "its results end before their time")
        self._forget(batch)
        return await self._store.batches.settle(batch)

    async def _tell_of_account(self, batch: Batch, reading: _Reading) -> None:
        if reading.account is not None:
            await self._departure.close(batch.account, reading.account)
        elif reading.answered:
            await self._departure.prove(batch.account, sent_at=batch.submitted_at)

    async def _cut(self, batch: Batch, cuts: int, size: int) -> None:
        """Leave word of a download that was cut and goes on."""
        log.warning("download cut", batch=batch.id, cuts=cuts, bytes=size)
        said = f"the download of its results was cut {cuts:,} times so far: {size:,} bytes have come, and it goes on"
        await self._store.batches.tell(batch, said)

    async def _how_far(self, batch: Batch, cut: str) -> str:
        """Say how often a download was cut that has to begin anew, and what has come of it."""
        cuts = self._cuts[batch.id] = self._cuts.get(batch.id, 0) + 1
        missing = await self._store.deliveries.undelivered(batch.id)
        return f"{cut}: cut {cuts:,} times, {batch.count - missing:,} of {batch.count:,} results are here"

    async def _not_ours(self, batch: Batch, reason: str) -> Batch:
        """Look again for a batch that was only believed to be ours; what the API itself named needs a person.

        For then its results were spoiled on their way, or its answer was: to send again might be to pay again.
        """
        if batch.evidence is not Evidence.COUNT:
            return await self._read_again_or_hold(batch, f"{reason}, although the API named it")
        log.warning("batch was another's", batch=batch.id, remote=batch.remote_id, reason=reason)
        self._forget(batch)
        return await self._store.batches.give_back(batch)

    async def _read_again_or_hold(self, batch: Batch, reason: str) -> Batch:
        """Read results again that lack lines, for an hour; what may have been charged then waits for a person.

        Raises:
            Unavailable: They are to be read again.
        """
        missing, now = await self._store.deliveries.undelivered(batch.id), self._clock.now()
        before = self._shortfalls.get(batch.id)
        if before is None and batch.lacking is not None:
            before = Shortfall(batch.lacking.lines, batch.lacking.since, 0)
        found = self._shortfalls[batch.id] = after_reading(before, missing, now)
        said = f"{reason}: {missing:,} of {batch.count:,} lines are missing"
        if not found.final(now):
            if Lacking(found.missing, found.since) != batch.lacking:
                await self._store.batches.lacks(batch, found.missing, since=found.since)
            raise Unavailable(f"{said}; they are read again")
        self._forget(batch)
        log.error("batch held", batch=batch.id, remote=batch.remote_id, missing=missing, reason=reason)
        reason = f"{said} for an hour; they may have been charged"
        return await self._store.batches.hold(batch, reason, Why.LINES_MISSING, now=now)

    def _forget(self, batch: Batch) -> None:
        self._shortfalls.pop(batch.id, None)
        self._cuts.pop(batch.id, None)

    async def _deliver_stream(self, batch: Batch, pieces: AsyncIterator[bytes], reading: _Reading) -> None:
        """Deliver group after group: while one is made durable, the next is written, and the one behind it decided."""
        send, receive = anyio.create_memory_object_stream[Group | Exception]()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read_ahead, batch, pieces, reading, send)
            try:
                async with receive:
                    async for group in receive:
                        await self._deliver(batch, group, reading, tasks)
            except Exception as error:  # noqa: BLE001  raised below by itself, not in a group of errors
                reading.failed = reading.failed or error
                tasks.cancel_scope.cancel()
            finally:
                for _ in range(reading.decoded):
                    self._decoded.release()
        if reading.failed is not None:
            raise reading.failed

    async def _read_ahead(
        self,
        batch: Batch,
        pieces: AsyncIterator[bytes],
        reading: _Reading,
        send: MemoryObjectSendStream[Group | Exception],
    ) -> None:
        """Send every group of a stream, decided, and at last the error that ended it."""
        with send:
            try:
                async with aclosing(_groups(cut_lines(pieces), self._share_of_bytes)) as groups:
                    async for lines in groups:
                        await self._decoded.acquire()
                        reading.decoded += 1
                        await send.send(await self._decided(batch, lines, reading))
            except Exception as error:  # noqa: BLE001  raised where the groups are written
                await send.send(error)

    def _share_of_bytes(self) -> int:
        """Bytes of a group now: what is read at one time shares the room of the largest."""
        return GROUP_BYTES // max(STREAMS - self._streams.value, 1)

    async def _decided(self, batch: Batch, lines: list[bytes], reading: _Reading) -> Group:
        """Decide what becomes of what is ours of a group, and note what it says of the account."""
        read = await to_thread.run_sync(_read, lines, self._store.installation, batch.nonce)
        read.place(await self._store.trips.rows_of(batch.id, [sending for sending, _, _ in read.sent]))
        await self._prove(batch, read, reading)
        if read.foreign or read.garbled:
            log.warning("lines passed over", batch=batch.id, foreign=read.foreign, garbled=read.garbled)
        reading.hear_of_account(line for _, line, _ in read.ours)
        due = await self._due(batch, read, reading)
        return await to_thread.run_sync(decided, self._outbox, self._documents, due)

    async def _prove(self, batch: Batch, read: "_Read", reading: _Reading) -> None:
        """Note that a batch is ours, once a line of its results says so.

        Raises:
            NotOurs: They carry other ids, and none of ours so far.
        """
        if reading.proved or batch.evidence is Evidence.NONCE:
            return
        if read.ours:
            await self._store.batches.prove(batch)
            reading.proved = True
        elif read.foreign:
            raise NotOurs("its results carry other ids")

    async def _due(self, batch: Batch, read: "_Read", reading: _Reading) -> dict[int, Due]:
        """Pick the lines that are to be delivered: the first of each row that no reading has delivered."""
        trips = await self._store.deliveries.trips(batch.id, (row for row, _, _ in read.ours), self._max_attempts)
        due: dict[int, Due] = {}
        for row, line, raw in read.ours:
            if row in trips and not trips[row].delivered and row not in reading.ahead:
                due.setdefault(row, (trips[row], line, raw))
        reading.ahead |= due.keys()
        return due

    async def _deliver(
        self, batch: Batch, group: Group | Exception, reading: _Reading, tasks: anyio.abc.TaskGroup
    ) -> None:
        """Write a group, and have it acknowledged while the next one is written."""
        if isinstance(group, Exception):
            raise group
        if reading.failed is not None:
            raise reading.failed
        # Once begun it is finished, so that a stop never leaves work behind that was acknowledged to nobody.
        with anyio.CancelScope(shield=True):
            written = await self._commit.write(batch, group)
        reading.decoded -= 1
        self._decoded.release()
        tasks.start_soon(self._acknowledge, written, group.rows, reading)

    async def _acknowledge(self, written: Written, rows: frozenset[int], reading: _Reading) -> None:
        with anyio.CancelScope(shield=True):
            try:
                reading.troubles |= await self._commit.acknowledge(written)
            except Exception as error:  # noqa: BLE001  raised where the stream is delivered
                reading.failed = reading.failed or error
        reading.ahead -= rows


class _Read:
    """What a group of lines turned out to be."""

    def __init__(self) -> None:
        self.sent: list[tuple[Sending, Line, bytes]] = []
        """What carries our tag; whether this batch has it, the store knows."""
        self.ours: list[tuple[int, Line, bytes]] = []
        self.foreign = 0
        self.garbled = 0

    def place(self, rows: Mapping[Sending, int]) -> None:
        """Sort what carries our tag by whether this batch has it."""
        for sending, line, raw in self.sent:
            if sending in rows:
                self.ours.append((rows[sending], line, raw))
            else:
                self.foreign += 1


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


async def _groups(
    lines: AsyncGenerator[bytes, None], most_bytes: Callable[[], int]
) -> AsyncGenerator[list[bytes], None]:
    """Gather lines to groups; what came before a cut is a group too."""
    group: list[bytes] = []
    size = 0
    cut: Unavailable | None = None
    async with aclosing(lines) as each:
        while True:
            try:
                line = await anext(each, None)
            except Unavailable as error:
                cut = error
                break
            if line is None:
                break
            group.append(line)
            size += len(line)
            if len(group) >= GROUP_LINES or size >= most_bytes():
                yield group
                group, size = [], 0
    if group:
        yield group
    if cut is not None:
        raise cut
