"""The circuit breaker: while the API refuses everybody, one batch at a time asks."""

from batchd.edges.clock import Clock
from batchd.model import BatchId
from batchd.running.circuit_breaker import CircuitBreaker

ONE, TWO = BatchId(1), BatchId(2)


class Still(Clock):
    """A clock that stands until it is set."""

    time = 1_000.0

    def now(self) -> float:
        return self.time


def test_one_that_was_never_tripped_keeps_nobody() -> None:
    breaker = CircuitBreaker(Still())
    breaker.try_with(ONE)
    assert not breaker.closed
    assert breaker.keeps(TWO) == 0.0


def test_one_that_is_tripped_keeps_everybody_until_it_is_time_to_try() -> None:
    clock = Still()
    breaker = CircuitBreaker(clock)
    breaker.trip("no money")
    assert breaker.closed
    clock.time += (wait := breaker.keeps(ONE))
    assert wait > 0
    assert breaker.keeps(ONE) == 0.0


def test_while_one_tries_the_others_are_kept() -> None:
    clock = Still()
    breaker = CircuitBreaker(clock)
    breaker.trip("no money")
    clock.time += breaker.keeps(ONE)
    breaker.try_with(ONE)
    assert breaker.keeps(ONE) == 0.0
    assert breaker.keeps(TWO) > 0


def test_a_create_that_is_taken_lets_everybody_go_but_where_results_had_told_of_the_trouble() -> None:
    clock = Still()
    breaker = CircuitBreaker(clock)
    breaker.trip("no money")
    assert breaker.reset()
    assert not breaker.closed
    breaker.trip("no money", by_results=True)
    assert not breaker.reset()
    assert breaker.closed


def test_answers_to_what_was_sent_before_the_trouble_prove_nothing() -> None:
    clock = Still()
    breaker = CircuitBreaker(clock)
    breaker.trip("no money", by_results=True)
    assert not breaker.prove(sent_at=clock.time - 1)
    assert breaker.closed
    assert breaker.prove(sent_at=clock.time + 1)
    assert not breaker.closed
