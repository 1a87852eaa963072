"""What an answer says before anything cuts it: what a directive tells, else a tool's input, else data, else prose."""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

import msgspec

from batchd.sandbox import directives, filing, instance, outline, writer
from batchd.sandbox.conversation import Conversation
from batchd.sandbox.directives import Orders
from batchd.sandbox.outline import Outline

_FORCED: Final = frozenset({"any", "tool"})


class Reply(NamedTuple):
    """An answer, whole."""

    text: str
    """As it is written; of a call, its input as JSON."""
    tool: str | None = None
    """The name of the tool that is called with it."""


def reply(said: Conversation, params: Mapping[str, Any], orders: Orders, room: int, seed: int) -> Reply:
    """Make the whole answer.

    Args:
        room: Characters that it should have at most, where that can be had.
        seed: Another seed, another answer.
    """
    prompt = directives.without(said.prompt)
    tool = _forced(params, _chance(prompt, seed))
    name = None if tool is None else str(tool.get("name"))
    if orders.answer is not None:
        return Reply(orders.answer)
    if orders.json is not None:
        return Reply(orders.json, name)
    if tool is not None:
        return Reply(_data(tool.get("input_schema"), prompt, seed, room), name)
    if (schema := _schema(params)) is not None:
        return Reply(_data(schema, prompt, seed, room))
    return Reply(_prose(prompt, said, orders, room, seed))


def wish_of(prompt: str, orders: Orders) -> Outline:
    """What a prompt asks for, unless it tells how many words it shall be."""
    wish = outline.read(prompt)
    return wish if orders.words is None else replace(wish, words=orders.words)


def _prose(prompt: str, said: Conversation, orders: Orders, room: int, seed: int) -> str:
    return filing.write(prompt, said.files) or writer.write(
        wish_of(prompt, orders),
        _number(prompt, seed),
        most=len(said.written) + room,
        omit=frozenset(orders.omit),
        unicode=orders.unicode,
    )


def _data(schema: object, prompt: str, seed: int, room: int) -> str:
    """JSON that keeps a schema, as small as there is room for."""
    text = "{}"
    for size in instance.SIZES if isinstance(schema, Mapping) else ():
        made = instance.make(schema if isinstance(schema, Mapping) else {}, _chance(prompt, seed), size)
        text = msgspec.json.encode(made).decode()
        if len(text) <= room:
            break
    return text


def _forced(params: Mapping[str, Any], chance: random.Random) -> Mapping[str, Any] | None:
    """The tool that has to be called."""
    choice = params.get("tool_choice") or {}
    tools = [each for each in params.get("tools") or () if isinstance(each, Mapping)]
    if choice.get("type") not in _FORCED or not tools:
        return None
    if choice["type"] == "tool":
        return next((each for each in tools if each.get("name") == choice.get("name")), None)
    own = [each for each in tools if isinstance(each.get("input_schema"), Mapping)]
    return chance.choice(own) if own else None


def _schema(params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema that the answer is held to."""
    config = params.get("output_config") or {}
    form = config.get("format") or params.get("output_format") or {}
    schema = form.get("schema") if form.get("type") == "json_schema" else None
    return schema if isinstance(schema, Mapping) else None


def _chance(prompt: str, seed: int) -> random.Random:
    return random.Random(_number(prompt, seed))  # noqa: S311  nothing here is secret


def _number(prompt: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{prompt}".encode()).digest()[:8])
