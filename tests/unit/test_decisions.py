"""The small decisions: waits, doubts, verdicts, wire ids."""

import re
from itertools import accumulate, pairwise

import pytest
from batchd.claude.batch_body import BODY_HEAD, BODY_TAIL, ROW_TAIL, body_length, new_nonce, row_head, row_of, wire_id
from batchd.claude.verdict import Result, judge
from batchd.decisions.batch.backoff import Backoff
from batchd.decisions.batch.reconcile import Adopt, Intent, Look, Probe, Resend, Sight, decide, sight
from batchd.model import Counts, Evidence, RemoteBatch, RemoteId, Verdict

POLL = Backoff(initial=60.0, factor=1.5, longest=600.0, jitter=0.1)


def test_waits_grow_by_the_factor_up_to_the_longest() -> None:
    elapsed, waits = 0.0, []
    for _ in range(9):
        waits.append(POLL.delay(elapsed))
        elapsed += waits[-1]
    assert waits[:6] == [60.0, 90.0, 135.0, 202.5, 303.75, 455.625]
    assert waits[6:] == [600.0, 600.0, 600.0]
    assert all(later >= earlier for earlier, later in pairwise(accumulate(waits)))


def test_jitter_stays_within_its_part_and_a_clock_set_back_counts_as_the_start() -> None:
    assert POLL.delay(0, luck=0.0) == pytest.approx(54.0)
    assert POLL.delay(0, luck=1.0) == pytest.approx(66.0)
    assert POLL.delay(-3600.0) == 60.0
    assert 54.0 <= POLL.delay_randomly(0) <= 66.0


def remote(name: str, *, created: float = 100.0, count: int = 3, status: str = "in_progress") -> RemoteBatch:
    return RemoteBatch(RemoteId(name), status, Counts(processing=count), created)


INTENT = Intent(count=3, baseline_id=RemoteId("old"), baseline_time=99.0)


def test_candidates_are_newer_of_our_count_and_nobody_elses() -> None:
    listing = [
        remote("ours"),
        remote("larger", count=4),
        remote("owned"),
        remote("believed"),
        remote("disproved"),
        remote("earlier", created=96.9),
        remote("old", created=100.0),
    ]
    owners = {RemoteId("owned"): Evidence.ANSWER, RemoteId("believed"): Evidence.COUNT}
    seen = sight(listing, INTENT, owners=owners, disproved={RemoteId("disproved")})
    assert [each.id for each in seen.free] == ["ours"]
    assert [each.id for each in seen.contested] == ["believed"]


def test_counts_of_every_kind_make_the_total() -> None:
    ended = RemoteBatch(RemoteId("x"), "ended", Counts(0, 1, 1, 0, 1), 100.0)
    assert sight([ended], INTENT, owners={}, disproved=()) == Sight((ended,))


def test_a_single_running_candidate_is_adopted_several_are_awaited_ended_ones_are_asked() -> None:
    one, two, ended = remote("a"), remote("b"), remote("c", status="ended")
    assert decide(Sight((one,)), None, waited=0, doubt=900) == Adopt(one)
    assert decide(Sight((one, two)), None, waited=5000, doubt=900) == Look()
    assert decide(Sight((one, ended)), None, waited=0, doubt=900) == Probe((ended,))


def test_nothing_is_sent_again_before_two_empty_looks_and_the_whole_doubt() -> None:
    assert decide(Sight(), None, waited=1000, doubt=900) == Look()
    assert decide(Sight(), Sight((remote("a"),)), waited=1000, doubt=900) == Look()
    assert decide(Sight(), Sight(), waited=899, doubt=900) == Look()
    assert decide(Sight(), Sight(), waited=900, doubt=900) == Resend()


def test_what_another_of_ours_holds_without_proof_may_be_ours_so_nothing_is_sent_again() -> None:
    """Found by simulation: A adopts a foreign batch, B adopts A's late one, A gives back and sees none that is free."""
    held = Sight(contested=(remote("believed"),))
    assert decide(held, held, waited=9000, doubt=900) == Look()
    assert decide(Sight((remote("a"),), held.contested), held, waited=9000, doubt=900) == Look()


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Result("succeeded", "end_turn"), Verdict.COMPLETE),
        (Result("succeeded", "stop_sequence"), Verdict.COMPLETE),
        (Result("succeeded", "tool_use"), Verdict.COMPLETE),
        (Result("succeeded", "max_tokens"), Verdict.TRUNCATED),
        (Result("succeeded", "model_context_window_exceeded"), Verdict.TRUNCATED),
        (Result("succeeded", "refusal"), Verdict.REFUSED),
        (Result("succeeded", "pause_turn"), Verdict.PAUSED),
        (Result("succeeded", "something_new"), Verdict.PAUSED),
        (Result("succeeded", None), Verdict.TRUNCATED),
        (Result("errored", error_type="invalid_request_error"), Verdict.ERRORED),
        (Result("errored", error_type="billing_error"), Verdict.ERRORED),
        (Result("errored", error_type=None), Verdict.ERRORED),
        (Result("errored", error_type="overloaded_error"), None),
        (Result("errored", error_type="api_error"), None),
        (Result("expired"), None),
        (Result("canceled"), None),
        (Result("teleported"), Verdict.ERRORED),
    ],
)
def test_what_a_result_means(result: Result, expected: Verdict | None) -> None:
    outcome = judge(result, attempts_left=1, cancelled=False)
    assert outcome.verdict is expected
    assert (outcome.reason == "") == (expected is Verdict.COMPLETE)


def test_nothing_travels_again_without_attempts_or_after_a_cancel() -> None:
    for left, cancelled in ((0, False), (1, True)):
        assert judge(Result("errored", error_type="api_error"), attempts_left=left, cancelled=cancelled).verdict is (
            Verdict.ERRORED
        )
        assert judge(Result("expired"), attempts_left=left, cancelled=cancelled).verdict is Verdict.EXPIRED
        assert judge(Result("canceled"), attempts_left=left, cancelled=cancelled).verdict is Verdict.CANCELED


def test_a_wire_id_is_the_apis_and_tells_its_row_to_its_batch_only() -> None:
    nonce, other = new_nonce(), new_nonce()
    name = wire_id(nonce, 3, 99_999)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
    assert row_of(name, nonce) == 99_999
    assert row_of(name, other) is None
    assert row_of(name + "0000000", nonce) is None
    assert row_of("chapter-1", nonce) is None


def test_the_length_of_a_body_is_told_before_it_is_read() -> None:
    nonce, params = new_nonce(), [b'{"a":1}', b"{}", b'{"long":"' + b"x" * 500 + b'"}']
    rows = b"".join(row_head(nonce, 2, row) + each + ROW_TAIL for row, each in enumerate(params))
    assert body_length(nonce, 2, [len(each) for each in params]) == len(BODY_HEAD + rows + BODY_TAIL)
