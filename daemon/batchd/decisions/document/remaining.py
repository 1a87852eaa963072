"""What a document may still write, and what that can still cost: both only ever fall from round to round."""

from batchd.claude.price import price, to_picodollars
from batchd.claude.verdict import Result
from batchd.decisions.money.budget import Prompt, worst_case
from batchd.delivery import Trip
from batchd.model import Usage


def tokens_left(trip: Trip, usage: Usage) -> int:
    """Count the tokens that may still be written once a round is over; the first has room of its own."""
    return max(trip.allowance - (usage.output_tokens if trip.round else 0), 0)


def still_to_cost(trip: Trip, result: Result, params: bytes, max_tokens: int) -> int | None:
    """Bound what the rounds after this one can cost.

    Args:
        trip: The round that is over.
        result: What it brought.
        params: Of the next round.
        max_tokens: Of the next round.

    Returns:
        Picodollars, and never more than what was bounded before, less what this round has cost; None where no price is
        known.
    """
    following = max(tokens_left(trip, result.usage) - max_tokens, 0)
    anew = worst_case(Prompt.bounded(params), trip.model, max_tokens, trip.rounds - 1, following, lane=trip.lane)
    spent = to_picodollars(price(result.usage, result.model or trip.model, trip.lane).charged)
    bounded = None if trip.worst is None else max(trip.worst - (spent or 0), 0)
    return min((each for each in (anew, bounded) if each is not None), default=None)
