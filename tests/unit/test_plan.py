from dataclasses import replace

import msgspec
from batchd.decisions.batch.plan import ARRIVAL, ROW_OVERHEAD, Limits, plan
from batchd.model import JobId, RequestId, Waiting

LIMITS = Limits(max_requests=3, max_bytes=10_000, long_max_requests=2, long_tokens=64_000, linger=2.0)


def waiting(number: int, *, size: int = 10, tokens: int = 100, cohort: str = "", since: float = 0.0) -> Waiting:
    return Waiting(RequestId(number), size, tokens, (), cohort, since, JobId(1))


def test_a_lone_request_lingers_and_then_leaves() -> None:
    assert list(plan([waiting(1)], LIMITS, now=1.9, room=10)) == []
    assert [each.requests for each in plan([waiting(1)], LIMITS, now=2.0, room=10)] == [(1,)]


def test_a_full_batch_leaves_at_once() -> None:
    plans = list(plan([waiting(n) for n in range(1, 5)], LIMITS, now=0.0, room=10))
    assert [each.requests for each in plans] == [(1, 2, 3)]


def test_full_batches_in_flight_have_different_counts() -> None:
    plans = list(plan([waiting(n) for n in range(1, 8)], LIMITS, now=9.0, room=10))
    assert [len(each.requests) for each in plans] == [3, 2, 2]
    plans = list(plan([waiting(n) for n in range(1, 4)], LIMITS, now=9.0, room=10, unresolved=[3]))
    assert [len(each.requests) for each in plans] == [2, 1]


def test_full_batches_of_every_kind_have_different_counts() -> None:
    limits = Limits(max_requests=100, max_bytes=10 * (10 + ROW_OVERHEAD), long_max_requests=10, long_tokens=9, linger=2)
    found = [waiting(n, tokens=10 if n % 2 else 1) for n in range(36)]
    counts = [len(each.requests) for each in plan(found, limits, now=0.0, room=1000, unresolved=[9])]
    assert len(counts) == len(set(counts)) >= 3
    assert 9 not in counts


def test_what_is_left_out_for_the_count_never_makes_the_next_batch_too_large() -> None:
    found = [waiting(n, size=2_000) for n in range(1, 5)] + [waiting(5, size=9_000)]
    limits = Limits(max_requests=9, max_bytes=10_000, long_max_requests=9, long_tokens=64_000, linger=2.0)
    plans = list(plan(found, limits, now=9.0, room=10, unresolved=[4]))
    assert all(each.size <= limits.max_bytes for each in plans)
    assert sorted(request for each in plans for request in each.requests) == [1, 2, 3, 4, 5]


def test_long_requests_travel_apart_in_small_batches() -> None:
    found = [waiting(1, tokens=300_000), waiting(2), waiting(3, tokens=64_001), waiting(4, tokens=300_000)]
    plans = list(plan(found, LIMITS, now=9.0, room=10))
    assert sorted(each.requests for each in plans) == [(1, 3), (2,), (4,)]


def test_a_cohort_leaves_at_once_and_alone() -> None:
    plans = list(plan([waiting(1, cohort="batch 7 a"), waiting(2)], LIMITS, now=0.0, room=10))
    assert [each.requests for each in plans] == [(1,)]


def test_bytes_are_kept_with_what_the_body_adds() -> None:
    size = 5_000 - ROW_OVERHEAD
    plans = list(plan([waiting(n, size=size) for n in (1, 2, 3)], LIMITS, now=9.0, room=10))
    assert [(each.requests, each.size) for each in plans] == [((1, 2), 10_000), ((3,), 5_000)]


def test_no_more_is_planned_than_there_is_room() -> None:
    plans = list(plan([waiting(n) for n in range(1, 9)], LIMITS, now=9.0, room=4))
    assert sum(len(each.requests) for each in plans) == 4
    assert list(plan([waiting(1)], LIMITS, now=9.0, room=-1)) == []


def test_while_more_wait_behind_only_full_batches_leave() -> None:
    found = [waiting(n) for n in range(1, 6)]
    assert [len(each.requests) for each in plan(found, LIMITS, now=9.0, room=10, more=True)] == [3, 2]
    found = [*found, waiting(6, tokens=300_000)]
    assert [len(each.requests) for each in plan(found, LIMITS, now=9.0, room=10, more=True)] == [3, 2]
    assert [len(each.requests) for each in plan(found[:2], LIMITS, now=9.0, room=10, more=True)] == [2]


def test_requests_of_two_versions_of_the_api_travel_apart() -> None:
    old = [msgspec.structs.replace(waiting(number), version="2023-06-01") for number in (1, 3)]
    plans = list(plan([old[0], waiting(2), old[1]], LIMITS, now=100.0, room=10))
    assert {(each.version, each.requests) for each in plans} == {("2023-06-01", (1, 3)), (None, (2,))}


def test_while_its_job_arrives_a_request_waits_for_the_rest_and_full_batches_leave() -> None:
    brisk, job = replace(LIMITS, linger=0.05), JobId(1)
    found = [waiting(n) for n in range(1, 5)]
    plans = list(plan(found, brisk, now=0.5, room=10, arriving={job}))
    assert [each.requests for each in plans] == [(1, 2, 3)]
    plans = list(plan(found, brisk, now=1.0, room=10))
    assert [each.requests for each in plans] == [(1, 2, 3), (4,)]


def test_a_job_that_takes_long_to_arrive_keeps_its_requests_for_seconds_only_and_no_others() -> None:
    brisk = replace(LIMITS, linger=0.05)
    assert [each.requests for each in plan([waiting(1)], brisk, now=ARRIVAL, room=10, arriving={JobId(1)})] == [(1,)]
    other = msgspec.structs.replace(waiting(2), job=JobId(2))
    plans = list(plan([waiting(1), other], brisk, now=0.5, room=10, arriving={JobId(1)}))
    assert [each.requests for each in plans] == [(1, 2)]
