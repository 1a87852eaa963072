"""What becomes of a document at the end of a round: one decision, from values to values.

`stop_reason` decides first, then what was expected of the text. What is cut or short goes on as long as rounds, room
and money are left: `next_round` weighs that, and `claude.turn` writes the next request.
"""

from dataclasses import dataclass
from typing import Final as Constant

from batchd.claude.catalogue import LONGEST_OUTPUT, LongOutput, ModelFacts
from batchd.claude.price import token_prices
from batchd.claude.turn import Wanted, larger_params, next_params
from batchd.claude.verdict import LOST, Outcome, Result, judge
from batchd.decisions.document.contents import NONE, Contents, contents_of
from batchd.decisions.document.draft import NOTHING as NO_DRAFT
from batchd.decisions.document.draft import Draft
from batchd.decisions.document.expectation import NOTHING as NOTHING_EXPECTED
from batchd.decisions.document.expectation import Expectation
from batchd.decisions.document.expectation_check import Findings, examine, thinking_ate_it
from batchd.decisions.document.next_round import Action, RoundDecision, RoundFacts, decide, tokens_at_most
from batchd.decisions.document.remaining import rounds_left, still_to_cost, takes_no_round, tokens_left
from batchd.decisions.document.stitch import join, kept
from batchd.delivery import Trip
from batchd.model import BETA_300K, Lane, Verdict
from batchd.text.strictjson import Json, decode

UNFINISHED: Constant = frozenset({Verdict.TRUNCATED, Verdict.SHORT})
"""Verdicts after which a document can be continued."""
ENDED: Constant = frozenset({Verdict.COMPLETE, Verdict.SHORT})
"""Verdicts of what its model has ended by itself."""
TOKENS_PER_WORD: Constant = 1.5
"""Of English prose, about; more rather than less."""


@dataclass(frozen=True, slots=True)
class Round:
    """A document in one of its rounds, with all that a decision about it needs besides the result."""

    trip: Trip
    facts: ModelFacts
    """Of its model."""
    draft: Draft = NO_DRAFT
    expected: Expectation = NOTHING_EXPECTED
    first: bytes = b"{}"
    """The params of the first round; needed only where rounds are left."""


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
        return _final(before, outcome.verdict, outcome.reason, before.draft.text)
    answered = _answered(before, result, outcome)
    lost = before.expected.unreadable or result.unreadable
    if answered.verdict in UNFINISHED and not trip.cancelled and not lost:
        first, _ = decode(before.first.decode()) if trip.rounds or trip.round else ({}, 0)
        decision = decide(_facts(answered, first), token_prices(trip.model, trip.lane))
        if decision.action is not Action.STOP:
            return _continued(answered, first, decision)
        told = filter(None, (answered.reason, decision.reason if trip.rounds or trip.round else ""))
        return _final(before, answered.verdict, "; ".join(told), answered.text)
    return _final(before, answered.verdict, answered.reason, answered.text)


@dataclass(frozen=True, slots=True)
class _Answered:
    """A round that brought an answer."""

    before: Round
    result: Result
    text: str
    """Of the whole document."""
    verdict: Verdict
    reason: str
    thinking: str
    """What `thinking_ate_it` says."""
    findings: Findings | None = None
    """What is wanting of a text that its model has ended; None where nothing is, or it was cut."""

    @property
    def prompt_tokens(self) -> int:
        """Of the first round, cached or not."""
        usage = self.result.usage
        read = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
        return self.before.draft.prompt_tokens or read

    @property
    def left(self) -> int:
        """Tokens that may still be written."""
        return tokens_left(self.before.trip, self.result)


def _answered(before: Round, result: Result, outcome: Outcome) -> _Answered:
    """Judge the whole document: by its `stop_reason` first, then by what was expected."""
    trip, draft, verdict = before.trip, before.draft, outcome.verdict or Verdict.ERRORED
    text = result.text
    if trip.round:
        text = join(draft.kept, result.text, dropped=draft.dropped, ended=draft.ended).text
        if takes_no_round(trip, result) and len(text) < len(draft.text):
            text = draft.text  # it broke off before it had written again what was cut off to be written again
    thinking = thinking_ate_it(
        result.text,
        stop_reason=result.stop_reason,
        output_tokens=result.usage.output_tokens,
        max_tokens=trip.max_tokens,
        thinking_tokens=result.thinking_tokens,
    )
    if verdict is Verdict.TRUNCATED:
        return _Answered(before, result, text, verdict, thinking or outcome.reason, thinking)
    if verdict is Verdict.COMPLETE:
        written = trip.written + result.usage.output_tokens - (result.thinking_tokens or 0)
        findings = examine(text, before.expected, written, files=trip.files)
        if not findings.met:
            return _Answered(before, result, text, Verdict.SHORT, findings.sentence, thinking, findings)
    return _Answered(before, result, text, verdict, outcome.reason, thinking)


def _final(before: Round, verdict: Verdict, reason: str, text: str) -> Final:
    return Final(verdict, reason, contents_of(before.trip, text, before.expected, cut=verdict not in ENDED))


def _facts(answered: _Answered, first: dict[str, Json]) -> RoundFacts:
    """Gather what decides about another round."""
    trip, draft, facts = answered.before.trip, answered.before.draft, answered.before.facts
    expected, text = answered.before.expected, answered.text
    longest = LONGEST_OUTPUT if facts.long_output is LongOutput.YES and trip.lane is Lane.BATCH else 0
    wish = max(expected.tokens or 0, int((expected.words or 0) * TOKENS_PER_WORD))
    return RoundFacts(
        cut=answered.verdict is Verdict.TRUNCATED,
        prompt_tokens=answered.prompt_tokens,
        text_tokens=tokens_at_most(len(text.encode())) if text.strip() else 0,
        max_tokens=trip.max_tokens,
        most_tokens=min(max(facts.max_output, longest), answered.left),
        window=facts.window,
        rounds_left=rounds_left(trip, answered.result),
        grew=not trip.round or len(text) > len(draft.text) or takes_no_round(trip, answered.result),
        structured="tools" in first or "format" in (first.get("output_config") or {}),
        thinking=answered.thinking,
        expected_tokens=wish or None,
        cached=draft.seams is not None,
    )


def _continued(answered: _Answered, first: dict[str, Json], decision: RoundDecision) -> Continue:
    trip, facts = answered.before.trip, answered.before.facts
    if decision.action is Action.RESEND:
        draft, params = NO_DRAFT, larger_params(first, decision.max_tokens)
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


def _asked_to_go_on(answered: _Answered, first: dict[str, Json], decision: RoundDecision) -> tuple[Draft, bytes]:
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
