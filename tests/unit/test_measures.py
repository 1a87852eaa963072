"""Metrics of the store: however much there is, there is a bound to them."""

from batchd.claude.catalogue import Catalogue
from batchd.decisions import figures
from batchd.decisions.figures import Folders, largest
from batchd.decisions.measures import Charge, Limits, Measures, families_of

MODELS = [*sorted(Catalogue().models), *(f"made-up-{number}" for number in range(100))]


def measured(folders: int, models: list[str]) -> Measures:
    names = ["", *(f"folder-{number:03}" for number in range(folders))]
    charges = [Charge(queue, model, lane, 1.0, 2.0, 0.5, 1) for queue in names for model in models for lane in "bs"]
    verdicts = ("complete", "truncated", "short", "refused", "paused", "errored", "expired", "canceled")
    counters = {("request", verdict, queue): 3 for verdict in verdicts for queue in names}
    counters |= {("job", state, queue): 2 for state in ("done", "partial", "failed", "cancelled") for queue in names}
    counters |= {("file", "rejected", queue): 1 for queue in names}
    return Measures(
        schema=3,
        sandbox=False,
        jobs={"held": 1},
        batches={"held": 1},
        requests={(state, queue): 5 for state in ("waiting", "travelling") for queue in names},
        waiting_since=dict.fromkeys(names, 7.0),
        durations={},
        oldest_batch=None,
        oldest_result=None,
        counters=counters,
        charges=tuple(charges),
        today=1.0,
        month=2.0,
        notices=0,
        oldest_notice=None,
    )


def families(of: Measures, queues: int = 50) -> dict[str, dict[tuple[str, ...], float]]:
    is_known = set(Catalogue().models).__contains__
    told = families_of(of, queues=queues, is_known=is_known, limits=Limits(per_day=10.0))
    return {family.name: dict(family.samples) for family in told}


def test_their_number_is_bounded_and_their_sums_are_whole() -> None:
    of = measured(300, MODELS)
    told = families(of)
    assert sum(map(len, told.values())) < 2_000
    assert sum(told["batchd_cost_usd"].values()) == sum(charge.cost for charge in of.charges)
    assert sum(told["batchd_requests_finished"].values()) == 8 * 3 * 301
    assert len({labels[0] for labels in told["batchd_reserved_usd"]}) == 52
    assert {labels[1] for labels in told["batchd_cost_usd"]} <= {*Catalogue().models, "other"}


def test_without_a_budget_there_is_no_limit_and_with_one_there_is() -> None:
    told = families(measured(1, []))
    assert told["batchd_budget_limit_usd"] == {("day",): 10.0}
    assert told["batchd_budget_used_usd"] == {("day",): 1.0, ("month",): 2.0}


def test_the_largest_keep_their_names() -> None:
    values: dict[tuple[str, ...], float] = {("a",): 1.0, ("b",): 3.0, ("c",): 2.0}
    assert figures.bounded(values, largest(values, 1)) == {("b",): 3.0, ("other",): 3.0}
    assert [Folders(["b", "a", ""], 1)(folder) for folder in ("", "a", "b")] == ["", "a", "other"]
