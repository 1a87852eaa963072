"""A message that was streamed, put together again: whole, or as far as it came.

The events are those of the Messages API (docs: streaming). Nothing in them can raise. Text that came is never left out
in silence: deltas open the block they need, kinds of events that are not known here are passed over, and what could not
be read is counted. A server that ignores `stream` sends the whole message as JSON: that is one event.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from batchd.claude.events import Event, Unreadable, read_events
from batchd.claude.stream_counts import bound, is_count, larger
from batchd.claude.streamed import Streamed, mapping_of, text_of
from batchd.text.characters import mended

_GROWS: Final = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("thinking", "signature"),
    "input_json_delta": ("tool_use", "partial_json"),
}
"""Deltas that add to a string: to which type of block, and under which name."""
_FITS: Final = {"tool_use": frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})}
"""Types of blocks that grow like another."""
_OF_THE_MESSAGE: Final = ("stop_reason", "stop_sequence", "stop_details", "container", "context_management")
"""What `message_delta` tells of the message."""


@dataclass(slots=True)
class _Block:
    """A content block that grows."""

    opened: dict[str, object]
    pieces: dict[str, list[str]] = field(default_factory=dict)
    citations: list[object] = field(default_factory=list)

    @property
    def type(self) -> str:
        return str(self.opened.get("type") or "")

    def takes(self, kind: str) -> bool:
        return self.type in _FITS.get(kind, {kind})

    def whole(self) -> tuple[dict[str, object], bool]:
        """As the API would have sent it, and whether its input could be read."""
        block, readable = dict(self.opened), True
        for name, pieces in self.pieces.items():
            grown = "".join(pieces)
            if name == "partial_json":
                block["input"], readable = _input(grown, block.get("input"))
            else:
                before = block.get(name)
                block[name] = (before if isinstance(before, str) else "") + grown
        if self.citations:
            before = block.get("citations")
            block["citations"] = [*(before if isinstance(before, list) else ()), *self.citations]
        return block, readable


def assemble(lines: Iterable[bytes], most_tokens: int | None = None) -> Streamed:
    r"""Put the events of a stream together.

    Args:
        lines: Of the body, with their `\n`; the last one may be half of one.
        most_tokens: The request's `max_tokens`, which bounds what an answer that was cut may have cost; None if not
            known.
    """
    growing = _Growing()
    for event in read_events(lines):
        growing.take(event)
    return growing.result(most_tokens)


class _Growing:
    """A message while its events come."""

    def __init__(self) -> None:
        self._found = Streamed()
        self._blocks: list[_Block] = []
        self._open: dict[object, _Block] = {}
        self._told = False
        """Whether the API has told how long its answer was."""

    def take(self, event: Event) -> None:
        if isinstance(event, Unreadable):
            self._found.unreadable += 1
            return
        match event.get("type"):
            case "message_start":
                self._start(mapping_of(event.get("message")))
            case "message" | "" if isinstance(event.get("content"), list):
                self._start(event)
                self._end(event)
            case "content_block_start":
                self._begin(mapping_of(event.get("content_block")), event.get("index"))
            case "content_block_delta":
                self._grow(event.get("delta"), event.get("index"))
            case "message_delta":
                self._message.update(_known(mapping_of(event.get("delta"))))
                self._count(event.get("usage"))
                self._end(mapping_of(event.get("delta")))
            case "message_stop":
                self._found.ended = True
            case "error":
                self._found.trouble = _error_type(event.get("error"))
            case _:
                pass  # a ping, or what a later API has thought of

    @property
    def _message(self) -> dict[str, object]:
        if self._found.message is None:
            self._found.message = {"type": "message", "role": "assistant", "usage": {}}
        return self._found.message

    def _start(self, message: Mapping[str, object]) -> None:
        told = {name: value for name, value in message.items() if name not in {"content", "usage", *_OF_THE_MESSAGE}}
        if self._found.message is None:
            self._found.message = {"usage": {}}
        again = bool(self._blocks) and told.get("id") not in (None, self._message.get("id", told.get("id")))
        if again:  # it was told anew behind what is here, and nobody can know which of the two is the answer
            self._found.unreadable += 1
        self._message.update(told)
        for name in _OF_THE_MESSAGE:  # null until it is told
            if name in message:
                self._message.setdefault(name, None)
        self._count(message.get("usage"), at_first=True)
        content = message.get("content")
        if self._blocks and not again:
            return  # the same beginning, repeated
        for index, block in enumerate(content if isinstance(content, list) else [content] if content else []):
            self._begin(block if isinstance(block, dict) else {"type": "text", "text": text_of(block)}, index)

    def _end(self, told: Mapping[str, object]) -> None:
        """A `stop_reason` ends a message, with or without `message_stop`."""
        if isinstance(reason := told.get("stop_reason"), str) and reason:
            self._message.update(_known(told))
            self._found.ended = True
            usage = told.get("usage")
            if isinstance(usage, dict):
                self._told = self._told or is_count(usage.get("output_tokens"))

    def _begin(self, block: Mapping[str, object], index: object) -> None:
        _ = self._message
        self._blocks.append(_Block(dict(block)))
        self._open[_key(index)] = self._blocks[-1]

    def _grow(self, delta: object, index: object) -> None:
        if isinstance(delta, str):
            delta = {"type": "text_delta", "text": delta}
        delta = mapping_of(delta)
        kind = delta.get("type")
        if kind == "citations_delta":
            self._for("text", index).citations.append(delta.get("citation"))
            return
        kind = next((each for each, (_, name) in _GROWS.items() if name in delta), None) if kind is None else kind
        if not isinstance(kind, str) or kind not in _GROWS:
            return
        block_type, name = _GROWS[kind]
        piece = delta.get(name)
        if isinstance(piece, str):
            self._for(block_type, index).pieces.setdefault(name, []).append(piece)
        elif piece is not None:
            self._found.unreadable += 1

    def _for(self, kind: str, index: object) -> _Block:
        """The open block that a delta goes to; one that nobody opened is opened now."""
        block = self._open.get(_key(index))
        if block is None or not block.takes(kind):
            self._begin({"type": kind, **({"text": ""} if kind == "text" else {})}, index)
            block = self._blocks[-1]
        return block

    def _count(self, usage: object, *, at_first: bool = False) -> None:
        """Counts only grow: a server that says 0 at the end takes nothing back."""
        told = mapping_of(usage)
        self._message["usage"] = larger(mapping_of(self._message.get("usage")), told)
        self._told = self._told or (not at_first and is_count(told.get("output_tokens")))

    def result(self, most_tokens: int | None) -> Streamed:
        found = self._found
        if found.message is None:
            return found
        content = self._content()
        found.message = {name: value for name, value in self._writable(found.message).items() if name != "content"}
        found.message["content"] = content
        if not found.ended:
            found.message["stop_reason"] = None
        if not (found.ended and self._told):
            usage = mapping_of(found.message.get("usage"))
            told = usage.get("output_tokens")
            most = max(told if isinstance(told, int) else 0, bound(content, most_tokens))
            found.message["usage"] = {**usage, "output_tokens": most}
            found.bounded = True
        return found

    def _content(self) -> list[dict[str, object]]:
        content: list[dict[str, object]] = []
        cut = not self._found.ended or self._message.get("stop_reason") == "max_tokens"
        for block in self._blocks:
            whole, readable = block.whole()
            content.append(self._writable(whole))
            self._found.unreadable += not (readable or cut)
        return content

    def _writable(self, fields: Mapping[str, object]) -> dict[str, object]:
        """What of an object can be written as JSON again, its characters mended."""
        written: dict[str, object] = {}
        for name, value in fields.items():
            try:
                mended_value = _mended(value, self._found)
                msgspec.json.encode(mended_value)
            except (RecursionError, ValueError, TypeError, OverflowError):
                self._found.unreadable += 1
            else:
                written[str(_mended(name, self._found))] = mended_value
        return written


def _known(delta: Mapping[str, object]) -> dict[str, object]:
    return {name: delta[name] for name in _OF_THE_MESSAGE if delta.get(name) is not None}


def _mended(value: object, found: Streamed) -> object:
    match value:
        case str():
            text, lost = mended(value)
            found.unreadable += lost
            return text
        case dict():
            return {str(_mended(name, found)): _mended(each, found) for name, each in value.items()}
        case list():
            return [_mended(each, found) for each in value]
        case _:
            return value


def _error_type(error: object) -> str:
    kind = mapping_of(error).get("type")
    return kind if isinstance(kind, str) and re.fullmatch(r"[a-z_]{1,40}", kind) else "api_error"


def _key(index: object) -> object:
    return index if isinstance(index, int | str) else None


def _input(grown: str, before: object) -> tuple[object, bool]:
    try:
        return (json.loads(grown, strict=False) if grown.strip() else before or {}), True
    except (ValueError, RecursionError):
        return {}, False
