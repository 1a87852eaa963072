"""The quick form of `make torture`: some of each kind of kill."""

import pytest

from tests.support.torture import torture


@pytest.mark.parametrize("form", ["steps", "across", "pairs"])
def test_killed_at_any_step_it_loses_nothing_and_sends_nothing_twice(form: str) -> None:
    torture(form)


@pytest.mark.parametrize("form", ["calls", "eio", "full"])
def test_a_system_call_that_fails_or_kills_loses_nothing(form: str) -> None:
    torture(form)


def test_a_power_cut_keeps_what_was_acknowledged() -> None:
    torture("power")
