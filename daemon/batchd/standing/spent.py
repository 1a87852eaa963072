"""What was spent, as `batchd costs --json` says it."""

from batchd.claude.price import from_picodollars
from batchd.decisions.report import rehearsal
from batchd.edges.store import Spent


def spent_as_data(spent: Spent, by: str) -> dict[str, object]:
    """Tell of one group in the words of `batchd costs --json`; documented in docs/json.md."""
    known = not spent.unpriced
    return {
        by: spent.group,
        **rehearsal(sandbox=spent.sandbox),
        "answers": spent.requests,
        "input_tokens": spent.input_tokens,
        "output_tokens": spent.output_tokens,
        "cost_usd": float(from_picodollars(spent.cost)) if known else None,
        "standard_cost_usd": float(from_picodollars(spent.standard_cost)) if known else None,
        "reserved_usd": float(from_picodollars(spent.reserved)),
        "answers_without_a_price": spent.unpriced,
        "answers_bounded": spent.bounded,
    }
