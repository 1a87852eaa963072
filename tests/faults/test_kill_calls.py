"""The quick form of `make torture`: system calls that kill or fail, and power that is cut."""

from tests.support.torture import torture


def test_a_system_call_that_kills_or_fails_loses_nothing() -> None:
    torture("calls", "eio", "full")


def test_a_power_cut_keeps_what_was_acknowledged() -> None:
    torture("power")
