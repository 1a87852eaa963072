"""A batch that is refused whole: about one of its requests, or about everybody."""

from batchd.decisions.batch.refusal import About, Refusal, about, digest_of
from batchd.model import BatchId

TEXT = "This workspace is taking a nap."


def refused(batch: int, parent: int | None = None, said: str = TEXT, *, refuted: bool = False) -> Refusal:
    return Refusal(BatchId(batch), None if parent is None else BatchId(parent), digest_of("x", said), refuted)


def test_the_first_refusal_is_taken_for_a_requests_fault() -> None:
    assert about(refused(1), 64, TEXT, []) is About.REQUEST
    assert about(refused(1), 1, TEXT, []) is About.REQUEST


def test_two_halves_that_are_refused_alike_are_not_at_fault() -> None:
    whole = refused(1)
    assert about(refused(2, 1), 32, TEXT, [whole]) is About.REQUEST
    assert about(refused(3, 1), 32, TEXT, [whole, refused(2, 1)]) is About.EVERYBODY


def test_a_single_half_waits_for_the_other() -> None:
    assert about(refused(2, 1), 1, TEXT, [refused(1)]) is About.EVERYBODY


def test_a_half_that_is_refused_otherwise_is_at_fault() -> None:
    assert about(refused(2, 1, "no such model"), 1, "no such model", [refused(1)]) is About.REQUEST


def test_once_another_batch_was_taken_it_is_about_the_requests_down_to_the_last() -> None:
    whole = refused(1, refuted=True)
    assert about(refused(2, 1), 1, TEXT, [whole]) is About.REQUEST
    assert about(refused(4, 2), 1, TEXT, [whole, refused(2, 1), refused(3, 1)]) is About.REQUEST


def test_a_quarter_and_the_whole_it_comes_from_share_requests() -> None:
    assert about(refused(4, 2), 16, TEXT, [refused(1), refused(2, 1)]) is About.REQUEST
    assert about(refused(4, 2), 16, TEXT, [refused(1), refused(2, 1), refused(3, 1)]) is About.EVERYBODY


def test_another_jobs_batch_that_is_refused_alike_tells_the_same() -> None:
    assert about(refused(9), 5, TEXT, [refused(1)]) is About.EVERYBODY
    assert about(refused(9), 5, TEXT, [refused(1, said="no such model")]) is About.REQUEST


def test_what_names_a_request_is_about_it() -> None:
    for said in ("requests.3.params: Field required", "requests[17]: bad", "request 5 is wrong"):
        others = [refused(1, said=said), refused(2, 1, said)]
        assert about(refused(3, 1, said), 32, said, others) is About.REQUEST


def test_tried_again_it_is_still_about_everybody() -> None:
    others = [refused(1), refused(2, 1), refused(3, 1)]
    assert about(refused(2, 1), 32, TEXT, others) is About.EVERYBODY
    assert about(refused(3, 1), 32, TEXT, others) is About.EVERYBODY
