"""Pauses: what the API is too busy for waits together, and one at a time tries again."""

from batchd.edges.clock import Clock
from batchd.running.pauses import Pauses


class SetClock(Clock):
    """A clock that stands where it is set."""

    time = 1_000.0

    def now(self) -> float:
        return self.time


def test_a_model_that_is_busy_keeps_no_other_and_one_message_at_a_time_tries_again() -> None:
    clock = SetClock()
    pauses = Pauses(clock)
    assert pauses.check("slow") == (0.0, "")
    pauses.begin("slow", "the API is busy", 30.0)
    assert pauses.check("slow") == (30.0, "the API is busy")
    assert pauses.check("quick") == (0.0, "")
    assert pauses.models == {"slow"}
    clock.time += 31.0
    assert pauses.check("slow")[0] == 0.0
    assert pauses.check("slow")[0] > 0.0, "only one tries"
    pauses.end("slow")
    assert pauses.check("slow") == (0.0, "")
    assert not pauses.models


def test_a_pause_grows_with_its_age() -> None:
    clock = SetClock()
    pauses = Pauses(clock)
    waits = []
    for _ in range(12):
        pauses.begin("slow", "the API is busy", 0.0)
        waits.append(pauses.check("slow")[0])
        clock.time += waits[-1]
    assert waits == sorted(waits)
    assert waits[0] < 5
    assert 60 < waits[-1] <= 300
