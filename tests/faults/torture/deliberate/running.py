"""Faults in what the dispatcher looks for, and in what keeps batches."""

from tests.faults.torture.deliberate.mutation import Mutation

MUTATIONS = (
    Mutation(
        "Q",
        "a batch that waits for a person is on nobody's agenda",
        "daemon/batchd/edges/store/views/agenda.py",
        '{OPEN} AND state = \'held\'"""',
        '{OPEN} AND state = \'none\'"""',
        "tests/edges/test_agenda.py",
    ),
    Mutation(
        "Q",
        "every kind of thing is asked after at every look",
        "daemon/batchd/dispatcher/due_work.py",
        "done = await work() if due else None",
        "done = await work()",
        "tests/edges/test_agenda.py",
    ),
    Mutation(
        "Q",
        "while one batch tries, the others try with it",
        "daemon/batchd/running/circuit_breaker.py",
        "self._next_try_at = now + PARKED.delay(now - self._tripped_at)",
        "self._next_try_at = now",
        "tests/unit/test_circuit_breaker.py",
    ),
    Mutation(
        "Q",
        "answers to what was sent before the trouble open the circuit breaker",
        "daemon/batchd/running/circuit_breaker.py",
        "or sent_at < self._tripped_at:",
        "or False:",
        "tests/unit/test_circuit_breaker.py",
    ),
)
