from dataclasses import replace
from decimal import Decimal

import pytest
from batchd.claude.price import from_picodollars, price, to_picodollars
from batchd.decisions.money.budget import Hold, Limit, Prompt, Purse, afford, dollars, worst_case
from batchd.model import JobId, RequestId, Usage, Waiting

ONE = to_picodollars(Decimal(1)) or 0
A, B = JobId(1), JobId(2)


def waiting(number: int, job: JobId, worst: int | None = ONE, budget: int | None = None) -> Waiting:
    return Waiting(RequestId(number), 10, 100, (), "", 0.0, job, worst, budget)


def purse(today: Limit | None = None, **jobs: Limit) -> Purse:
    return Purse(today or Limit(None), {JobId(int(name[1:])): limit for name, limit in jobs.items()})


def fitting(found: list[Waiting]) -> list[int]:
    return [request.id for request in found]


def test_amounts_come_back_exactly() -> None:
    amount = Decimal("12345.000000000001")
    assert from_picodollars(to_picodollars(amount) or 0) == amount
    assert to_picodollars(None) is None


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "claude-opus-5-5", "claude-haiku-5-5", "claude-sonnet-4-5"])
@pytest.mark.parametrize("size", [10, 5_000, 99_999, 150_000, 900_000])
def test_no_answer_costs_more_than_the_worst_case(model: str, size: int) -> None:
    worst = worst_case(Prompt.bounded(b"x" * size), model, 64_000)
    dearest = price(Usage(input_tokens=size, output_tokens=64_000), model).charged
    assert worst is not None
    assert dearest is not None
    assert from_picodollars(worst) >= dearest


def test_the_worst_case_holds_for_every_round_with_the_text_so_far_read_again() -> None:
    worst = worst_case(Prompt.bounded(b"x" * 1_000), "claude-sonnet-4-6", 10_000, rounds=2, allowance=20_000)
    really = sum(
        price(Usage(cache_write_1h_tokens=1_000 + k * 10_000, output_tokens=10_000), "claude-sonnet-4-6").charged or 0
        for k in range(3)
    )
    assert worst is not None
    assert from_picodollars(worst) >= really


def test_an_unknown_price_is_no_price() -> None:
    assert worst_case(Prompt.bounded(b"x"), "claude-nonesuch", 10) is None


def test_without_a_budget_everything_travels_also_at_an_unknown_price() -> None:
    found = [waiting(1, A), waiting(2, B, None)]
    assert fitting(afford(found, purse()).fitting) == [1, 2]


def test_what_does_not_fit_is_held_and_nothing_of_its_job_goes_after_it() -> None:
    found = [waiting(1, A), waiting(2, A), waiting(3, A, worst=1), waiting(4, B)]
    allowed = afford(found, purse(_1=Limit(ONE + ONE // 2)))
    assert fitting(allowed.fitting) == [1, 4]
    assert set(allowed.holds) == {A}
    assert "$1.50" in allowed.holds[A].reason
    assert not allowed.holds[A].until_tomorrow
    assert allowed.holds[A].first == 2


def test_two_jobs_do_not_both_get_the_last_dollar_of_the_day() -> None:
    allowed = afford([waiting(1, A), waiting(2, B)], purse(Limit(3 * ONE, 2 * ONE)))
    assert fitting(allowed.fitting) == [1]
    assert allowed.holds[B].until_tomorrow


def test_what_was_spent_or_reserved_before_counts() -> None:
    assert afford([waiting(1, A)], purse(_1=Limit(ONE, 1))).fitting == []
    assert fitting(afford([waiting(1, A)], purse(_1=Limit(ONE, 0))).fitting) == [1]


def test_what_was_promised_goes_on_and_is_not_counted_twice() -> None:
    promised = replace(waiting(9, A), promised=True)
    allowed = afford([waiting(1, A), promised, waiting(10, B)], purse(Limit(2 * ONE, ONE), _1=Limit(ONE, ONE)))
    assert fitting(allowed.fitting) == [9, 10]
    assert list(allowed.holds) == [A]
    unpriced = replace(promised, worst=None)
    assert list(afford([unpriced], purse(_1=Limit(ONE))).holds) == [A]


def test_an_unknown_price_is_held_under_any_budget() -> None:
    for each in (purse(Limit(9 * ONE)), purse(_1=Limit(9 * ONE))):
        assert list(afford([waiting(1, A, None)], each).holds) == [A]
    assert list(afford([waiting(1, A, None, budget=ONE)], purse()).holds) == [A]


def test_a_request_has_its_own_budget() -> None:
    allowed = afford([waiting(1, A, budget=ONE - 1), waiting(2, B, budget=ONE)], purse())
    assert fitting(allowed.fitting) == [2]
    assert isinstance(allowed.holds[A], Hold)


def test_a_released_job_travels_whatever_it_costs_and_still_counts_for_the_others() -> None:
    free = Purse(Limit(ONE), {A: Limit(0)}, frozenset({A}))
    allowed = afford([waiting(1, A), waiting(2, B)], free)
    assert fitting(allowed.fitting) == [1]
    assert list(allowed.holds) == [B]


def test_amounts_are_shown_as_people_write_them() -> None:
    assert [dollars(each) for each in (0, ONE // 200, 1234 * ONE)] == ["$0.00", "$0.0050", "$1,234.00"]
