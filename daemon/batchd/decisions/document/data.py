"""Answers that are data: calls of tools, whose input is what was asked for, and output by a schema."""

from collections.abc import Sequence

import msgspec

from batchd.claude.turn import writes_by_schema
from batchd.claude.verdict import ToolCall
from batchd.text.strictjson import Flawed, Malformed, decode


def data_of_calls(calls: Sequence[ToolCall]) -> str:
    """Write calls as JSON: the input of a single one, or of several a list, each with the name of its tool."""
    if len(calls) == 1:
        return calls[0].input
    told = (f'{{"name":{msgspec.json.encode(call.name).decode()},"input":{call.input}}}' for call in calls)
    return f"[{','.join(told)}]" if calls else ""


def is_structured(text: str, first: bytes) -> bool:
    """Whether a text is whole JSON that was asked for by a schema.

    Args:
        text: The whole document.
        first: The params of its request.
    """
    if not may_be_structured(text) or not writes_by_schema(first):
        return False
    try:
        _, end = decode(text.strip())
    except (Malformed, Flawed):
        return False
    return end == len(text.strip())


def may_be_structured(text: str) -> bool:
    """Whether it is worth a look at the params: output by a schema is an object or a list."""
    return text.lstrip()[:1] in {"{", "["}
