"""What becomes of a document at the end of a round: one decision, from values to values.

`stop_reason` decides first, then what was expected of the text. What is cut or short goes on as long as rounds, room
and money are left: `next_round` weighs that, and `claude.turn` writes the next request.
"""

from dataclasses import dataclass
from typing import Final as Constant

from batchd.claude.catalogue import LONGEST_OUTPUT, LongOutput
from batchd.claude.params import Params, params_of
from batchd.claude.price import token_prices
from batchd.claude.turn import Wanted, larger_params, next_params, writes_by_schema
from batchd.claude.verdict import LOST, Result, judge
from batchd.decisions.document.answer import Answered, judged
from batchd.decisions.document.contents import NONE, Contents, contents_of
from batchd.decisions.document.data import data_of_calls, is_structured
from batchd.decisions.document.draft import Draft
from batchd.decisions.document.next_round import Action, RoundDecision, RoundFacts, decide, tokens_at_most
from batchd.decisions.document.remaining import rounds_left, still_to_cost, takes_no_round
from batchd.decisions.document.round import Round
from batchd.decisions.document.stitch import kept
from batchd.model import BETA_300K, Lane, Verdict
from batchd.text.characters import is_blank

UNFINISHED: Constant = frozenset({Verdict.TRUNCATED, Verdict.SHORT})
"""Verdicts after which a document can be continued."""
ENDED: Constant = frozenset({Verdict.COMPLETE, Verdict.SHORT})
"""Verdicts of what its model has ended by itself."""
TOKENS_PER_WORD: Constant = 1.5
CHARACTERS_PER_TOKEN: Constant = 4
"""Of English prose, about."""


@dataclass(frozen=True, slots=True)
class Final:
    """The request has its verdict, and its document is written."""

    verdict: Verdict
    reason: str
    contents: Contents = NONE


@dataclass(frozen=True, slots=True)
class Again:
    """The request was not answered, and is sent again as it was."""

    reason: str


@dataclass(frozen=True, slots=True)
class Continue:
    """The document goes on in another round."""

    reason: str
    draft: Draft
    """As it is before that round."""
    params: bytes
    max_tokens: int
    betas: tuple[str, ...]
    rounds: int
    """How many may follow that one."""
    allowance: int
    """Tokens that it and those may write together."""
    worst: int | None
    """Picodollars that it and those can cost; None where the price is not known."""


def next_step(before: Round, result: Result | None) -> Final | Again | Continue:
    """Decide what becomes of a request whose result is here, or will never be.

    Args:
        before: The document before the result.
        result: None when the API has none.
    """
    trip = before.trip
    outcome = LOST if result is None else judge(result, attempts_left=trip.attempts_left, cancelled=trip.cancelled)
    if outcome.verdict is None:
        return Again(outcome.reason)
    if result is None or result.type != "succeeded":
        return _unanswered(before, outcome.verdict, outcome.reason)
    answered = judged(before, result, outcome)
    if answered.verdict in UNFINISHED and not trip.cancelled and not answered.hopeless:
        first = params_of(before.first) if trip.rounds or trip.round else Params()
        decision = decide(_facts(answered, first), token_prices(trip.model, trip.wishes.lane))
        if decision.action is not Action.STOP:
            return _continued(answered, first, decision)
        told = filter(None, (answered.reason, decision.reason if trip.rounds or trip.round else ""))
        return _answered(answered, "; ".join(told))
    return _answered(answered, answered.reason)


def _unanswered(before: Round, verdict: Verdict, reason: str) -> Final:
    """What was written in earlier rounds is the document."""
    return Final(verdict, reason, contents_of(before.trip, before.draft.paid, before.expected, cut=True))


def _answered(answered: Answered, reason: str) -> Final:
    before, text, verdict = answered.before, answered.text, answered.verdict
    data = data_of_calls(answered.result.calls) if verdict in ENDED else ""
    if verdict in ENDED and is_structured(text, before.first):
        text, data = "", text
    return Final(verdict, reason, contents_of(before.trip, text, before.expected, cut=verdict not in ENDED, data=data))


def _facts(answered: Answered, first: Params) -> RoundFacts:
    """Gather what decides about another round."""
    trip, draft, facts = answered.before.trip, answered.before.draft, answered.before.facts
    expected, text = answered.before.expected, answered.text
    longest = LONGEST_OUTPUT if facts.long_output is LongOutput.YES and trip.wishes.lane is Lane.BATCH else 0
    of_length = ((expected.words or 0) * TOKENS_PER_WORD, (expected.characters or 0) / CHARACTERS_PER_TOKEN)
    wish = max(expected.tokens or 0, *map(int, of_length))
    return RoundFacts(
        cut=answered.verdict is Verdict.TRUNCATED,
        prompt_tokens=answered.prompt_tokens,
        text_tokens=tokens_at_most(len(text.encode())) if not is_blank(text) else 0,
        max_tokens=trip.max_tokens,
        most_tokens=min(max(facts.max_output, longest), answered.left),
        window=facts.window,
        rounds_left=rounds_left(trip, answered.result),
        grew=not trip.round or len(text) > len(draft.text) or takes_no_round(trip, answered.result),
        structured="tools" in first or writes_by_schema(answered.before.first),
        thinking=answered.thinking,
        expected_tokens=wish or None,
        cached=draft.seams is not None,
    )


def _continued(answered: Answered, first: Params, decision: RoundDecision) -> Continue:
    trip, facts = answered.before.trip, answered.before.facts
    if decision.action is Action.RESEND:
        draft = Draft("", "", ended=False, prompt_tokens=0, earlier=answered.text)
        params = larger_params(first, decision.max_tokens)
    else:
        draft, params = _asked_to_go_on(answered, first, decision)
    long = decision.max_tokens > facts.max_output
    return Continue(
        reason=decision.reason,
        draft=draft,
        params=params,
        max_tokens=decision.max_tokens,
        betas=tuple(sorted({*trip.betas, BETA_300K})) if long else trip.betas,
        rounds=rounds_left(trip, answered.result) - 1,
        allowance=answered.left,
        worst=still_to_cost(trip, facts, answered.result, params, decision.max_tokens),
    )


def _asked_to_go_on(answered: Answered, first: Params, decision: RoundDecision) -> tuple[Draft, bytes]:
    """The text as it is sent, and the request that carries it on."""
    draft, findings, text = answered.before.draft, answered.findings, answered.text
    wanted = Wanted(findings.sentence, findings.missing, answered.before.expected.marker) if findings else None
    # What broke off before it came further would be asked for the same again: it gets all that there is instead.
    stuck = takes_no_round(answered.before.trip, answered.result) and text == draft.text
    so_far = text if findings or stuck else kept(text, since=len(draft.kept))
    earlier = draft.seams or ()
    params = next_params(
        first, so_far, max_tokens=decision.max_tokens, wanted=wanted, cached=earlier if decision.cache else None
    )
    seams = (*earlier, len(so_far)) if decision.cache else None
    return Draft(so_far, text[len(so_far) :], findings is not None, answered.prompt_tokens, seams), params
