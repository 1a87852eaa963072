"""The measure of other tests: it tells work that grows with the square from work that grows with the size."""

from functools import partial

import pytest

from tests.support.effort import assert_linear, effort


def square(size: int) -> int:
    return sum(1 for _ in range(size) for _ in range(size))


def test_work_that_grows_with_the_size_is_linear() -> None:
    assert_linear(lambda size: partial(sum, range(size)), 20_000)


def test_work_that_grows_with_the_square_is_found_out() -> None:
    with pytest.raises(AssertionError, match="16 times the work took"):
        assert_linear(lambda size: partial(square, size), 100)


def test_effort_counts_work_and_not_the_machine() -> None:
    assert effort(lambda: None) < 0.1
    assert 1 < effort(partial(square, 2_000)) < 1_000
