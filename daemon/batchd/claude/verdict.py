"""What a result means: one line of the API becomes one outcome, and what follows from it.

Truncation, refusal and pauses arrive as `succeeded` and are charged: `stop_reason` decides (docs: stop reasons).
"""

from dataclasses import dataclass

import msgspec

from batchd.model import Usage, Verdict

COMPLETE = frozenset({"end_turn", "stop_sequence", "tool_use"})
TRUNCATED = frozenset({"max_tokens", "model_context_window_exceeded"})
NOT_CHARGED = frozenset({"errored", "expired", "canceled"})
"""Types of results that cost nothing (docs: batch processing, pricing)."""
REPEATABLE = frozenset({"api_error", "overloaded_error", "rate_limit_error", "timeout_error"})
"""Errors of a single request that the same request may not meet again (docs: errors)."""


AGAIN = (Verdict.ERRORED, Verdict.EXPIRED, Verdict.CANCELED)
"""What `batchd retry` sends again: none of it was charged. What was paid for is never sent again as it is."""


LOST_TRIP = "lost"
"""Of a trip of which nobody knows what became: it may have been charged, and is not made again by itself."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of one of the user's tools, which nobody makes here: its input is what the model has to say."""

    name: str
    input: str
    """As JSON, the way the API wrote it."""


class Result(msgspec.Struct, frozen=True):
    """One line of a result file, as far as it decides anything."""

    type: str
    """`succeeded`, `errored`, `canceled`, `expired`, or one that a later API has thought of."""
    stop_reason: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_code: str | None = None
    """`error.details.error_code`, where there is one."""
    model: str | None = None
    usage: Usage = Usage()
    metered: bool = True
    """Whether `usage` is what is charged: not where the API left it out, or says what cannot be."""
    geo: str | None = None
    """The region in which it was answered, where that is said."""
    text: str = ""
    thinking_tokens: int | None = None
    """Among those of output; None where the API does not say."""
    broken: str = ""
    """Why its stream broke off, in words, where that was not the model's doing; empty otherwise."""
    unreadable: int = 0
    """How much of its stream could not be read: then it is never whole, and nothing can go on behind the gap."""
    calls: tuple[ToolCall, ...] = ()
    silent: bool = False
    """Whether its answer holds nothing at all, or nothing but thinking."""
    bounded: bool = False
    """Whether its tokens of output are a bound, since the stream ended before they were told."""

    @property
    def outcome(self) -> str:
        """How its trip ended: by the result's type, or `lost` where that would cost nothing and this may have."""
        return self.type if self.metered or self.type not in NOT_CHARGED else LOST_TRIP


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of the request: a verdict, or None when it shall travel again."""

    verdict: Verdict | None
    reason: str = ""
    """Why it is not complete, in a few words; empty when it is."""


def judge(result: Result, *, attempts_left: int, cancelled: bool) -> Outcome:
    """Decide what becomes of a request whose result is here.

    Args:
        result: Its result.
        attempts_left: How many more times it may be sent.
        cancelled: Whether its job was cancelled: then nothing is sent again.
    """
    again = attempts_left > 0 and not cancelled
    match result.type:
        case "succeeded":
            return _judge_stop(result)
        case "errored":
            reason = ": ".join(filter(None, (result.error_type or "error without a type", result.error_message)))
            return Outcome(None if again and result.error_type in REPEATABLE else Verdict.ERRORED, reason)
        case "expired":
            return Outcome(None if again else Verdict.EXPIRED, "not processed within 24 hours")
        case "canceled" if not result.metered:
            said = f"nothing of its answer had come ({result.broken}): whether it was charged is not known"
            return Outcome(Verdict.CANCELED, said)
        case "canceled":
            return Outcome(None if again else Verdict.CANCELED, "cancelled before it was processed")
        case unknown:
            return Outcome(Verdict.ERRORED, f"a result of the unknown type {unknown[:40]!r}")


def _judge_stop(result: Result) -> Outcome:
    stop_reason = result.stop_reason
    if stop_reason in COMPLETE | TRUNCATED and result.unreadable:
        return Outcome(Verdict.TRUNCATED, f"{result.unreadable} parts of its stream could not be read, and are missing")
    if stop_reason in COMPLETE:
        return Outcome(Verdict.COMPLETE)
    if stop_reason in TRUNCATED:
        return Outcome(Verdict.TRUNCATED, f"cut short: stop_reason {stop_reason}")
    if stop_reason == "refusal":
        return Outcome(Verdict.REFUSED, "the model declined: stop_reason refusal")
    if stop_reason is None:
        why = result.broken or "for no reason of the model's"
        return Outcome(Verdict.TRUNCATED, f"it broke off before its end: {why}")
    # A reason nobody here knows does not show that the document is whole, so it is not called so.
    return Outcome(Verdict.PAUSED, f"the turn was not ended: stop_reason {stop_reason}")


LOST = Outcome(Verdict.ERRORED, "the API's results hold no line for it")
"""The batch has ended, its results were read whole, and this request is not among them."""
