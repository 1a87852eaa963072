"""The small decisions: waits, verdicts, wire ids."""

import json
import re
from itertools import accumulate, pairwise

import pytest
from batchd.claude.batch_body import (
    BODY_HEAD,
    BODY_TAIL,
    ROW_TAIL,
    body_length,
    new_nonce,
    row_head,
    row_id,
    row_of,
    sending_of,
    wire_id,
)
from batchd.claude.verdict import Result, judge
from batchd.decisions.batch.backoff import Backoff
from batchd.model import Place, RequestId, Sending, Verdict, WireRow

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


TAG = "0123456789abcdef0123"


@pytest.mark.parametrize("sending", [Sending(RequestId(1), 0), Sending(RequestId(10**17), 99_999_999)])
def test_a_wire_id_is_the_apis_and_names_its_request_by_itself(sending: Sending) -> None:
    name = wire_id(TAG, sending)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
    assert sending_of(name, TAG) == sending
    assert sending_of(name, TAG[::-1]) is None
    for other in (name + "x", name.replace("-", "_"), name.upper(), "chapter-1", ""):
        assert sending_of(other, TAG) is None


def test_an_id_of_the_first_version_tells_its_row_to_its_batch_only() -> None:
    nonce, other = new_nonce(), new_nonce()
    name = row_id(nonce, 3, 99_999)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
    assert row_of(name, nonce) == 99_999
    assert row_of(name, other) is None
    assert row_of(name + "0000000", nonce) is None
    assert row_of("chapter-1", nonce) is None


def test_the_length_of_a_body_is_told_before_it_is_read() -> None:
    params = [b'{"a":1}', b"{}", b'{"long":"' + b"x" * 500 + b'"}']
    rows = [WireRow(Sending(RequestId(7 + n), n), Place("c", 0, len(each))) for n, each in enumerate(params)]
    heads = (row_head(TAG, row.sending, first=row is rows[0]) for row in rows)
    body = BODY_HEAD + b"".join(head + each + ROW_TAIL for head, each in zip(heads, params, strict=True)) + BODY_TAIL
    assert body_length(TAG, rows) == len(body)
    assert len(json.loads(body)["requests"]) == 3
