"""What a result line of the API is made of, and how one is read that is not quite as documented."""

import json
from typing import Any

import msgspec

from batchd.errors import Garbled
from batchd.text import typed

MOST_TOKENS = 10_000_000
"""Ten of the longest windows: nobody can be charged for more at one time."""


class CacheCreation(msgspec.Struct, frozen=True):
    """What was written to the prompt cache, by its time to live."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class OutputDetails(msgspec.Struct, frozen=True):
    """What of the output was thinking."""

    thinking_tokens: int | None = None


class UsageSaid(msgspec.Struct, frozen=True):
    """The tokens of one answer, as they are told."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None
    inference_geo: str | None = None


class Block(msgspec.Struct, frozen=True):
    """A content block."""

    type: str = ""
    text: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"null")


class Message(msgspec.Struct, frozen=True):
    """The answer itself."""

    model: str | None = None
    stop_reason: str | None = None
    content: list[Block] = []
    usage: UsageSaid | None = None


class ErrorDetails(msgspec.Struct, frozen=True):
    """What the API adds to an error."""

    error_code: str | None = None


class Error(msgspec.Struct, frozen=True):
    """Documented as nested twice, and seen flat."""

    type: str | None = None
    message: str | None = None
    details: ErrorDetails | None = None
    error: "Error | None" = None


class Stream(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is told of a message that came as a stream, in a line that is made here and not at the API."""

    broken: str = ""
    unreadable: int = 0
    bounded: bool = False


class ResultSaid(msgspec.Struct, frozen=True):
    """What became of one request."""

    type: str
    message: Message | None = None
    error: Error | None = None
    stream: Stream | None = None


class LineSaid(msgspec.Struct, frozen=True):
    """A line, as it is told."""

    custom_id: str
    result: ResultSaid


def read_leniently(raw: bytes) -> LineSaid:
    """Read a line that is JSON, but not quite as we know it; only what has an unexpected type is passed over."""
    try:
        found = json.loads(raw.decode("utf-8", "replace"))
        message, error = _dict(found["result"].get("message")), _dict(found["result"].get("error"))
        error = _dict(error.get("error", error))
        return LineSaid(
            custom_id=_text(found["custom_id"]) or "",
            result=ResultSaid(
                type=_text(found["result"]["type"]) or "",
                message=Message(
                    model=_text(message.get("model")),
                    stop_reason=_text(message.get("stop_reason")),
                    content=[
                        Block(
                            _text(_dict(block).get("type")) or "",
                            _text(_dict(block).get("text")),
                            _text(_dict(block).get("name")),
                            msgspec.Raw(json.dumps(_dict(block).get("input")).encode()),
                        )
                        for block in message.get("content") or ()
                    ],
                    usage=_usage_leniently(_dict(message.get("usage"))),
                ),
                error=Error(
                    type=_text(error.get("type")),
                    message=_text(error.get("message")),
                    details=ErrorDetails(_text(_dict(error.get("details")).get("error_code"))),
                ),
                stream=_stream(found["result"].get("stream")),
            ),
        )
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise Garbled(f"a line of the results cannot be read ({type(error).__name__})") from error


def _stream(told: object) -> Stream | None:
    try:
        return None if told is None else typed.convert(told, Stream)
    except msgspec.ValidationError:
        return None


def _usage_leniently(usage: dict[str, Any]) -> UsageSaid:
    """Read what has the type that it should have; a number that is none counts as one that cannot be."""
    by_ttl, details = _dict(usage.get("cache_creation")), _dict(usage.get("output_tokens_details"))
    return UsageSaid(
        input_tokens=_number(usage.get("input_tokens")),
        output_tokens=_number(usage.get("output_tokens")),
        cache_read_input_tokens=_number(usage.get("cache_read_input_tokens")),
        cache_creation_input_tokens=_number(usage.get("cache_creation_input_tokens")),
        cache_creation=CacheCreation(
            _number(by_ttl.get("ephemeral_5m_input_tokens")), _number(by_ttl.get("ephemeral_1h_input_tokens"))
        ),
        output_tokens_details=OutputDetails(_number(details.get("thinking_tokens"))),
        inference_geo=_text(usage.get("inference_geo")),
    )


def _number(value: object) -> int | None:
    return None if value is None else value if type(value) is int else -1


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    """A string that can be written as UTF-8; a lone surrogate becomes a question mark."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else None
