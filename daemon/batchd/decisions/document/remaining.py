"""What a document may still write, and what that can still cost: both only ever fall from round to round."""

from typing import Final

from batchd.claude.catalogue import ModelFacts
from batchd.claude.price import to_picodollars
from batchd.claude.verdict import Result
from batchd.decisions.money.charge import cost_of
from batchd.decisions.money.worst_case import Prompt, worst_case
from batchd.delivery import Trip

MOST_BREAKS: Final = 10
"""Breaks that take no round of a document; what breaks off more often is bounded by its rounds, as all else is."""


def takes_no_round(trip: Trip, result: Result) -> bool:
    """Say whether a round broke off for no reason of the model's (a kill, a stop, a lost connection) and costs none.

    A document that may not be continued at all is not continued behind a break either.
    """
    return bool(result.broken) and trip.breaks < MOST_BREAKS and bool(trip.rounds or trip.round)


def rounds_left(trip: Trip, result: Result) -> int:
    """Count the rounds that may still follow once one is over, the next one included."""
    return trip.rounds + takes_no_round(trip, result)


def tokens_left(trip: Trip, result: Result) -> int:
    """Count the tokens that may still be written once a round is over; the first has room of its own."""
    taken = 0 if not trip.round or takes_no_round(trip, result) else result.usage.output_tokens
    return max(trip.allowance - taken, 0)


def still_to_cost(trip: Trip, facts: ModelFacts, result: Result, params: bytes, max_tokens: int) -> int | None:
    """Bound what the rounds after this one can cost.

    Args:
        trip: The round that is over.
        facts: Of its model.
        result: What it brought.
        params: Of the next round.
        max_tokens: Of the next round.

    Returns:
        Picodollars, and never more than what was bounded before, less what this round has cost; None where no price is
        known.
    """
    following = max(tokens_left(trip, result) - max_tokens, 0)
    rounds = rounds_left(trip, result) - 1
    prompt = Prompt.bounded(params, facts, trip.betas, trip.wishes.expect)
    anew = worst_case(prompt, trip.model, max_tokens, rounds, following, lane=trip.wishes.lane)
    spent = to_picodollars(cost_of(result, trip.model, trip.wishes.lane).charged)
    bounded = None if trip.worst is None else max(trip.worst - (spent or 0), 0)
    return min((each for each in (anew, bounded) if each is not None), default=None)
