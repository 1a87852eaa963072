"""A message that was streamed, put together again: whole, or as far as it came before the stream was cut.

The events are those of the Messages API (docs: streaming). Events and deltas that nobody here knows are passed over.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

_PIECES: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
"""Deltas that add to a text, and where they have it."""


@dataclass(slots=True)
class _Block:
    """A content block that grows."""

    opened: dict[str, Any]
    pieces: dict[str, list[str]] = field(default_factory=dict)
    citations: list[Any] = field(default_factory=list)

    def grow(self, delta: dict[str, Any]) -> None:
        kind = delta.get("type")
        if (name := _PIECES.get(str(kind))) is not None:
            self.pieces.setdefault(name, []).append(str(delta.get(name, "")))
        elif kind == "citations_delta":
            self.citations.append(delta.get("citation"))

    @property
    def written(self) -> int:
        """Bytes that have come."""
        return sum(len(piece.encode("utf-8", "replace")) for pieces in self.pieces.values() for piece in pieces)

    def whole(self) -> dict[str, Any]:
        block = dict(self.opened)
        for name, pieces in self.pieces.items():
            grown = "".join(pieces)
            if name == "partial_json":
                block["input"] = _input(grown)
            else:
                block[name] = str(block.get(name) or "") + grown
        if self.citations:
            block["citations"] = [*(block.get("citations") or ()), *self.citations]
        return block


@dataclass(slots=True)
class Streamed:
    """What a stream has brought."""

    message: dict[str, Any] | None = None
    """As the API would have sent it in one piece; None where it has not even begun."""
    ended: bool = False
    """Whether it came to its end; else it was cut, and its `stop_reason` is null."""
    trouble: str | None = None
    """The type of the error with which the API broke it off; None where it did not."""

    @property
    def text(self) -> str:
        """What was written, without thinking."""
        content = self.message["content"] if self.message else []
        return "".join(block.get("text") or "" for block in content if block.get("type") == "text")


def assemble(lines: Iterable[bytes]) -> Streamed:
    """Put the events of a stream together.

    Of a stream that was cut nobody knows how many tokens are charged: they are taken to be as many as there are bytes
    of what came, which no tokenizer exceeds.

    Args:
        lines: Of the body, with or without their ends; the last one may be half of one.
    """
    found = Streamed()
    blocks: dict[int, _Block] = {}
    for event in _events(lines):
        match event.get("type"):
            case "message_start":
                found.message = dict(event.get("message") or {})
            case "content_block_start":
                blocks[event.get("index", 0)] = _Block(event.get("content_block") or {})
            case "content_block_delta" if (block := blocks.get(event.get("index", 0))) is not None:
                block.grow(event.get("delta") or {})
            case "message_delta" if found.message is not None:
                found.message |= event.get("delta") or {}
                usage = {name: value for name, value in (event.get("usage") or {}).items() if value is not None}
                found.message["usage"] = {**(found.message.get("usage") or {}), **usage}
            case "message_stop":
                found.ended = True
            case "error":
                found.trouble = str((event.get("error") or {}).get("type") or "api_error")
    if found.message is not None:
        found.message["content"] = [blocks[index].whole() for index in sorted(blocks)]
        if not found.ended:
            written = sum(block.written for block in blocks.values())
            found.message |= {"stop_reason": None, "usage": _bounded(found.message.get("usage") or {}, written)}
    return found


def _events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith(b"data:"):
            try:
                event = msgspec.json.decode(line[5:])
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if isinstance(event, dict):
                yield event


def _bounded(usage: dict[str, Any], written: int) -> dict[str, Any]:
    return {**usage, "output_tokens": max(int(usage.get("output_tokens") or 0), written)}


def _input(grown: str) -> object:
    try:
        return json.loads(grown) if grown else {}
    except ValueError:
        return {}
