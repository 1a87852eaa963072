"""What a piece of work costs a processor, whatever else the machine is doing, and whichever machine it is."""

import time
from collections.abc import Callable
from functools import cache

_TRIES = 3
_ROUNDS = 4


def effort(work: Callable[[], object]) -> float:
    """Return the processor time of a piece of work, in units of a fixed piece of work on this machine.

    On a machine of today a unit is some hundredths of a second.
    """
    return processor_seconds(work) / _unit()


def assert_linear(work: Callable[[int], Callable[[], object]], size: int, times: int = 16) -> None:
    """Assert that work of `times` the size does not take much more than `times` the effort.

    Args:
        work: Prepares work of a size; what it returns is measured.
        size: The small one, of at least some thousandths of a second.
        times: Quadratic work takes `times` times as long as linear work.
    """
    small = large = float("inf")
    # Caches that others use too make any one measurement longer, and none shorter: work that is quadratic stays so.
    for _ in range(_ROUNDS):
        small = min(small, *(processor_seconds(work(size)) for _ in range(_TRIES)))
        large = min(large, *(processor_seconds(work(size * times)) for _ in range(_TRIES)))
        if large <= (times * small + 0.1 * _unit()) * times**0.5:
            return
    raise AssertionError(f"{times} times the work took {large / max(small, 1e-9):.0f} times as long")


def processor_seconds(work: Callable[[], object]) -> float:
    """Return the processor time that this thread spends on a piece of work."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


@cache
def _unit() -> float:
    return min(processor_seconds(lambda: sum(number % 7 for number in range(500_000))) for _ in range(_TRIES))
