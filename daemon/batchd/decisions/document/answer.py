"""The answer of a round, judged as part of its document: by its `stop_reason` first, then by what was expected.

What was cut off is never called complete because the next round ended well: that round must have added something.
"""

from dataclasses import dataclass, replace
from typing import Final

from batchd.claude.verdict import Outcome, Result
from batchd.decisions.document.expectation_check import Findings, examine, thinking_ate_it
from batchd.decisions.document.remaining import takes_no_round, tokens_left
from batchd.decisions.document.round import Round
from batchd.decisions.document.stitch import Joined, join
from batchd.model import Verdict

_NOTHING_ADDED: Final = "it was cut short, and the round that was to continue it added nothing"
_TOLD_ANEW: Final = "it was cut short, and the round that was to continue it told it anew without coming further"
_BOTH_STAND: Final = "its last round begins as the document does, anew or as a refrain: both stand in it"
_SILENT: Final = "the model ended its answer without a word"


@dataclass(frozen=True, slots=True)
class Answered:
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
    stuck: bool = False
    """Whether its model has ended the round without adding anything, or the document may stand in its text twice."""

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

    @property
    def hopeless(self) -> bool:
        """Whether no further round could make a whole document of it."""
        return bool(self.before.expected.unreadable or self.result.unreadable or self.stuck)


def judged(before: Round, result: Result, outcome: Outcome) -> Answered:
    """Judge the whole document.

    Args:
        before: The document before the answer.
        result: One that succeeded.
        outcome: What its `stop_reason` says.
    """
    trip = before.trip
    joined = _joined(before, result)
    verdict, reason, findings = outcome.verdict or Verdict.ERRORED, outcome.reason, None
    thinking = thinking_ate_it(
        result.text,
        stop_reason=result.stop_reason,
        output_tokens=result.usage.output_tokens,
        max_tokens=trip.max_tokens,
        thinking_tokens=result.thinking_tokens,
    )
    if verdict is Verdict.TRUNCATED:
        reason = "; ".join(filter(None, (thinking or reason, _BOTH_STAND if joined.doubtful else "")))
    elif verdict is Verdict.COMPLETE:
        verdict, reason, findings = _ended(before, result, joined)
    stuck = joined.doubtful or (outcome.verdict is Verdict.COMPLETE and verdict is Verdict.TRUNCATED)
    return Answered(before, result, joined.text, verdict, reason, thinking, findings, stuck)


def _joined(before: Round, result: Result) -> Joined:
    draft = before.draft
    if not before.trip.round:
        return Joined(result.text)
    if not draft.text:
        silent = result.silent and bool(draft.earlier)
        return Joined(draft.earlier if silent else result.text, appended=not silent)
    joined = join(draft.kept, result.text, dropped=draft.dropped, ended=draft.ended)
    shorter = len(joined.text) < len(draft.text)
    if draft.text.startswith(joined.text.rstrip()) or (shorter and takes_no_round(before.trip, result)):
        # It wrote again what had been cut off to be written again, or not even that.
        return replace(joined, text=draft.text, appended=False)
    return joined


def _ended(before: Round, result: Result, joined: Joined) -> tuple[Verdict, str, Findings | None]:
    """Judge a document whose last round its model has ended by itself."""
    trip, draft = before.trip, before.draft
    cut = bool(draft.paid) and not draft.ended
    if joined.doubtful:
        return Verdict.TRUNCATED if cut else Verdict.SHORT, _BOTH_STAND, None
    if cut and not joined.appended:
        return Verdict.TRUNCATED, _TOLD_ANEW if joined.restarted else _NOTHING_ADDED, None
    # Where nobody knows how many tokens were written, that they are too few is not known either.
    written = trip.written + result.usage.output_tokens - (result.thinking_tokens or 0) if result.metered else None
    findings = examine(joined.text, before.expected, written, files=trip.wishes.files, calls=result.calls)
    silent = _SILENT if result.silent and not draft.paid else ""
    if findings.met and not silent:
        return Verdict.COMPLETE, "", None
    return Verdict.SHORT, "; ".join(filter(None, (silent, findings.sentence))), findings
