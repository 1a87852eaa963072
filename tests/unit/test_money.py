from decimal import Decimal

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.claude.price import dollars, from_picodollars, price, to_picodollars
from batchd.decisions.money.budget import Bar, Limit, Purse, Share, afford
from batchd.decisions.money.worst_case import Prompt, worst_case
from batchd.model import Ceiling, JobId, RequestId, Usage, Waiting
from msgspec.structs import replace

ONE = to_picodollars(Decimal(1)) or 0
A, B = JobId(1), JobId(2)


def waiting(number: int, job: JobId, worst: int | None = ONE, budget: int | None = None) -> Waiting:
    return Waiting(RequestId(number), 10, 100, (), "", 0.0, job, worst, budget)


def purse(today: Limit | None = None, **jobs: Limit) -> Purse:
    return Purse(today or Limit(None), {JobId(int(name[1:])): limit for name, limit in jobs.items()})


def fitting(found: list[Waiting]) -> list[int]:
    return [request.id for request in found]


def bounded(params: bytes, model: str = "claude-sonnet-4-6") -> Prompt:
    return Prompt.bounded(params, Catalogue().find(model))


def test_amounts_come_back_exactly() -> None:
    amount = Decimal("12345.000000000001")
    assert from_picodollars(to_picodollars(amount) or 0) == amount
    assert to_picodollars(None) is None


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "claude-opus-5-5", "claude-haiku-5-5", "claude-sonnet-4-5"])
@pytest.mark.parametrize("size", [10, 5_000, 99_999, 150_000, 900_000])
def test_no_answer_costs_more_than_the_worst_case(model: str, size: int) -> None:
    worst = worst_case(bounded(b"x" * size, model), model, 64_000)
    read = min(size, Catalogue().find(model).window)  # what is longer is refused
    dearest = price(Usage(input_tokens=read, output_tokens=64_000), model).charged
    assert worst is not None
    assert dearest is not None
    assert from_picodollars(worst) >= dearest


def test_the_worst_case_holds_for_every_round_with_the_text_so_far_read_again() -> None:
    worst = worst_case(bounded(b"x" * 1_000), "claude-sonnet-4-6", 10_000, rounds=2, allowance=20_000)
    really = sum(
        price(Usage(cache_write_1h_tokens=1_000 + k * 10_000, output_tokens=10_000), "claude-sonnet-4-6").charged or 0
        for k in range(3)
    )
    assert worst is not None
    assert from_picodollars(worst) >= really


def test_an_unknown_price_is_no_price() -> None:
    assert worst_case(bounded(b"x"), "claude-nonesuch", 10) is None


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
    assert fitting(afford([unpriced], purse(_1=Limit(ONE))).fitting) == [9]


def test_an_unknown_price_is_held_under_any_budget() -> None:
    for each in (purse(Limit(9 * ONE)), purse(_1=Limit(9 * ONE))):
        assert list(afford([waiting(1, A, None)], each).holds) == [A]
    assert list(afford([waiting(1, A, None, budget=ONE)], purse()).holds) == [A]


def test_a_request_has_its_own_budget() -> None:
    allowed = afford([waiting(1, A, budget=ONE - 1), waiting(2, B, budget=ONE)], purse())
    assert fitting(allowed.fitting) == [2]
    assert (allowed.holds[A].bar, allowed.holds[A].room) == (Bar.REQUEST, ONE - 1)


def test_a_released_job_travels_whatever_it_costs_and_still_counts_for_the_others() -> None:
    free = Purse(Limit(ONE), {A: Limit(0)}, {A: None})
    allowed = afford([waiting(1, A), waiting(2, B)], free)
    assert fitting(allowed.fitting) == [1]
    assert list(allowed.holds) == [B]


def test_amounts_are_shown_as_people_write_them() -> None:
    assert [dollars(each) for each in (0, ONE // 200, 1234 * ONE)] == ["$0.00", "$0.0050", "$1,234.00"]


def test_a_job_released_up_to_a_sum_goes_so_far_whatever_the_other_budgets_say() -> None:
    some = Purse(Limit(ONE, ONE), {A: Limit(0, ONE)}, {A: 3 * ONE})
    allowed = afford([waiting(1, A, budget=1), waiting(2, A), waiting(3, A)], some)
    assert fitting(allowed.fitting) == [1, 2]
    assert (allowed.holds[A].bar, allowed.holds[A].room, allowed.holds[A].first) == (Bar.RELEASE, 0, 3)
    assert "released up to $3.00" in allowed.holds[A].reason


def test_what_a_held_request_may_cost_is_what_the_narrowest_budget_has_left() -> None:
    allowed = afford([waiting(1, A, worst=5 * ONE, budget=4 * ONE)], purse(Limit(3 * ONE, ONE), _1=Limit(9 * ONE)))
    assert allowed.holds[A].room == 2 * ONE
    assert afford([waiting(1, A)], purse(_1=Limit(ONE, 2 * ONE))).holds[A].room == 0


def test_no_round_reads_more_than_the_window() -> None:
    small, wide = (worst_case(Prompt(10_000_000, window), "claude-haiku-4-5", 8) for window in (200_000, 1_000_000))
    assert small is not None
    assert wide is not None
    assert from_picodollars(small) < Decimal("0.11")
    assert 4.9 < wide / small < 5
    rounds = worst_case(Prompt(150_000, 200_000), "claude-haiku-4-5", 64_000, rounds=3, allowance=192_000)
    assert rounds is not None
    read = 150_000 + 3 * 200_000
    assert from_picodollars(rounds) == Decimal(read) / 1_000_000 + Decimal("2.5") * 256_000 / 1_000_000


def test_a_region_of_the_request_is_in_the_worst_case() -> None:
    params = b'{"messages":[{"role":"user","content":"Sort it."}],"inference_geo":"us"}'
    there = bounded(params)
    assert there.geo == "us"
    plain, dearer = (worst_case(prompt, "claude-sonnet-4-6", 1_000) for prompt in (there._replace(geo=None), there))
    assert plain is not None
    assert dearer == plain * 11 // 10
    assert worst_case(there._replace(geo="mars"), "claude-sonnet-4-6", 1_000) is None
    assert bounded(b'{"messages":[{"role":"user","content":"\\"inference_geo\\":\\"us\\""}]}').geo is None


def test_jobs_of_a_folder_share_what_it_may_cost_in_a_day_and_no_other_job_does() -> None:
    there = Purse(Limit(None), {}, {}, {A: Ceiling("q", 3 * ONE), B: Ceiling("q", 3 * ONE)}, {"q": ONE})
    other = JobId(3)
    allowed = afford([waiting(1, A), waiting(2, B), waiting(3, B), waiting(4, other), waiting(5, A)], there)
    assert fitting(allowed.fitting) == [1, 2, 4]
    hold = allowed.holds[A]
    assert (hold.bar, hold.first, hold.room, hold.until_tomorrow) == (Bar.FOLDER, 5, 0, True)
    assert "budget_day of its folder's .batchd.md is $3.00, $3.00 of it are spent" in hold.reason


def test_a_job_of_a_folder_that_is_let_go_is_asked_about_no_day_and_counts_in_it() -> None:
    ceilings = {A: Ceiling("q", ONE), B: Ceiling("q", ONE), JobId(3): Ceiling("q", None)}
    free = Purse(Limit(None), {}, {A: None}, ceilings, {"q": ONE})
    allowed = afford([waiting(1, A), waiting(2, B), waiting(3, JobId(3))], free)
    assert fitting(allowed.fitting) == [1, 3]
    assert "$2.00 of it are spent" in allowed.holds[B].reason


def test_of_several_shares_the_first_that_is_used_up_holds_and_says_when_it_has_room_again() -> None:
    queue = (Share(Bar.QUEUE_DAY, "q", 2 * ONE), Share(Bar.QUEUE_MONTH, "q", 9 * ONE), Share(Bar.MONTH, "", 50 * ONE))
    there = Purse(Limit(None), {}, shares={A: queue, B: queue}, pots={(Bar.QUEUE_MONTH, "q"): ONE})
    allowed = afford([waiting(1, A), waiting(2, B), waiting(3, A), waiting(4, JobId(3))], there)
    assert fitting(allowed.fitting) == [1, 2, 4]
    hold = allowed.holds[A]
    assert (hold.bar, hold.until_tomorrow, hold.until_next_month) == (Bar.QUEUE_DAY, True, False)
    used = Purse(Limit(None), {}, shares={A: queue}, pots={(Bar.MONTH, ""): 50 * ONE})
    hold = afford([waiting(1, A)], used).holds[A]
    assert (hold.bar, hold.until_tomorrow, hold.until_next_month) == (Bar.MONTH, False, True)
    assert "the budget of the month is $50.00" in hold.reason
