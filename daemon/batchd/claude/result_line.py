"""One line of the API's results: from bytes to what it means, and back to bytes under the user's own custom_id.

Every field may be missing, null or new: what was paid for is never dropped because a later API says more.
"""

import re
from collections.abc import Sequence

import msgspec

from batchd.claude.result_shape import (
    MOST_TOKENS,
    Block,
    CacheCreation,
    Error,
    LineSaid,
    Message,
    ResultSaid,
    Stream,
    UsageSaid,
    read_leniently,
)
from batchd.claude.verdict import NOT_CHARGED, Result, ToolCall
from batchd.errors import Garbled
from batchd.model import Usage
from batchd.text import typed
from batchd.text.characters import is_blank

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


class Line(msgspec.Struct, frozen=True):
    """A result line, read."""

    custom_id: str
    result: Result


_decoder = typed.decoder(LineSaid)
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
        line = read_leniently(raw)
    return Line(line.custom_id, _result(line.result))


def _result(said: ResultSaid) -> Result:
    message, stream = said.message or Message(), said.stream or Stream()
    error = said.error or Error()
    error = error.error or error
    used = message.usage or UsageSaid()
    usage = _usage(used)
    text, silent = _text(message.content)
    return Result(
        type=said.type,
        stop_reason=message.stop_reason,
        error_type=error.type,
        error_message=error.message,
        error_code=error.details.error_code if error.details else None,
        model=message.model,
        usage=usage,
        metered=_costs_nothing(said.type, stream) or _metered(used, usage),
        geo=used.inference_geo,
        thinking_tokens=_thought(used),
        text=text,
        calls=tuple(_call(block) for block in message.content if block.type == "tool_use"),
        silent=silent,
        broken=stream.broken,
        unreadable=stream.unreadable,
        bounded=stream.bounded,
    )


def _text(content: Sequence[Block]) -> tuple[str, bool]:
    """What was written, and whether there is nothing at all for a reader."""
    text = "".join(block.text or "" for block in content if block.type == "text")
    return text, is_blank(text) and all(block.type in _NOTHING_SAID for block in content)


class _Typed(msgspec.Struct, frozen=True):
    type: str


class _Named(msgspec.Struct, frozen=True):
    custom_id: str
    result: _Typed


_naming_decoder = typed.decoder(_Named)


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
        lenient = read_leniently(raw)
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


def _unescaped(written: bytes) -> str | None:
    try:
        return msgspec.json.decode(written, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _call(block: Block) -> ToolCall:
    return ToolCall(block.name or "", bytes(block.input).decode("utf-8", "replace"))


def _thought(usage: UsageSaid) -> int | None:
    return usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else None


def _usage(usage: UsageSaid) -> Usage:
    by_ttl = usage.cache_creation or CacheCreation()
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
    return count if count is not None and 0 < count < MOST_TOKENS else 0


def _costs_nothing(kind: str, stream: Stream) -> bool:
    """Whether a result costs nothing by its type; a stream of which nothing came before it broke off may have cost."""
    return kind in NOT_CHARGED and not (kind == "canceled" and stream.broken)


def _metered(said: UsageSaid, usage: Usage) -> bool:
    """Whether what is said can be what is charged: no count is missing or absurd, and something was read."""
    by_ttl = said.cache_creation or CacheCreation()
    counts = (
        *(said.cache_read_input_tokens, said.cache_creation_input_tokens),
        *(by_ttl.ephemeral_5m_input_tokens, by_ttl.ephemeral_1h_input_tokens),
    )
    needed = (said.input_tokens, said.output_tokens)
    return (
        all(count is not None and 0 <= count < MOST_TOKENS for count in needed)
        and all(count is None or 0 <= count < MOST_TOKENS for count in counts)
        and usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens > 0
    )
