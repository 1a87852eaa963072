"""What an answer says before anything cuts it: what a directive tells, else a tool's input, else data, else prose."""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

import msgspec

from batchd.sandbox import directives, filing, instance, outline, sketch, writer
from batchd.sandbox.conversation import Conversation
from batchd.sandbox.directives import Orders
from batchd.sandbox.outline import Outline

_FORCED: Final = frozenset({"any", "tool"})


_CHARACTERS_A_WORD: Final = 6
_PLAIN_WORD: Final = 5.4
"""Characters of a word as a model would write it, with the blank: 4 / 3 of a token."""


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
    schema = _schema(params) if tool is None else tool.get("input_schema")
    if tool is not None or schema is not None:
        return Reply(_data(schema, prompt, seed, room), name)
    return Reply(filing.write(prompt, said.files) or _written(said, orders, room, seed))


def wish_of(said: Conversation, orders: Orders) -> Outline:
    """What a prompt asks for, unless it tells how many words it shall be."""
    wish = outline.read(directives.without(said.prompt), directives.without(said.system))
    return wish if orders.words is None else replace(wish, words=orders.words, json=False, open=False)


def _written(said: Conversation, orders: Orders, room: int, seed: int) -> str:
    """What a prompt asks for in words alone."""
    wish = wish_of(said, orders)
    if wish.json:
        prompt = directives.without(said.prompt)
        return _data(sketch.schema_of(prompt), prompt, seed, room)
    return _prose(wish, said, orders, room, seed)


def _prose(wish: Outline, said: Conversation, orders: Orders, room: int, seed: int) -> str:
    """A text as long as it was asked for, in short words where there is little room.

    Where nothing was said of its length it ends when the room does. A text that is continued stays what it was.
    """
    prompt = directives.without(said.prompt)
    most = len(said.written) + room
    texts: list[str] = []
    for terse, words in ((False, wish.words), (True, wish.words), (True, room // _CHARACTERS_A_WORD)):
        text = writer.write(
            wish if words == wish.words else replace(wish, words=words),
            _number(prompt, seed),
            most=most,
            omit=frozenset(orders.omit),
            unicode=orders.unicode,
            terse=terse,
        )
        if text.startswith(said.written.rstrip()) and len(text) <= most:
            return text
        texts.append(text)
        if not wish.open and (terse or wish.words * _PLAIN_WORD > room):
            return next((each for each in texts if each.startswith(said.written.rstrip())), texts[0])
    return texts[-1][:most].rstrip() if not said.written else texts[0]


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
