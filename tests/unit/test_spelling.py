"""Which known word a misspelling means."""

import tracemalloc

from batchd.text.spelling import closest


def test_a_misspelling_means_the_word_that_it_is_most_like_and_another_word_means_none() -> None:
    assert closest("max_token", ("model", "max_tokens", "tokens"), 0.75) == "max_tokens"
    assert closest("colour", ("model", "max_tokens"), 0.75) == ""


def test_a_word_without_end_is_like_none_and_takes_no_memory() -> None:
    word = "x" * 1_000_000
    tracemalloc.start()
    try:
        assert closest(word, ("x", "xx"), 0.0) == ""
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
