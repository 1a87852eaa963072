"""Counts: no two creates of one count, by one account, are unresolved: it is all that the API's list shows."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from batchd.model import Batch, BatchId
from batchd.running.wakeups import Wakeups


class Counts:
    """Which counts have a create in flight, and which batches wait for one to be resolved."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._in_flight: set[tuple[str, int]] = set()
        self._waiting: defaultdict[tuple[str, int], set[BatchId]] = defaultdict(set)

    @contextmanager
    def heard_by(self, batch: Batch) -> Iterator[None]:
        """Within the block, call a batch when a create of its count is resolved.

        It begins before the store is asked, so that no call falls between the question and the rest.
        """
        self._waiting[_of(batch)].add(batch.id)
        try:
            yield
        finally:
            self._waiting[_of(batch)].discard(batch.id)

    @contextmanager
    def reserved(self, batch: Batch) -> Iterator[bool]:
        """Within the block, keep a batch's count for its create; False where another of this process has it.

        Those that were kept waiting meanwhile are called if the block fails, whatever of.
        """
        if _of(batch) in self._in_flight:
            yield False
            return
        self._in_flight.add(_of(batch))
        try:
            yield True
        except BaseException:
            self.resolved(batch)
            raise
        finally:
            self._in_flight.discard(_of(batch))

    def resolved(self, batch: Batch) -> None:
        """Call those that wait for a batch's count: its create is in doubt no longer."""
        for waiting in self._waiting[_of(batch)] - {batch.id}:
            self._wakeups.call(waiting)


def _of(batch: Batch) -> tuple[str, int]:
    return batch.account, batch.count
