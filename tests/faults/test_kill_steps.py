"""The quick form of `make torture`: some of each kind of kill."""

import pytest

from tests.support.torture import torture


def test_killed_at_any_step_or_two_it_loses_nothing_and_sends_nothing_twice() -> None:
    torture("steps", "across", "pairs")


def test_killed_at_any_step_of_taking_a_bundle_it_makes_one_job() -> None:
    torture("bundles", "bundles-across")


def test_killed_at_any_step_of_a_book_it_asks_each_chapter_once() -> None:
    torture("books")


@pytest.mark.slow
def test_killed_at_any_step_of_putting_a_job_right_it_pays_for_nothing_twice() -> None:
    torture("amend")


@pytest.mark.slow
def test_killed_at_any_step_of_taking_what_was_saved_again_it_holds_that_once() -> None:
    torture("duplicates")


def test_killed_at_any_step_of_the_sync_lane_it_sends_no_message_twice() -> None:
    torture("messages")
