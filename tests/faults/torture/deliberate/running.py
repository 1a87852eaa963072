"""Faults in what the dispatcher looks for."""

from tests.faults.torture.deliberate.mutation import Mutation

MUTATIONS = (
    Mutation(
        "Q",
        "a batch that waits for a person is on nobody's agenda",
        "daemon/batchd/edges/store/agenda.py",
        '{OPEN} AND state = \'held\'"""',
        '{OPEN} AND state = \'none\'"""',
        "tests/edges/test_agenda.py",
    ),
    Mutation(
        "Q",
        "every kind of thing is asked after at every look",
        "daemon/batchd/dispatcher.py",
        "done = await work() if due else None",
        "done = await work()",
        "tests/edges/test_agenda.py",
    ),
)
