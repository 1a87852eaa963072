"""`kill -9` at six random moments of a run with 12 jobs, restarted each time: the quick form of `make torture`."""

from tests.support.torture import torture


def test_killed_again_and_again_the_real_process_loses_nothing_and_sends_nothing_twice() -> None:
    torture("random", "--lanes", "1")
