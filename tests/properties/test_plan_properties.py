from batchd.decisions.batch.plan import ROW_OVERHEAD, Limits, plan
from batchd.model import JobId, RequestId, Waiting
from hypothesis import given
from hypothesis import strategies as st

limits = st.builds(
    Limits,
    max_requests=st.integers(1, 8),
    max_bytes=st.integers(200, 2_000),
    long_max_requests=st.integers(1, 4),
    long_tokens=st.just(64_000),
    linger=st.floats(0, 5),
)


@st.composite
def queues(draw: st.DrawFn) -> list[Waiting]:
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(1, 900),
                st.sampled_from([1_000, 64_000, 64_001, 300_000]),
                st.sampled_from([(), ("a",), ("a", "b")]),
                st.sampled_from(["", "", "batch 1 a"]),
                st.floats(0, 10),
            ),
            max_size=60,
        )
    )
    return [Waiting(RequestId(n), *row, JobId(1)) for n, row in enumerate(rows)]


@given(
    queue=queues(),
    limits=limits,
    now=st.floats(0, 20),
    room=st.integers(-1, 70),
    unresolved=st.sets(st.integers(1, 8)),
    more=st.booleans(),
)
def test_a_plan_loses_nothing_doubles_nothing_and_keeps_every_limit(  # noqa: PLR0913  the whole of its inputs
    *, queue: list[Waiting], limits: Limits, now: float, room: int, unresolved: set[int], more: bool
) -> None:
    by_id = {request.id: request for request in queue}
    plans = list(plan(queue, limits, now=now, room=room, unresolved=unresolved, more=more))
    planned = [request for each in plans for request in each.requests]
    assert len(planned) == len(set(planned)) <= max(room, 0)
    assert set(planned) <= set(by_id)
    for each in plans:
        together = [by_id[request] for request in each.requests]
        assert together
        assert each.requests == tuple(sorted(each.requests))
        assert {request.betas for request in together} == {each.betas}
        assert len({request.cohort for request in together}) == 1
        assert len({request.max_tokens > limits.long_tokens for request in together}) == 1
        long = together[0].max_tokens > limits.long_tokens
        assert len(together) <= (limits.long_max_requests if long else limits.max_requests)
        size = sum(request.size + ROW_OVERHEAD for request in together)
        assert size == each.size
        assert size <= limits.max_bytes or len(together) == 1
    if not more and len(queue) <= room:
        for request in queue:
            if request.id not in planned:
                assert now - request.since < limits.linger


@given(queue=queues(), limits=limits)
def test_planning_again_and_again_empties_the_queue(*, queue: list[Waiting], limits: Limits) -> None:
    left = list(queue)
    for _ in range(len(queue) + 1):
        plans = plan(left, limits, now=100.0, room=7, more=len(left) > 7)
        gone = {request for each in plans for request in each.requests}
        left = [request for request in left if request.id not in gone]
    assert left == []
