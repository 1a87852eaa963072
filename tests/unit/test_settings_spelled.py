"""What was said of a request, spelled as a job file says it."""

from batchd.decisions.jobfile.spelling import spelled


def test_all_that_was_said_is_spelled_as_a_line_has_it() -> None:
    assert spelled(2, ["files-1", "context-1"], {"lane": "sync"}, 1_500_000_000_000) == {
        "continue": 2,
        "betas": ["files-1", "context-1"],
        "lane": "sync",
        "budget": 1.5,
    }


def test_what_was_not_said_is_left_out() -> None:
    assert spelled(0, [], {}, None) == {"continue": 0}
