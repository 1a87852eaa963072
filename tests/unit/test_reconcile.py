"""What one look at the API's list means for a create without an answer."""

from dataclasses import replace
from itertools import permutations

import pytest
from batchd.decisions.batch.reconcile import (
    MARGIN,
    Adopt,
    Hold,
    Look,
    Newer,
    Probe,
    Resend,
    Sight,
    contradiction,
    decide,
    elsewhere,
    first_intent,
    newer,
    passed_by,
    sight,
)
from batchd.lifecycle import State
from batchd.model import Batch, BatchId, Counts, Evidence, Intent, RemoteBatch, RemoteId


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
        remote("unknown", count=0),
    ]
    owners = {RemoteId("owned"): Evidence.ANSWER, RemoteId("believed"): Evidence.COUNT}
    seen = sight(listing, INTENT, owners=owners, disproved={RemoteId("disproved")})
    assert [each.id for each in seen.free] == ["ours", "unknown"]
    assert [each.id for each in seen.contested] == ["believed"]


def test_counts_of_every_kind_make_the_total() -> None:
    ended = RemoteBatch(RemoteId("x"), "ended", Counts(0, 1, 1, 0, 1), 100.0)
    assert sight([ended], INTENT, owners={}, disproved=()) == Sight((ended,))


def test_a_single_running_candidate_is_adopted_several_are_awaited_ended_ones_are_asked() -> None:
    one, two, ended = remote("a"), remote("b"), remote("c", status="ended")
    assert decide(Sight((one,)), None, waited=0, doubt=900, anchored=True) == Adopt(one)
    assert decide(Sight((one, two)), None, waited=5000, doubt=900, anchored=True) == Look()
    assert decide(Sight((one, ended)), None, waited=0, doubt=900, anchored=True) == Probe((ended,))


def test_nothing_is_sent_again_before_two_empty_looks_and_the_whole_doubt() -> None:
    assert decide(Sight(), None, waited=1000, doubt=900, anchored=True) == Look()
    assert decide(Sight(), Sight((remote("a"),)), waited=1000, doubt=900, anchored=True) == Look()
    assert decide(Sight(), Sight(), waited=900.9, doubt=900, anchored=True) == Look()
    assert decide(Sight(), Sight(), waited=901, doubt=900, anchored=True) == Resend()


def test_what_another_of_ours_holds_without_proof_may_be_ours_so_nothing_is_sent_again() -> None:
    """Found by simulation: A adopts a foreign batch, B adopts A's late one, A gives back and sees none that is free."""
    held = Sight(contested=(remote("believed"),))
    assert decide(held, held, waited=9000, doubt=900, anchored=True) == Look()
    assert decide(Sight((remote("a"),), held.contested), held, waited=9000, doubt=900, anchored=True) == Look()


# --- what of the list is newer ---------------------------------------------------------------------------------------

OLD = remote("old", created=50.0)


def names(found: Newer | None) -> list[str] | None:
    return None if found is None else [each.id for each in found.batches]


@pytest.mark.parametrize("created", [99.0, 50.0, 1.0, -1e6])
def test_while_the_baseline_is_in_the_list_position_alone_decides(created: float) -> None:
    """A `Date` that is ahead of what batches are stamped with hid our own batch once, and it was paid for twice."""
    baseline = replace(OLD, created_at=created - 1)
    found = newer([remote("ours", created=created), baseline], INTENT, whole=True, gone=False)
    assert names(found) == ["ours"]
    assert found is not None
    assert found.anchored


def test_the_list_is_read_on_until_the_baseline_shows() -> None:
    first = [remote("c", created=120.0), remote("b", created=1.0)]
    assert newer(first, INTENT, whole=False, gone=False) is None
    assert names(newer([*first, replace(OLD, created_at=0.5)], INTENT, whole=False, gone=False)) is None
    behind = [replace(OLD, created_at=0.5), remote("before", created=0.1)]
    assert names(newer([*first, *behind], INTENT, whole=False, gone=False)) == ["c", "b"]


def test_one_of_the_baselines_own_instant_may_stand_on_either_side() -> None:
    listing = [OLD, remote("ours", created=50.0), remote("before", created=49.0)]
    assert names(newer(listing, INTENT, whole=True, gone=False)) == ["ours"]


def test_time_decides_with_a_wide_margin_where_the_baseline_is_gone() -> None:
    edge = INTENT.baseline_time - MARGIN
    listing = [remote("ours", created=edge), remote("older", created=edge - 2)]
    assert passed_by(listing, INTENT)
    assert not passed_by(listing[:1], INTENT)
    assert newer(listing, INTENT, whole=False, gone=False) is None
    found = newer(listing, INTENT, whole=False, gone=True)
    assert names(found) == ["ours"]
    assert found is not None
    assert not found.anchored


@pytest.mark.parametrize("order", list(permutations(range(3)))[1:])
def test_a_list_in_another_order_is_read_to_its_end(order: tuple[int, ...]) -> None:
    three = [remote("ours", created=100.0), OLD, remote("before", created=40.0 - 2 * MARGIN)]
    listing = [three[place] for place in order]
    assert newer(listing, INTENT, whole=False, gone=False) is None
    found = newer(listing, INTENT, whole=True, gone=False)
    assert found is not None
    assert "ours" in {each.id for each in found.batches}
    assert "before" not in {each.id for each in found.batches}
    assert not found.ordered


def test_a_list_that_repeats_itself_is_read_to_its_end() -> None:
    listing = [remote("a", created=100.0), remote("a", created=100.0)]
    assert newer([*listing, OLD], INTENT, whole=False, gone=False) is None
    assert names(newer([*listing, OLD, remote("ours", created=45.0)], INTENT, whole=True, gone=False)) == ["a", "ours"]


def test_where_the_list_was_empty_before_everything_is_newer() -> None:
    intent = replace(INTENT, baseline_id=None)
    assert names(newer([remote("ours", created=-1e9)], intent, whole=True, gone=False)) == ["ours"]


# --- what is kept, and what is odd ------------------------------------------------------------------------------------


def test_a_list_that_may_be_another_workspaces_is_left_to_a_person() -> None:
    assert isinstance(decide(Sight(), Sight(), waited=901, doubt=900, anchored=False), Hold)
    assert decide(Sight(), Sight(), waited=800, doubt=900, anchored=False) == Look()


def test_the_first_baseline_is_kept_over_all_attempts_at_one_place() -> None:
    batch = Batch(BatchId(1), State.PLANNED, (), 3, 9, "n", 1, 0.0, intent=replace(INTENT, origin="a"))
    fresh = Intent(3, RemoteId("new"), 200.0, "a")
    assert first_intent(batch, fresh).baseline_id == "old"
    assert first_intent(batch, replace(fresh, origin="b")).baseline_id == "new"
    assert first_intent(replace(batch, intent=None), fresh) == fresh


def test_a_create_is_not_looked_for_at_another_place() -> None:
    intent = replace(INTENT, origin="https://a", organization="one")
    assert elsewhere(intent, origin="https://a", organization="one") is None
    assert elsewhere(intent, origin="https://a", organization=None) is None
    assert "https://b" in (elsewhere(intent, origin="https://b", organization="one") or "")
    assert "two" in (elsewhere(intent, origin="https://a", organization="two") or "")
    assert elsewhere(INTENT, origin="https://b", organization="two") is None


def test_an_answer_that_does_not_fit_the_create_is_odd() -> None:
    assert contradiction(remote("new"), INTENT, None) is None
    assert contradiction(remote("new", count=0), INTENT, None) is None
    assert "7 requests and not 3" in (contradiction(remote("new", count=7), INTENT, None) or "")
    assert "batch 5 already" in (contradiction(remote("new"), INTENT, BatchId(5)) or "")
    assert "there before" in (contradiction(remote("old"), INTENT, None) or "")
