"""Creates of one count go one after the other, and whoever waited is called whatever became of the one before."""

import pytest
from batchd.edges.clock import Clock
from batchd.lifecycle import State
from batchd.model import Batch, BatchId
from batchd.running.counts import Counts
from batchd.running.wakeups import Wakeups

pytestmark = pytest.mark.anyio

ONE, OTHER = (Batch(BatchId(number), State.PLANNED, (), 1, 9, "n", 0, 0.0) for number in (1, 2))


def fail(counts: Counts) -> None:
    """Meet a defect while another batch asks for the same count."""
    with counts.reserved(ONE) as reserved, counts.reserved(OTHER) as too:
        assert (reserved, too) == (True, False)
        raise KeyError


async def test_a_create_that_fails_of_a_defect_keeps_no_other_of_its_count_asleep() -> None:
    """Seen: a batch slept for five minutes, since what failed before it called nobody."""
    wakeups = Wakeups(Clock())
    counts = Counts(wakeups)
    with wakeups.stay(OTHER.id), counts.heard_by(OTHER):
        with pytest.raises(KeyError):
            fail(counts)
        assert await wakeups.rest(OTHER.id, 5.0), "it was called"
        with counts.reserved(OTHER) as now:
            assert now
