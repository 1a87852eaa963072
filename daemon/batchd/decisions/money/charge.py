"""What an answer has cost, as far as its result tells."""

from decimal import Decimal

from batchd.claude.price import price, saved_by_cache, tariff
from batchd.claude.verdict import Result
from batchd.model import Cost, Lane

UNKNOWN = Cost(None, None)


def cost_of(result: Result, asked: str, lane: Lane) -> Cost:
    """Price an answer by the model that it names or, where nobody knows that one, by the model that was asked.

    Returns:
        USD; unknown, and never 0, where its usage is not said or cannot be, or its region or both models have no price.
    """
    return price(result.usage, _model(result, asked), lane, result.geo) if result.metered else UNKNOWN


def saved_of(result: Result, asked: str, lane: Lane) -> Decimal | None:
    """Say by how many USD the prompt cache made an answer cheaper; None where that is not known."""
    return saved_by_cache(result.usage, _model(result, asked), lane, result.geo) if result.metered else None


def _model(result: Result, asked: str) -> str:
    """Gateways answer under names of their own."""
    return result.model if result.model and tariff(result.model, Lane.SYNC) else asked
