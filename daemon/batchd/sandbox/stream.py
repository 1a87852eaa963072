"""A message as the events in which it is streamed, each with the moment at which it is due. Nothing here waits."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from batchd.sandbox import writer

_DELTA = 48
"""Characters that come at a time, in an answer that is not long."""
_MOST_DELTAS = 500
_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}
"""The type of the delta and the name of what it adds, by the type of the block, in which that field grows."""
_CALL = "tool_use"


class Event(NamedTuple):
    """One event of a stream."""

    wire: bytes
    """As it goes over the wire."""
    due: float
    """When it is sent: 0 at the start of the stream, 1 at its end."""
    sent: int
    """Output tokens that have been sent once this has."""


def encode(data: Mapping[str, object]) -> bytes:
    """An event as it goes over the wire.

    Args:
        data: With its name as `type`.
    """
    return b"event: %s\ndata: %s\n\n" % (str(data["type"]).encode(), msgspec.json.encode(data))


PING = encode({"type": "ping"})
"""May come at any time, and means nothing."""


def events(message: Mapping[str, object]) -> list[Event]:
    """Everything that is sent for a message, in order.

    Args:
        message: As it would be sent in one piece.
    """
    usage = msgspec.convert(message["usage"], dict[str, object])
    blocks = msgspec.convert(message["content"], list[dict[str, object]])
    characters = sum(len(_growing(block)) for block in blocks)
    size = max(_DELTA, -(-characters // _MOST_DELTAS))
    opening = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    told = [Event(encode({"type": "message_start", "message": {**opening, "usage": _at_first(usage)}}), 0.0, 0)]
    done = 0
    for index, block in enumerate(blocks):
        for part in _parts(index, block, size):
            done += part.characters
            told.append(Event(encode(part.data), done / characters, writer.tokens(done)))
    output = msgspec.convert(usage["output_tokens"], int)
    ends: Sequence[dict[str, object]] = (_ending(message, usage), {"type": "message_stop"})
    return [*told, *(Event(encode(end), 1.0, output) for end in ends)]


class _Part(NamedTuple):
    """One event of a block, and how much of the answer is in it."""

    data: dict[str, object]
    characters: int = 0


def _parts(index: int, block: Mapping[str, object], size: int) -> Iterator[_Part]:
    """One block: opened empty, filled piece by piece, signed if it is one of thinking, closed."""
    kind = str(block["type"])
    empty: dict[str, object] = {"input": {}} if kind == _CALL else {kind: ""}
    signed = {"signature": ""} if "signature" in block else {}
    yield _Part({"type": "content_block_start", "index": index, "content_block": {**block, **empty, **signed}})
    if index == 0:
        yield _Part({"type": "ping"})
    text = _growing(block)
    delta, added = _DELTAS[kind]
    for at in range(0, len(text), size):
        piece = text[at : at + size]
        yield _Part(_delta(index, {"type": delta, added: piece}), len(piece))
    if signed:
        yield _Part(_delta(index, {"type": "signature_delta", "signature": block["signature"]}))
    yield _Part({"type": "content_block_stop", "index": index})


def _growing(block: Mapping[str, object]) -> str:
    """What comes of a block piece by piece."""
    kind = str(block["type"])
    return msgspec.json.encode(block["input"]).decode() if kind == _CALL else str(block[kind])


def _delta(index: int, delta: dict[str, object]) -> dict[str, object]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _at_first(usage: Mapping[str, object]) -> dict[str, object]:
    return {**usage, "output_tokens": 1, "output_tokens_details": None}


def _ending(message: Mapping[str, object], usage: Mapping[str, object]) -> dict[str, object]:
    delta = {name: message[name] for name in ("container", "stop_details", "stop_reason", "stop_sequence")}
    kept = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    counts = {name: usage[name] for name in (*kept, "output_tokens_details", "server_tool_use")}
    return {"type": "message_delta", "delta": delta, "usage": counts}
