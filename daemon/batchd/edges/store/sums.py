"""Sums over the trips of a job or a request: tokens, money, and how its requests stand."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from types import MappingProxyType

from batchd.claude.price import from_picodollars
from batchd.delivery import Tally
from batchd.edges.store.statements import Row
from batchd.model import Cost, Usage, Verdict

MICRO = 1_000_000
"""Picodollars of a microdollar."""


def exact(expression: str, name: str) -> str:
    """Write a sum of picodollars in SQL that no amount makes too large for an INTEGER; `amount` reads it."""
    return (
        f"coalesce(sum(({expression}) / {MICRO}), 0) AS {name}_micro, "
        f"coalesce(sum(({expression}) % {MICRO}), 0) AS {name}_pico"
    )


def amount(row: Row | None, name: str) -> int:
    """Read a sum of picodollars; no row is nothing."""
    return 0 if row is None else int(row[f"{name}_micro"]) * MICRO + int(row[f"{name}_pico"])


SPENT = f"""
    total(input_tokens) AS input_tokens, total(output_tokens) AS output_tokens, total(cache_read) AS cache_read,
    total(cache_write_5m) AS cache_write_5m, total(cache_write_1h) AS cache_write_1h,
    {exact("cache_saved", "saved")}, {exact("cost", "cost")}, {exact("standard_cost", "standard_cost")},
    count(*) FILTER (WHERE bounded) AS bounded, coalesce(sum(unpriced), 0) AS unpriced,
    coalesce(sum(unpriced_standard), 0) AS unpriced_standard
"""
"""Sums over trips; one of unknown cost makes the sum unknown."""


def tally_of(counts: Collection[Row], spent: Row | None, models: Mapping[str, int] = MappingProxyType({})) -> Tally:
    """Sum up how the requests of a job stand.

    Args:
        counts: How many (`n`) have which `verdict`, and are `travelling` or not.
        spent: A row that has `SPENT`; None for a job that has made no trip.
        models: How many of them go to each.
    """
    return Tally(
        waiting=sum(row["n"] for row in counts if row["verdict"] is None and not row["travelling"]),
        travelling=sum(row["n"] for row in counts if row["travelling"]),
        verdicts={Verdict(row["verdict"]): row["n"] for row in counts if row["verdict"] is not None},
        usage=Usage() if spent is None else usage_of(spent),
        cost=Cost(Decimal(0), Decimal(0)) if spent is None else cost_of(spent),
        saved=Decimal(0) if spent is None else from_picodollars(amount(spent, "saved")),
        bounded=0 if spent is None else spent["bounded"],
        models=models,
    )


def usage_of(row: Row) -> Usage:
    """Read the sums of `SPENT`.

    Args:
        row: A row that has them.
    """
    return Usage(
        int(row["input_tokens"]),
        int(row["output_tokens"]),
        int(row["cache_read"]),
        int(row["cache_write_5m"]),
        int(row["cache_write_1h"]),
    )


def cost_of(row: Row) -> Cost:
    """Read the money of `SPENT`.

    Args:
        row: A row that has it.
    """
    return Cost(
        None if row["unpriced"] else from_picodollars(amount(row, "cost")),
        None if row["unpriced_standard"] else from_picodollars(amount(row, "standard_cost")),
    )
