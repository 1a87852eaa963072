"""Group commit: what the streams of results have written becomes durable together, and is acknowledged after that.

A group is written without a sync, while what was written before it is made durable by one sync for all; each batch is
acknowledged then in one commit of the store. The lines of a job stand in the order in which they are acknowledged, so
that an acknowledged length covers nothing else: where lines before its own are lost, a share is lost with them, and its
batch is read again.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import anyio
from anyio import to_thread

from batchd.decisions.batch.restored import UNACKNOWLEDGED_BYTES, UNACKNOWLEDGED_LINES
from batchd.delivery import Delivery
from batchd.edges.clock import Clock
from batchd.edges.durable import Together
from batchd.edges.store import Store
from batchd.errors import Unavailable
from batchd.journey.documents import Documents
from batchd.journey.shares import Group, Share, Troubles, make_durable, write_documents, write_lines
from batchd.model import Batch, JobId

_LOST: Final = "lines before them were not made durable"


@dataclass(slots=True)
class _End:
    """Where the lines of a job end that are written, acknowledged or not."""

    at: int
    groups: int = 0
    """That hold to it, since they are not acknowledged yet."""
    lost: bool = False
    """Whether some of those lines will never be acknowledged."""


@dataclass(slots=True)
class Written:
    """A group that is written and not acknowledged yet."""

    batch: Batch
    shares: dict[JobId, Share]
    troubles: Troubles
    """Why the shares of some jobs are not."""
    lines: int
    size: int
    """Bytes of its lines."""
    failures: int
    """Of syncs, before its first byte was written."""
    ends: dict[JobId, _End] = field(default_factory=dict)
    lengths: dict[JobId, int] = field(default_factory=dict)
    """Of the results of each job, its own lines included."""
    error: Exception | None = None
    over: bool = False
    """Whether it is acknowledged, as far as that could be done."""

    @property
    def good(self) -> list[tuple[JobId, Share]]:
        """The shares that nothing keeps from being acknowledged yet."""
        return [(job, share) for job, share in self.shares.items() if job not in self.troubles]

    def lose(self, troubles: Mapping[JobId, Exception]) -> None:
        """Give up the shares of some jobs; what is written behind their lines is lost with them."""
        self.troubles = {**troubles, **self.troubles}
        for job in troubles.keys() & self.ends.keys():
            self.ends[job].lost = True


class GroupCommit:
    """The one way of results into the outbox and the store, for any number of streams."""

    def __init__(self, store: Store, clock: Clock, outbox: Path, documents: Documents) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._documents = documents
        self._ends: dict[JobId, _End] = {}
        self._locks: WeakValueDictionary[JobId, anyio.Lock] = WeakValueDictionary()
        self._together: Together | None = None
        self._failures = 0
        """Syncs that have failed: what was begun before may have been lost by one, and no later sync tells of it."""
        self._begun = 0
        """Groups that are being written or acknowledged."""
        self._lines = 0
        self._size = 0
        """Of what is begun, as is `_lines`; in bytes."""
        self._written: list[Written] = []
        """To be made durable, the lines of each job in their order."""
        self._syncing = anyio.Lock()
        self._over = anyio.Event()
        """Set when some group is acknowledged."""

    async def write(self, batch: Batch, group: Group) -> Written:
        """Write a group, not durably; once begun it is not to be cancelled.

        Raises:
            Unavailable: The outbox cannot be opened.
        """
        lines, size = group.lines, group.size
        while self._begun and (self._lines + lines > UNACKNOWLEDGED_LINES or self._size + size > UNACKNOWLEDGED_BYTES):
            await self._over.wait()
        written = Written(batch, group.shares, group.troubles, lines, size, self._failures)
        self._begun += 1
        self._lines += lines
        self._size += size
        try:
            self._store.database.still_held()
            self._open()
            await self._write(written)
        except BaseException:
            self._close(written)
            raise
        return written

    def _open(self) -> None:
        """Open what syncs all that is begun: opened before the first byte of it, so that every error is told."""
        if self._together is None:
            try:
                self._together = Together(self._outbox)
            except OSError as error:
                raise Unavailable(f"the outbox cannot be opened: {error.strerror}") from error

    async def _write(self, written: Written) -> None:
        async def documents() -> None:
            written.lose(await to_thread.run_sync(write_documents, written.shares))

        async with AsyncExitStack() as stack:
            # In one order everywhere, so that no two groups wait for each other; until they are in line.
            for job in sorted(written.shares):
                lock = self._locks.setdefault(job, anyio.Lock(fast_acquire=True))
                await stack.enter_async_context(lock)
            await self._join(written)
            ends = {job: end.at for job, end in written.ends.items()}
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(documents)
                written.lengths, troubles = await to_thread.run_sync(write_lines, written.shares, ends)
            written.lose(troubles)
            for job, length in written.lengths.items():
                written.ends[job].at = length
            self._written.append(written)

    async def _join(self, written: Written) -> None:
        """Find where the lines of its jobs end; nobody else writes to these jobs meanwhile."""
        new: list[JobId] = []
        for job in written.shares:
            while (end := self._ends.get(job)) is not None and end.lost:
                # What is behind it is cut off, but nothing before it that may be acknowledged just now.
                await self._over.wait()
            if end is None:
                new.append(job)
            else:
                self._hold(written, job, end)
        lengths = await self._store.deliveries.results_lengths(new) if new else {}
        for job in new:
            end = self._ends[job] = _End(lengths.get(job, 0))
            self._hold(written, job, end)

    @staticmethod
    def _hold(written: Written, job: JobId, end: _End) -> None:
        written.ends[job] = end
        end.groups += 1

    async def acknowledge(self, written: Written) -> Troubles:
        """Make a group durable, with whatever else is written by then, and acknowledge it; not to be cancelled.

        Returns:
            Why the shares of some jobs are not.
        """
        while not written.over:
            async with self._syncing:
                if not written.over:
                    await self._round()
        if written.error is not None:
            raise written.error
        return written.troubles

    async def _round(self) -> None:
        those, self._written = self._written, []
        try:
            troubles = await self._synced(those)
            for written in those:
                written.lose({job: trouble for job, trouble in troubles.items() if job in written.shares})
            for _, of_batch in groupby(those, lambda written: written.batch.id):
                await self._acknowledge(list(of_batch))
        except Exception as error:  # noqa: BLE001  raised to every stream that waits
            for written in those:
                written.error = written.error or error
        finally:
            for written in those:
                self._close(written)

    async def _synced(self, those: Sequence[Written]) -> Troubles:
        """Make groups durable; why some of their jobs are not."""
        shares = [share for written in those for share in written.good]
        if not shares or self._together is None:
            return {}
        try:
            return await to_thread.run_sync(make_durable, shares, self._together)
        except OSError as error:
            self._failures += 1
            lost = Unavailable(f"the outbox: {error.strerror or type(error).__name__}")
            return {job: lost for written in those for job in written.shares}

    async def _acknowledge(self, those: Sequence[Written]) -> None:
        """Acknowledge groups of one batch, one behind the other, in one commit."""
        deliveries: list[Delivery] = []
        lengths: dict[JobId, int] = {}
        for written in those:
            written.lose({job: Unavailable(_LOST) for job, _ in written.good if self._is_lost(written, job)})
            deliveries += (delivery for _, share in written.good for delivery in share.deliveries)
            lengths |= {job: written.lengths[job] for job, _ in written.good}
        try:
            await self._store.deliveries.deliver(those[0].batch, deliveries, lengths, now=self._clock.now())
            if any(delivery.round for delivery in deliveries):
                await to_thread.run_sync(self._documents.forget, deliveries)
        except Exception as error:  # noqa: BLE001  raised to the stream whose it is, which is not always this one
            for written in those:
                written.error = error
                written.lose(dict.fromkeys(written.ends, error))

    def _is_lost(self, written: Written, job: JobId) -> bool:
        return written.ends[job].lost or written.failures != self._failures

    def _close(self, written: Written) -> None:
        written.over = True
        self._begun -= 1
        self._lines -= written.lines
        self._size -= written.size
        for job, end in written.ends.items():
            end.groups -= 1
            if not end.groups:
                del self._ends[job]
        if not self._begun and self._together is not None:
            self._together.close()
            self._together = None
        self._over.set()
        self._over = anyio.Event()
