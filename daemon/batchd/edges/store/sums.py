"""Sums over the trips of a job or a request: tokens, money, and how its requests stand."""

from collections.abc import Collection
from decimal import Decimal

from batchd.claude.price import from_picodollars
from batchd.delivery import Tally
from batchd.edges.store.database import Row
from batchd.model import Cost, Usage, Verdict

SPENT = """
    total(input_tokens) AS input_tokens, total(output_tokens) AS output_tokens, total(cache_read) AS cache_read,
    total(cache_write_5m) AS cache_write_5m, total(cache_write_1h) AS cache_write_1h,
    coalesce(sum(cache_saved), 0) AS saved, coalesce(sum(cost), 0) AS cost,
    coalesce(sum(standard_cost), 0) AS standard_cost,
    count(*) FILTER (WHERE outcome = 'succeeded' AND cost IS NULL) AS unpriced,
    count(*) FILTER (WHERE outcome = 'succeeded' AND standard_cost IS NULL) AS unpriced_standard
"""
"""Sums over trips; one answer of unknown price makes the sum unknown."""


def tally_of(counts: Collection[Row], spent: Row | None) -> Tally:
    """Sum up how the requests of a job stand.

    Args:
        counts: How many (`n`) have which `verdict`, and are `travelling` or not.
        spent: A row that has `SPENT`; None for a job that has made no trip.
    """
    return Tally(
        waiting=sum(row["n"] for row in counts if row["verdict"] is None and not row["travelling"]),
        travelling=sum(row["n"] for row in counts if row["travelling"]),
        verdicts={Verdict(row["verdict"]): row["n"] for row in counts if row["verdict"] is not None},
        usage=Usage() if spent is None else usage_of(spent),
        cost=Cost(Decimal(0), Decimal(0)) if spent is None else cost_of(spent),
        saved=Decimal(0) if spent is None else from_picodollars(spent["saved"]),
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
        None if row["unpriced"] else from_picodollars(row["cost"]),
        None if row["unpriced_standard"] else from_picodollars(row["standard_cost"]),
    )
