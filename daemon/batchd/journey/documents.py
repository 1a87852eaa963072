"""The editor: makes one document of the rounds that wrote it, and decides whether it is whole or to be continued.

It runs in the collector's worker thread. What it writes is private and may be written again: the draft of a round has
the number of the round in its name, and the params of the next one are appended to the spool; both count only from
the commit on that names them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from batchd.claude.catalogue import LONGEST_OUTPUT, Catalogue, LongOutput
from batchd.claude.price import price, saved_by_cache, to_picodollars, token_prices
from batchd.claude.turn import Wanted, larger_params, next_params
from batchd.claude.verdict import AGAIN, LOST, Outcome, Result, judge
from batchd.decisions.document.answer_files import find
from batchd.decisions.document.expectation import Expectation, expectation_of
from batchd.decisions.document.expectation_check import Findings, examine, thinking_ate_it
from batchd.decisions.document.next_round import Action, RoundDecision, RoundFacts, decide, tokens_at_most
from batchd.decisions.document.stitch import join, kept
from batchd.decisions.money.budget import Prompt, worst_case
from batchd.delivery import Delivery, Filed, NextRound, Trip
from batchd.edges.drafts import Draft, Drafts
from batchd.edges.outbox import DOCUMENTS
from batchd.edges.spool import append_to_spool, read_from_spool
from batchd.model import BETA_300K, Lane, Verdict
from batchd.text.sections import file_name, marks, split
from batchd.text.strictjson import decode

UNFINISHED = frozenset({Verdict.TRUNCATED, Verdict.SHORT})
"""Verdicts after which a document can be continued."""
ENDED = frozenset({Verdict.COMPLETE, Verdict.SHORT})
"""Verdicts of what its model has ended by itself."""
FILES = "files"
"""The folder of an answer's files, beside its sections."""
TOKENS_PER_WORD = 1.5
"""Of English prose, about; more rather than less."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What becomes of a result, and the files that are to appear in the job's folder before it is acknowledged."""

    delivery: Delivery
    files: tuple[tuple[str, str], ...] = ()
    """Names relative to the job's folder, and texts."""


class Documents:
    """Judges results as documents."""

    def __init__(self, drafts: Drafts, spool: Path, catalogue: Catalogue) -> None:
        """Make ready.

        Args:
            drafts: The unfinished documents.
            spool: The folder of params.
            catalogue: What models can write.
        """
        self._drafts = drafts
        self._spool = spool
        self._catalogue = catalogue

    def assemble(self, trip: Trip, result: Result | None) -> Edited:
        """Decide what becomes of a request whose result is here, or will never be.

        Args:
            trip: The request on its trip.
            result: Its result; None when the API has none.
        """
        draft = self._drafts.read(trip.request, trip.round)
        outcome = LOST if result is None else judge(result, attempts_left=trip.attempts_left, cancelled=trip.cancelled)
        if result is None or result.type != "succeeded":
            text = draft.text
        elif trip.round:
            text = join(draft.kept, result.text, dropped=draft.dropped, ended=draft.ended).text
        else:
            text = result.text
        following: NextRound | None = None
        if result is not None and outcome.verdict is not None:
            outcome, findings = _held_to(outcome, text, trip, result)
            if outcome.verdict in UNFINISHED and not trip.cancelled:
                decision = self._decide(trip, draft, text, result, cut=outcome.verdict is Verdict.TRUNCATED)
                if decision.action is Action.STOP:
                    told = filter(None, (outcome.reason, decision.reason if trip.rounds or trip.round else ""))
                    outcome = Outcome(outcome.verdict, "; ".join(told))
                else:
                    following = self._prepare(trip, draft, text, result, decision, findings)
                    outcome = Outcome(None, decision.reason)
        delivery, files = _filed(trip, result, outcome, text)
        return Edited(replace(delivery, following=following) if following else delivery, files)

    def forget(self, deliveries: Iterable[Delivery]) -> None:
        """Remove the drafts of documents that are finished, once that is acknowledged.

        Args:
            deliveries: What was acknowledged.
        """
        for delivery in deliveries:
            if delivery.verdict is not None and delivery.verdict not in AGAIN:
                self._drafts.discard(delivery.request)

    def _decide(self, trip: Trip, draft: Draft, text: str, result: Result, *, cut: bool) -> RoundDecision:
        facts = self._catalogue.find(trip.model)
        longest = LONGEST_OUTPUT if facts.long_output is LongOutput.YES and trip.lane is Lane.BATCH else 0
        ceiling = max(facts.max_output, longest)
        first = self._first(trip) if trip.rounds else b"{}"
        params, _ = decode(first.decode())
        expected = _expectation(trip)
        wish = max(expected.tokens or 0, int((expected.words or 0) * TOKENS_PER_WORD)) if expected else 0
        return decide(
            RoundFacts(
                cut=cut,
                prompt_tokens=draft.prompt_tokens or _prompt_tokens(result),
                text_tokens=tokens_at_most(len(text.encode())) if text.strip() else 0,
                max_tokens=trip.max_tokens,
                most_tokens=min(ceiling, _left(trip, result)),
                window=facts.window,
                rounds_left=trip.rounds,
                grew=not trip.round or len(text) > len(draft.text),
                structured="tools" in params or "format" in (params.get("output_config") or {}),
                thinking=_thinking(trip, result),
                expected_tokens=wish or None,
                cached=draft.seams is not None,
            ),
            token_prices(trip.model, trip.lane),
        )

    def _prepare(  # noqa: PLR0913  a round follows from all that is known of the one before
        self, trip: Trip, draft: Draft, text: str, result: Result, decision: RoundDecision, findings: Findings | None
    ) -> NextRound:
        first = self._first(trip)
        if decision.action is Action.RESEND:
            after = Draft("", "", ended=False, prompt_tokens=0)
            params = larger_params(first, decision.max_tokens)
        else:
            so_far = text if findings else kept(text, since=len(draft.kept))
            seams = (*(draft.seams or ()), len(so_far)) if decision.cache else None
            wanted = None
            if findings is not None:
                expected = _expectation(trip) or Expectation()
                wanted = Wanted(findings.sentence, findings.missing, expected.marker)
            params = next_params(
                first,
                so_far,
                max_tokens=decision.max_tokens,
                wanted=wanted,
                cached=draft.seams or () if decision.cache else None,
            )
            prompt = draft.prompt_tokens or _prompt_tokens(result)
            after = Draft(so_far, text[len(so_far) :], findings is not None, prompt, seams)
        self._drafts.write(trip.request, trip.round + 1, after)
        offset = append_to_spool(self._spool / trip.claim, params)
        left = _left(trip, result)
        facts = self._catalogue.find(trip.model)
        long = decision.max_tokens > facts.max_output
        return NextRound(
            offset=offset,
            size=len(params),
            max_tokens=decision.max_tokens,
            betas=tuple(sorted({*trip.betas, BETA_300K})) if long else trip.betas,
            rounds=trip.rounds - 1,
            allowance=left,
            worst=_still(trip, result, params, decision.max_tokens, left),
        )

    def _first(self, trip: Trip) -> bytes:
        return read_from_spool(self._spool / trip.claim, trip.offset, trip.size)


def _held_to(outcome: Outcome, text: str, trip: Trip, result: Result) -> tuple[Outcome, Findings | None]:
    """Hold a document that its model has ended to what was expected of it; `stop_reason` has decided before."""
    if outcome.verdict is Verdict.TRUNCATED:
        return Outcome(outcome.verdict, _thinking(trip, result) or outcome.reason), None
    expected = _expectation(trip)
    if outcome.verdict is not Verdict.COMPLETE or (expected is None and not trip.files):
        return outcome, None
    written = trip.written + result.usage.output_tokens - (result.thinking_tokens or 0)
    findings = examine(text, expected or Expectation(), written, files=trip.files)
    return (outcome, None) if findings.met else (Outcome(Verdict.SHORT, findings.sentence), findings)


def _filed(
    trip: Trip, result: Result | None, outcome: Outcome, text: str
) -> tuple[Delivery, tuple[tuple[str, str], ...]]:
    files: list[tuple[str, str]] = []
    sections: tuple[tuple[str, str], ...] = ()
    if trip.documents and text and outcome.verdict is not None:
        expected = _expectation(trip)
        marker = (expected or Expectation()).marker
        if marks(text, marker) or (expected and (expected.titles or expected.count)):
            pieces = split(text, marker)
            named = [
                (each, f"{DOCUMENTS}/{trip.name}/{file_name(each.number, each.title, len(pieces))}") for each in pieces
            ]
            files += [(name, each.text) for each, name in named]
            sections = tuple((each.title, name) for each, name in named)
        files.append((f"{DOCUMENTS}/{trip.name}.md", text))
    document = files[-1][0] if files else None
    filed: Filed | None = None
    if trip.files and text and outcome.verdict is not None:
        filed, contents = _files(trip, text, cut=outcome.verdict not in ENDED)
        files += contents
    delivery = Delivery(
        row=trip.row,
        request=trip.request,
        outcome="lost" if result is None else result.type,
        verdict=outcome.verdict,
        reason=outcome.reason,
        round=trip.round,
        document=document,
        sections=sections,
        filed=filed,
    )
    if result is None:
        return delivery, tuple(files)
    model = result.model or trip.model
    return (
        replace(
            delivery,
            stop_reason=result.stop_reason,
            usage=result.usage,
            cost=price(result.usage, model, trip.lane),
            saved=saved_by_cache(result.usage, model, trip.lane),
        ),
        tuple(files),
    )


def _files(trip: Trip, text: str, *, cut: bool) -> tuple[Filed, list[tuple[str, str]]]:
    """The files of an answer that consists of them, below a folder of its own."""
    found = find(text, cut=cut)
    named = [(f"{DOCUMENTS}/{trip.name}/{FILES}/{each.path}", each.text) for each in found.written]
    return Filed(tuple(name for name, _ in named), tuple((each.path, each.reason) for each in found.refused)), named


def _left(trip: Trip, result: Result) -> int:
    """Tokens that may still be written, now that a round is over; the first has room of its own."""
    return max(trip.allowance - (result.usage.output_tokens if trip.round else 0), 0)


def _still(trip: Trip, result: Result, params: bytes, max_tokens: int, left: int) -> int | None:
    """What the document can still cost: never more than what was bounded before, less what this round has cost."""
    anew = worst_case(
        Prompt.bounded(params), trip.model, max_tokens, trip.rounds - 1, max(left - max_tokens, 0), lane=trip.lane
    )
    spent = to_picodollars(price(result.usage, result.model or trip.model, trip.lane).charged)
    if anew is None or trip.worst is None or spent is None:
        return anew
    return min(anew, max(trip.worst - spent, 0))


def _expectation(trip: Trip) -> Expectation | None:
    if trip.expect is None:
        return None
    found = expectation_of(decode(trip.expect)[0])
    return found if isinstance(found, Expectation) else None


def _thinking(trip: Trip, result: Result) -> str:
    return thinking_ate_it(
        result.text,
        stop_reason=result.stop_reason,
        output_tokens=result.usage.output_tokens,
        max_tokens=trip.max_tokens,
        thinking_tokens=result.thinking_tokens,
    )


def _prompt_tokens(result: Result) -> int:
    usage = result.usage
    return usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
