"""One line of the API's results: from bytes to what it means, and back to bytes under the user's own custom_id.

Every field may be missing, null or new: what was paid for is never dropped because a later API says more.
"""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec

from batchd.claude.verdict import NOT_CHARGED, Result, ToolCall
from batchd.errors import Garbled
from batchd.model import Usage

LONGEST = 256 * 1024 * 1024
"""Bytes of a line, beyond which the server is not believed to be sending one."""

_MOST_TOKENS = 10_000_000
"""Ten of the longest windows: nobody can be charged for more at one time."""
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


class _CacheCreation(msgspec.Struct, frozen=True):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _OutputDetails(msgspec.Struct, frozen=True):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _OutputDetails | None = None
    inference_geo: str | None = None


class _Block(msgspec.Struct, frozen=True):
    type: str = ""
    text: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"null")


class _Message(msgspec.Struct, frozen=True):
    model: str | None = None
    stop_reason: str | None = None
    content: list[_Block] = []
    usage: _Usage | None = None


class _Details(msgspec.Struct, frozen=True):
    error_code: str | None = None


class _Error(msgspec.Struct, frozen=True):
    """Documented as nested twice, and seen flat."""

    type: str | None = None
    message: str | None = None
    details: _Details | None = None
    error: "_Error | None" = None


class Stream(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is told of a message that came as a stream, in a line that is made here and not at the API."""

    broken: str = ""
    unreadable: int = 0
    bounded: bool = False


class _Result(msgspec.Struct, frozen=True):
    type: str
    message: _Message | None = None
    error: _Error | None = None
    stream: Stream | None = None


class _Line(msgspec.Struct, frozen=True):
    custom_id: str
    result: _Result


class Line(msgspec.Struct, frozen=True):
    """A result line, read."""

    custom_id: str
    result: Result


_decoder = msgspec.json.Decoder(_Line)
_NOTHING_SAID = frozenset({"text", "thinking", "redacted_thinking"})
"""Blocks that hold nothing for a reader, where they have no text."""


def read(raw: bytes) -> Line:
    """Read a line.

    Args:
        raw: Without its end.

    Raises:
        Garbled: It is no result line.
    """
    try:
        line = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        line = _read_leniently(raw)
    message, error = line.result.message or _Message(), line.result.error or _Error()
    error = error.error or error
    stream = line.result.stream or Stream()
    text = "".join(block.text or "" for block in message.content if block.type == "text")
    return Line(
        line.custom_id,
        Result(
            type=line.result.type,
            stop_reason=message.stop_reason,
            error_type=error.type,
            error_message=error.message,
            error_code=error.details.error_code if error.details else None,
            model=message.model,
            usage=(usage := _usage(message.usage or _Usage())),
            metered=line.result.type in NOT_CHARGED or _metered(message.usage or _Usage(), usage),
            geo=message.usage.inference_geo if message.usage else None,
            thinking_tokens=_thought(message.usage),
            text=text,
            calls=tuple(_call(block) for block in message.content if block.type == "tool_use"),
            silent=not text.strip() and all(block.type in _NOTHING_SAID for block in message.content),
            broken=stream.broken,
            unreadable=stream.unreadable,
            bounded=stream.bounded,
        ),
    )


class _Typed(msgspec.Struct, frozen=True):
    type: str


class _Named(msgspec.Struct, frozen=True):
    custom_id: str
    result: _Typed


_naming_decoder = msgspec.json.Decoder(_Named)


def whose(raw: bytes) -> tuple[str, str]:
    """Read only the custom_id and the type of a line, with the tolerance of `read`.

    Args:
        raw: With or without its end.

    Raises:
        Garbled: It is no result line.
    """
    try:
        named = _naming_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        lenient = _read_leniently(raw)
        return lenient.custom_id, lenient.result.type
    return named.custom_id, named.result.type


def under(raw: bytes, wire_id: str, custom_id: str) -> bytes:
    """Put the user's custom_id in the place of the wire's; every other byte stays as it was.

    Args:
        raw: A line, without its end.
        wire_id: As it stands there.
        custom_id: The user's.

    Raises:
        Garbled: It does not stand there.
    """
    here = msgspec.json.encode(custom_id)
    there = b'"%b"' % wire_id.encode()
    # The nonce in it is known to nobody but the API's own field, so the first one is that field.
    if there in raw:
        return raw.replace(there, here, 1)
    for written in _STRING.finditer(raw):  # with escapes
        if _unescaped(written[0]) == wire_id:
            return raw[: written.start()] + here + raw[written.end() :]
    raise Garbled("a line of the results does not say whose it is")


async def lines(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    r"""Cut a stream into lines at `\n` alone: U+2028 and its like may stand raw inside of one.

    Args:
        pieces: Of any size; each byte is copied twice at the most, however long a line is.

    Yields:
        Each line that is not blank, without `\n` or `\r\n`; the last one also where the stream ends without.

    Raises:
        Garbled: A line longer than anything the API could mean.
    """
    open_pieces: list[bytes] = []
    length = 0
    async for piece in pieces:
        *closed, rest = piece.split(b"\n")
        for end in closed:
            line = b"".join((*open_pieces, end)).rstrip(b"\r")
            open_pieces.clear()
            length = 0
            if line:
                yield line
        if rest:
            open_pieces.append(rest)
            length += len(rest)
            if length > LONGEST:
                raise Garbled("a result line has no end")
    if line := b"".join(open_pieces).rstrip(b"\r"):
        yield line


def _unescaped(written: bytes) -> str | None:
    try:
        return msgspec.json.decode(written, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _call(block: _Block) -> ToolCall:
    return ToolCall(block.name or "", bytes(block.input).decode("utf-8", "replace"))


def _thought(usage: _Usage | None) -> int | None:
    return usage.output_tokens_details.thinking_tokens if usage and usage.output_tokens_details else None


def _usage(usage: _Usage) -> Usage:
    by_ttl = usage.cache_creation or _CacheCreation()
    one_hour = _tokens(by_ttl.ephemeral_1h_input_tokens)
    # Five minutes is the API's default: what it does not place belongs there.
    placed = _tokens(by_ttl.ephemeral_5m_input_tokens)
    five_minutes = max(_tokens(usage.cache_creation_input_tokens) - one_hour, placed)
    return Usage(
        input_tokens=_tokens(usage.input_tokens),
        output_tokens=_tokens(usage.output_tokens),
        cache_read_input_tokens=_tokens(usage.cache_read_input_tokens),
        cache_write_5m_tokens=five_minutes,
        cache_write_1h_tokens=one_hour,
    )


def _tokens(count: int | None) -> int:
    """A count that nobody can have is none: no column would take it."""
    return count if count is not None and 0 < count < _MOST_TOKENS else 0


def _metered(said: _Usage, usage: Usage) -> bool:
    """Whether what is said can be what is charged: no count is missing or absurd, and something was read."""
    by_ttl = said.cache_creation or _CacheCreation()
    counts = (
        *(said.cache_read_input_tokens, said.cache_creation_input_tokens),
        *(by_ttl.ephemeral_5m_input_tokens, by_ttl.ephemeral_1h_input_tokens),
    )
    needed = (said.input_tokens, said.output_tokens)
    return (
        all(count is not None and 0 <= count < _MOST_TOKENS for count in needed)
        and all(count is None or 0 <= count < _MOST_TOKENS for count in counts)
        and usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens > 0
    )


def _read_leniently(raw: bytes) -> _Line:
    """Read a line that is JSON, but not quite as we know it; only what has an unexpected type is passed over."""
    try:
        found = json.loads(raw.decode("utf-8", "replace"))
        message, error = _dict(found["result"].get("message")), _dict(found["result"].get("error"))
        return _Line(
            custom_id=_text(found["custom_id"]) or "",
            result=_Result(
                type=_text(found["result"]["type"]) or "",
                message=_Message(
                    model=_text(message.get("model")),
                    stop_reason=_text(message.get("stop_reason")),
                    content=[
                        _Block(
                            _text(_dict(block).get("type")) or "",
                            _text(_dict(block).get("text")),
                            _text(_dict(block).get("name")),
                            msgspec.Raw(json.dumps(_dict(block).get("input")).encode()),
                        )
                        for block in message.get("content") or ()
                    ],
                    usage=_usage_leniently(_dict(message.get("usage"))),
                ),
                error=_Error(
                    type=_text(_dict(error.get("error", error)).get("type")),
                    message=_text(_dict(error.get("error", error)).get("message")),
                    details=_Details(_text(_dict(_dict(error.get("error", error)).get("details")).get("error_code"))),
                ),
                stream=_stream(found["result"].get("stream")),
            ),
        )
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise Garbled(f"a line of the results cannot be read ({type(error).__name__})") from error


def _stream(told: object) -> Stream | None:
    try:
        return msgspec.convert(told, Stream | None)
    except msgspec.ValidationError:
        return None


def _usage_leniently(usage: dict[str, Any]) -> _Usage:
    """Read what has the type that it should have; a number that is none counts as one that cannot be."""
    by_ttl, details = _dict(usage.get("cache_creation")), _dict(usage.get("output_tokens_details"))
    return _Usage(
        input_tokens=_number(usage.get("input_tokens")),
        output_tokens=_number(usage.get("output_tokens")),
        cache_read_input_tokens=_number(usage.get("cache_read_input_tokens")),
        cache_creation_input_tokens=_number(usage.get("cache_creation_input_tokens")),
        cache_creation=_CacheCreation(
            _number(by_ttl.get("ephemeral_5m_input_tokens")), _number(by_ttl.get("ephemeral_1h_input_tokens"))
        ),
        output_tokens_details=_OutputDetails(_number(details.get("thinking_tokens"))),
        inference_geo=_text(usage.get("inference_geo")),
    )


def _number(value: object) -> int | None:
    return None if value is None else value if type(value) is int else -1


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    """A string that can be written as UTF-8; a lone surrogate becomes a question mark."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else None
