"""Pauses: what the API is too busy for waits together, and one at a time tries again."""

import pytest
from batchd.delivery import Delivery, Trip
from batchd.edges.clock import Clock
from batchd.journey.shares import paced
from batchd.model import JobId, Lane, RequestId, Verdict, Wishes
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


@pytest.mark.parametrize(
    ("lane", "attempts", "verdict", "rest"),
    [
        (Lane.SYNC, 1, None, 2.0),
        (Lane.SYNC, 2, None, 8.0),
        (Lane.SYNC, 3, Verdict.ERRORED, 0.0),
        (Lane.BATCH, 2, None, 0.0),
    ],
)
def test_a_message_that_was_broken_off_rests_longer_each_time(
    lane: Lane, attempts: int, verdict: Verdict | None, rest: float
) -> None:
    trip = Trip(
        row=0,
        request=RequestId(1),
        job=JobId(1),
        job_name="a",
        custom_id="a",
        name="a",
        model="m",
        wishes=Wishes(lane=lane),
        attempts_left=1,
        cancelled=False,
        delivered=False,
        attempts=attempts,
    )
    assert paced(trip, Delivery(0, RequestId(1), "errored", verdict, "")).rest == rest
