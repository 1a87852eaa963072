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
_WORD: Final = re.compile(r" ?[A-Za-z]{1,24}(?![A-Za-z])")
_MOST_TOKENS: Final = 1 << 40


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


@dataclass(slots=True)
class Streamed:
    """What a stream has brought."""

    message: dict[str, object] | None = None
    """As the API would have sent it in one piece; None where it has not even begun."""
    ended: bool = False
    """Whether it came to its end, be it without a `stop_reason`; else it was cut, and its `stop_reason` is null."""
    trouble: str | None = None
    """The type of the error with which the API broke it off; None where it did not."""
    unreadable: int = 0
    """How much of it could not be read: events, and characters within them."""
    bounded: bool = False
    """Whether its `output_tokens` are a bound, since the API did not come to telling them."""
    broken: str = ""
    """Why it was cut off, as far as is known; empty where it ended."""

    @property
    def text(self) -> str:
        """What was written, without thinking."""
        return "".join(_texts(self._content, "text"))

    @property
    def begun(self) -> bool:
        """Whether the API has begun to answer: from then on it may charge for it."""
        return self.message is not None

    @property
    def seen(self) -> str:
        """What came of it, in words, for a person."""
        thought = sum(len(text.split()) for text in _texts(self._content, "thinking"))
        tools = sum(str(block.get("type")).endswith("tool_use") for block in self._content)
        usage = (self.message or {}).get("usage")
        tokens = usage.get("input_tokens") if isinstance(usage, dict) else None
        parts = [
            f"a prompt of {tokens:,} tokens" if isinstance(tokens, int) and tokens else "",
            f"{thought:,} words of thinking" if thought else "",
            "a part of a tool call" if tools else "",
        ]
        return ", ".join(filter(None, parts)) or "its beginning"

    @property
    def _content(self) -> list[dict[str, object]]:
        content = (self.message or {}).get("content")
        return content if isinstance(content, list) else []


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
                self._start(_mapping(event.get("message")))
            case "message" | "" if isinstance(event.get("content"), list):
                self._start(event)
                self._end(event)
            case "content_block_start":
                self._begin(_mapping(event.get("content_block")), event.get("index"))
            case "content_block_delta":
                self._grow(event.get("delta"), event.get("index"))
            case "message_delta":
                self._message.update(_known(_mapping(event.get("delta"))))
                self._count(event.get("usage"))
                self._end(_mapping(event.get("delta")))
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
        self._count(message.get("usage"), at_first=True)
        content = message.get("content")
        if self._blocks and not again:
            return  # the same beginning, repeated
        for index, block in enumerate(content if isinstance(content, list) else [content] if content else []):
            self._begin(block if isinstance(block, dict) else {"type": "text", "text": _text(block)}, index)

    def _end(self, told: Mapping[str, object]) -> None:
        """A `stop_reason` ends a message, with or without `message_stop`."""
        if isinstance(reason := told.get("stop_reason"), str) and reason:
            self._message.update(_known(told))
            self._found.ended = True
            usage = told.get("usage")
            if isinstance(usage, dict):
                self._told = self._told or _is_count(usage.get("output_tokens"))

    def _begin(self, block: Mapping[str, object], index: object) -> None:
        _ = self._message
        self._blocks.append(_Block(dict(block)))
        self._open[_key(index)] = self._blocks[-1]

    def _grow(self, delta: object, index: object) -> None:
        if isinstance(delta, str):
            delta = {"type": "text_delta", "text": delta}
        delta = _mapping(delta)
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
        told = _mapping(usage)
        self._message["usage"] = _larger(_mapping(self._message.get("usage")), told)
        self._told = self._told or (not at_first and _is_count(told.get("output_tokens")))

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
            usage = _mapping(found.message.get("usage"))
            told = usage.get("output_tokens")
            bound = max(told if isinstance(told, int) else 0, _bound(content, most_tokens))
            found.message["usage"] = {**usage, "output_tokens": bound}
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


def _bound(blocks: list[dict[str, object]], most_tokens: int | None) -> int:
    """Bound the tokens of an answer that was cut; thinking need not be shown as it was, so it may be all there was."""
    if most_tokens is not None and any("thinking" in str(block.get("type")) for block in blocks):
        return most_tokens
    written = [text for kind in ("text", "thinking") for text in _texts(blocks, kind)]
    written += [json.dumps(block["input"]) for block in blocks if block.get("input")]
    bound = sum(map(tokens_at_most, written))
    return bound if most_tokens is None else min(bound, most_tokens)


def tokens_at_most(text: str) -> int:
    """Bound the tokens of a text: of words three for each eight letters, begun ones included, of all else its bytes."""
    tokens = letters = 0
    for word in _WORD.finditer(text):
        tokens += -(-len(word[0]) * 3 // 8)
        letters += len(word[0])
    return tokens + len(text.encode("utf-8", "replace")) - letters


def _larger(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    merged = dict(one)
    for name, value in other.items():
        before = merged.get(name)
        if isinstance(value, dict):
            merged[name] = _larger(_mapping(before), value)
        elif _is_count(value) and _is_count(before):
            merged[name] = max(int(str(before)), int(str(value)))
        elif value is not None and (_is_count(value) or not _looks_like_a_count(name)):
            merged[name] = value
    return {name: value for name, value in merged.items() if _is_count(value) or not _looks_like_a_count(name)}


def _looks_like_a_count(name: str) -> bool:
    return name.endswith("_tokens")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _MOST_TOKENS


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
    kind = _mapping(error).get("type")
    return kind if isinstance(kind, str) and re.fullmatch(r"[a-z_]{1,40}", kind) else "api_error"


def _texts(blocks: Iterable[Mapping[str, object]], kind: str) -> Iterable[str]:
    return (_text(block.get(kind)) for block in blocks if block.get("type") == kind)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _key(index: object) -> object:
    return index if isinstance(index, int | str) else None


def _input(grown: str, before: object) -> tuple[object, bool]:
    try:
        return (json.loads(grown, strict=False) if grown.strip() else before or {}), True
    except (ValueError, RecursionError):
        return {}, False
