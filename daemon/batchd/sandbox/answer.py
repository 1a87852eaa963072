"""Makes the answer of one request, in a batch or by itself: deterministic, so that it need not be kept."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from batchd.sandbox import conversation, directives, errors, models, outline, writer
from batchd.sandbox.batch import Batch
from batchd.sandbox.checks import Refusal, Terms
from batchd.sandbox.conversation import Conversation
from batchd.sandbox.directives import Orders
from batchd.sandbox.examiner import Cached
from batchd.sandbox.faults import account
from batchd.sandbox.reply import Reply, reply, wish_of

_DECODER = msgspec.json.Decoder(dict[str, object])
_ENCODER = msgspec.json.Encoder()
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_A_THOUGHT = "Let me look at what is asked, and in which order to say it. "
NOTHING_LEFT = "Nothing is left to say: the text is complete."
"""The answer to a request to go on with a text that has ended."""
_THOUGHT_TOKENS = 64
"""Tokens of thinking where it is switched on and nothing says how many."""


class Request(NamedTuple):
    """What is needed of a request to answer it."""

    custom_id: str
    outcome: str
    """`succeeded`, `errored`, `canceled` or `expired`."""
    refusal: Refusal | None
    digest: bytes
    tokens: int
    cached: Cached
    answer: str | None = None
    """The text of it, where a script says it."""


class Prompt(NamedTuple):
    """What an answer is made from, whichever way the request came."""

    id: str
    """Of the message that is the answer."""
    raw: bytes
    """The params, as they came."""
    terms: Terms
    tokens: int
    """Cached ones included."""
    cached: Cached
    answer: str | None = None
    """What a script says it is."""


class Bounds(NamedTuple):
    """What an answer cannot exceed, in tokens."""

    max_tokens: int
    room: int
    """What the prompt left of the context window."""


@dataclass(frozen=True, slots=True)
class Text:
    """An answer before it is wrapped."""

    text: str
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    thinking: str = ""
    thinking_tokens: int = 0
    tool: str | None = None
    """The name of the tool whose input this is, as JSON."""
    whole: bool = True
    """Whether nothing cut it."""


def name(prefix: str, *sources: object) -> str:
    """An id that looks like the API's, always the same for the same sources.

    Args:
        prefix: Such as `msg_`.
        sources: What makes it different from others.
    """
    number = int.from_bytes(hashlib.sha256(repr(sources).encode()).digest()[:17])
    letters = []
    for _ in range(22):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return f"{prefix}01{''.join(letters)}"


def line(request: Request, batch: Batch, raw: bytes, seed: int) -> bytes:
    """The whole result line, its end included.

    Args:
        raw: Its params, as they came; not looked at unless it succeeded.
    """
    result: dict[str, object] = {"type": request.outcome}
    if request.outcome == "succeeded":
        result["message"] = message(request, batch, raw, seed)
    elif request.refusal and request.outcome == "errored":
        result["error"] = errors.body(
            *request.refusal, name("req_", batch.id, request.custom_id), account.details_of(request.refusal.message)
        )
    return _ENCODER.encode({"custom_id": request.custom_id, "result": result}) + b"\n"


def message(request: Request, batch: Batch, raw: bytes, seed: int) -> dict[str, object]:
    """The Message that a request of a batch gets."""
    own = name("msg_", batch.id, request.custom_id)
    return compose(Prompt(own, raw, batch.terms, request.tokens, request.cached, request.answer), seed)


def compose(prompt: Prompt, seed: int) -> dict[str, object]:
    """The Message that a prompt gets.

    Args:
        prompt: One that passed the checks.
    """
    params = _DECODER.decode(prompt.raw)
    said = conversation.read(params)
    orders = _scripted(directives.read(said.asked), prompt.answer)
    model = models.find(str(params["model"]))
    if model is None:
        raise ValueError("only requests that passed the checks can be answered")
    max_tokens = min(int(str(params["max_tokens"])), model.cap(prompt.terms.betas))
    bounds = Bounds(max_tokens, model.reads(prompt.terms.betas) - prompt.tokens)
    text = _stopped(_write(said, orders, bounds, params, seed), params)
    read, wrote_5m, wrote_1h = prompt.cached
    return {
        "id": prompt.id,
        "type": "message",
        "role": "assistant",
        "model": params["model"],
        "content": _blocks(text, orders.blocks, name("toolu_", prompt.id)),
        "stop_reason": text.stop_reason,
        "stop_sequence": text.stop_sequence,
        "stop_details": _details(text),
        "container": None,
        "usage": {
            "input_tokens": prompt.tokens - read - wrote_5m - wrote_1h,
            "cache_creation_input_tokens": wrote_5m + wrote_1h,
            "cache_read_input_tokens": read,
            "cache_creation": {"ephemeral_5m_input_tokens": wrote_5m, "ephemeral_1h_input_tokens": wrote_1h},
            "output_tokens": max(min(1, max_tokens), writer.tokens(len(text.text)) + text.thinking_tokens),
            "output_tokens_details": {"thinking_tokens": text.thinking_tokens},
            "server_tool_use": None,
            "service_tier": "batch" if prompt.terms.batched else "standard",
            "inference_geo": orders.region
            or params.get("inference_geo")
            or ("not_available" if model.prefill else "global"),
        },
    }


def _scripted(orders: Orders, answer: str | None) -> Orders:
    """What a script says comes before what the prompt tells."""
    if answer is None:
        return orders
    try:
        msgspec.json.decode(answer, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return replace(orders, answer=answer, json=None)
    return replace(orders, answer=None, json=answer)


def _write(
    said: Conversation,
    orders: Orders,
    bounds: Bounds,
    params: Mapping[str, object],
    seed: int,
) -> Text:
    """The text, cut where orders or bounds cut it."""
    if bounds.max_tokens == 0:
        return Text("", "max_tokens")
    if orders.refuse:
        return Text("", "refusal")
    thinking = min(_thinking(orders, params, bounds.max_tokens), bounds.max_tokens - 1)
    limit = max(0, min(bounds) - thinking) * writer.CHARACTERS_PER_TOKEN
    whole, written, rounds = _whole(said, params, orders, limit, seed)
    text = _rest(whole.text, written) or _missing(said, orders) or (NOTHING_LEFT if whole.text else "")
    left = len(text)
    stop = orders.stop or ("end_turn" if whole.tool is None else "tool_use")
    if max(rounds, _cuts_so_far(len(written), len(whole.text), orders.truncate_at)) < orders.truncate_rounds:
        text, stop = text[: len(text) // 2 if orders.truncate_at is None else orders.truncate_at], "max_tokens"
    elif orders.pause and rounds == 0:
        text, stop = text[: len(text) // 2], "pause_turn"
    if len(text) > limit:
        text, stop = text[:limit], "max_tokens" if bounds.max_tokens <= bounds.room else "model_context_window_exceeded"
    thought = (_A_THOUGHT * (1 + thinking * writer.CHARACTERS_PER_TOKEN // len(_A_THOUGHT))) if thinking else ""
    thought = thought[: thinking * writer.CHARACTERS_PER_TOKEN]
    return Text(text, stop, None, thought, thinking, whole.tool, whole=len(text) == left)


class _Whole(NamedTuple):
    """An answer as it would be without a cut, and what is there of it."""

    reply: Reply
    written: str
    rounds: int
    """How many turns that took."""


def _whole(said: Conversation, params: Mapping[str, object], orders: Orders, limit: int, seed: int) -> _Whole:
    """The whole answer; what is no prose is continued as well, where what was said last is its beginning."""
    if said.begun:
        first = replace(said, prompt=said.first)
        whole = reply(first, params, orders, limit, seed)
        if whole.tool is None and whole.text.startswith(said.begun.rstrip()):
            return _Whole(whole, said.begun, said.turns)
    return _Whole(reply(said, params, orders, limit, seed), said.written, said.rounds)


def _rest(whole: str, written: str) -> str:
    """What is still to be said, where a continuation takes up a text (whose end may have lost its blanks)."""
    if not written:
        return whole
    if whole.startswith(written):
        at = len(written)
    elif whole.startswith(written.rstrip()):
        at = len(written.rstrip())
    else:
        tail = written.rstrip()[-200:]
        at = found + len(tail) if (found := whole.rfind(tail)) >= 0 else len(written)
    return whole[at:]


def _cuts_so_far(written: int, whole: int, each: int | None) -> int:
    """How often a text was cut to have come so far, for a client that sends what it has as one turn.

    A caller that cuts some of it off again before going on must leave most of what each answer wrote.
    """
    cuts = reached = 0
    while reached < written and (step := each or (whole - reached) // 2):
        reached += step
        cuts += 1
    return cuts


def _missing(said: Conversation, orders: Orders) -> str:
    """The sections that were left out, if the user has come back for them."""
    wish = wish_of(said, orders)
    asked = set(outline.read(said.latest).titles)
    titles = tuple(title for title in wish.titles if title in asked.intersection(orders.omit))
    if not said.written or not titles:
        return ""
    words = wish.words * len(titles) // len(wish.titles)
    return writer.write(replace(wish, titles=titles, words=words), 0, most=2**31).removeprefix(writer.OPENING)


def _stopped(text: Text, params: Mapping[str, object]) -> Text:
    """The text, ended before the first of the request's own stop sequences."""
    sequences = params.get("stop_sequences") or []
    if text.tool is not None or not isinstance(sequences, list):
        return text
    found = [(at, sequence) for sequence in sequences if (at := text.text.find(sequence)) >= 0]
    if not found:
        return text
    at, sequence = min(found)
    return replace(text, text=text.text[:at], stop_reason="stop_sequence", stop_sequence=sequence)


def _thinking(orders: Orders, params: Mapping[str, object], max_tokens: int) -> int:
    """Tokens of it: what it is told, else few enough to leave room for what is asked for."""
    if orders.thinking is not None:
        return orders.thinking
    config = params.get("thinking")
    thinks = isinstance(config, Mapping) and config.get("type") in {"enabled", "adaptive"}
    return min(_THOUGHT_TOKENS, max_tokens // 4) if thinks else 0


def _details(text: Text) -> dict[str, object] | None:
    if text.stop_reason != "refusal":
        return None
    return {"type": "refusal", "category": "general_harms", "explanation": "The sandbox was told to refuse."}


def _blocks(text: Text, count: int, call: str) -> list[dict[str, object]]:
    """What was thought, and what is said: text, or a call under its id, whose input is empty where it was cut."""
    blocks: list[dict[str, object]] = []
    if text.thinking:
        blocks.append({"type": "thinking", "thinking": text.thinking, "signature": "c2FuZGJveA=="})
    if text.tool is not None:
        given = msgspec.json.decode(text.text) if text.whole else {}
        return [*blocks, {"type": "tool_use", "id": call, "name": text.tool, "input": given}]
    size = -(-len(text.text) // max(1, count))
    if size:
        pieces = (text.text[at : at + size] for at in range(0, len(text.text), size))
        blocks.extend({"type": "text", "text": piece, "citations": None} for piece in pieces)
    return blocks
