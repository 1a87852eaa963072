"""Whether to continue an unfinished document, to send its request again with more room, or to let it be.

The arithmetic, with P tokens of prompt, T of text so far, R of text still to be written, and prices i and o of a token
of input and of output (o = 5 i on every model so far):

    continue    (P + T + ask) · i  +  R · o      the text so far is read
    send again  P · i  +  (T + R) · o            the text so far is written anew, and paid for anew

So continuing is the better buy where (T + ask) · i < T · o: at these prices as soon as there are some sixty tokens of
text. Sending again is left for what cannot be continued: no text, since thinking took all the room, and structured
output or tools, where half a value followed by half a value is no value. It always has more room than before: the same
request again would be cut at the same place, and paid for again.

A higher max_tokens costs nothing by itself, for only what is written is charged; what is reserved for it is bounded by
`most_tokens`. A breakpoint of an hour is written at 2 i and read at 0.1 i, so with n rounds to come it pays where
2 + 0.1 (n - 1) < n: from the third on. With fewer the text so far is read at the plain price.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from batchd.claude.price import Prices

ASK: Final = 250
"""Tokens that the turn takes which asks to go on; one that names missing sections takes more, and gets it elsewhere."""
LEAST_ROOM: Final = 1_024
"""Tokens of output for which a round is still worth its input."""
_ROUNDS_THAT_PAY_FOR_A_CACHE: Final = 3


class Action(StrEnum):
    """What to do with an unfinished document."""

    CONTINUE = "continue"
    RESEND = "resend"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """A document at the end of a round, as far as it decides what comes next."""

    cut: bool
    """Whether it was cut off; else its model ended it, and it is short of what was expected."""
    prompt_tokens: int
    """Of the first round's input, cached or not, from its usage; or `tokens_at_most` of its bytes."""
    text_tokens: int
    """Of the text so far, without thinking: from usage, or `tokens_at_most` of its bytes; 0 if there is none."""
    max_tokens: int
    """Of the round that is over."""
    most_tokens: int
    """That max_tokens may be raised to: the least of what the model, its betas and the money allow."""
    window: int
    """The model's context window, in tokens."""
    rounds_left: int
    grew: bool = True
    """Whether the round that is over added anything."""
    structured: bool = False
    """Whether it is output by a schema or calls tools: nothing that could be continued."""
    thinking: str = ""
    """What `findings.thinking_ate_it` says."""
    expected_tokens: int | None = None
    """Of the whole text, where the user said how long it should be."""
    cached: bool = False
    """Whether a round before left its input in the cache: then all later ones do, and read what is there."""


@dataclass(frozen=True, slots=True)
class RoundDecision:
    """What to do, and why."""

    action: Action
    reason: str
    """In one sentence, for the report."""
    max_tokens: int = 0
    """For the next round; 0 if there is none."""
    cache: bool = False
    """Whether the next round should leave its input in the cache."""


def decide(document: RoundFacts, prices: Prices | None) -> RoundDecision:
    """Decide what is done about an unfinished document.

    Args:
        document: It, and what bounds it.
        prices: None where they are not known: then as with every price so far, output costs more than input.
    """
    if document.rounds_left <= 0:
        return _stop("no rounds are left")
    if document.structured:
        return _resend(document, "structured output and tools cannot be continued in the middle")
    if document.text_tokens <= 0:
        return _resend(document, document.thinking or "there is no text to continue")
    if not document.grew:
        return _stop("the last round added nothing to the document")
    if document.cut and _dearer_to_continue(document, prices):
        again = _resend(document, "so little text is written sooner than it is read and asked about")
        if again.action is Action.RESEND:
            return again
    return _continue(document)


def tokens_at_most(size: int) -> int:
    """A bound for the tokens of a text where nobody has counted them: a token for four bytes, and half as many again.

    Args:
        size: Bytes of UTF-8.
    """
    return -(-size * 3 // 8)


def _continue(document: RoundFacts) -> RoundDecision:
    read = document.prompt_tokens + document.text_tokens + ASK
    # Only an answer that was cut has shown that it needs more room than it had.
    wish = max(document.max_tokens, document.most_tokens) if document.cut else document.max_tokens
    max_tokens = min(wish, document.most_tokens, document.window - read)
    if max_tokens < min(LEAST_ROOM, document.max_tokens):
        return _stop(
            f"prompt and text take {read:,} of the {document.window:,} tokens of the context window"
            if document.window - read < document.most_tokens
            else f"only {document.most_tokens:,} more tokens of output are allowed"
        )
    why = "it was cut off" if document.cut else "it is shorter than expected"
    reason = f"{why}; continuing reads {read:,} tokens instead of writing {document.text_tokens:,} again"
    return RoundDecision(Action.CONTINUE, reason, max_tokens, _cache_pays(document, max_tokens))


def _resend(document: RoundFacts, reason: str) -> RoundDecision:
    max_tokens = min(document.most_tokens, document.window - document.prompt_tokens)
    if not document.cut:
        return _stop(f"{reason}, and it ended by itself, so that more room would change nothing")
    if max_tokens <= document.max_tokens:
        return _stop(f"{reason}, and max_tokens cannot be raised above {document.max_tokens:,}")
    return RoundDecision(Action.RESEND, f"{reason}; sent again with max_tokens {max_tokens:,}", max_tokens)


def _stop(reason: str) -> RoundDecision:
    return RoundDecision(Action.STOP, reason)


def _dearer_to_continue(document: RoundFacts, prices: Prices | None) -> bool:
    if prices is None:
        return False
    return (document.text_tokens + ASK) * prices.input > document.text_tokens * prices.output


def _cache_pays(document: RoundFacts, max_tokens: int) -> bool:
    if document.cached or document.expected_tokens is None:
        return document.cached
    rounds = -(-(document.expected_tokens - document.text_tokens) // max_tokens)
    return min(rounds, document.rounds_left) >= _ROUNDS_THAT_PAY_FOR_A_CACHE
