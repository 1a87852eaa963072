"""Faults by which something waits that need not."""

from tests.faults.torture.deliberate.mutation import Mutation

MUTATIONS = (
    Mutation(
        "waiting",
        "a watcher that is told to stop waits for its next glance",
        "daemon/batchd/edges/watcher.py",
        "stop_event=over,",
        "stop_event=anyio.Event(),",
        "tests/edges/test_inbox.py::test_the_watcher_is_cancelled_at_once",
    ),
)
