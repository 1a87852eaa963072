"""How messages call the parts of a request, and what they suggest where others' APIs have another word."""

import json
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeAlias

from batchd.text.spelling import closest
from batchd.text.strictjson import member, shown

Hint: TypeAlias = Any
"""What the table says of a value: a name such as `str` or `#TextBlock`, or an object of one key."""

Path: TypeAlias = "tuple[Path, str | int] | None"
"""Where a value stands, from the inside out: made without writing a text, since most are never told."""

STANDS_FOR: Final = {
    "json_schema": "schema",
    "parameters": "input_schema",
    "inputSchema": "input_schema",
    "arguments": "input",
    "tool_call_id": "tool_use_id",
}
"""Others' keys by ours: where one stands, ours is not told to be missing besides."""

_LONGEST_LIST: Final = 12

NAMES: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "any": "anything",
}


def written(path: Path) -> str:
    """Write a path as users read it: `params.messages[0].content`."""
    parts: list[str | int] = []
    while path is not None:
        path, part = path
        parts.append(part)
    text = ""
    for part in reversed(parts):
        text = f"{text}[{part}]" if isinstance(part, int) else member(text, part) if text else part
    return text


def unknown(kind: object, names: list[str]) -> str:
    """Say of a type or role that is none of these what would do."""
    told = ", ".join(names[:_LONGEST_LIST]) + (" …" if len(names) > _LONGEST_LIST else "")
    said = f"must be one of {told}"
    if kind is None:
        return said
    hint = _FOREIGN_KINDS.get(kind) if isinstance(kind, str) else None
    if hint:
        return f"another vendor's {shown(str(kind))}; {hint}"
    close = closest(kind, names, 0.75) if isinstance(kind, str) else ""
    return f"{shown(str(kind))} is not known; did you mean {close}?" if close else f"{said}, not {shown(str(kind))}"


_FOREIGN_KINDS: Final = {
    "image_url": 'here it is {"type": "image", "source": {"type": "url", "url": "https://…"}}',
    "input_image": 'here it is {"type": "image", "source": {"type": "url", "url": "https://…"}}',
    "input_text": 'here it is {"type": "text", "text": "…"}',
    "output_text": 'here it is {"type": "text", "text": "…"}',
    "input_file": 'here it is {"type": "document", "source": {"type": "base64", …}}',
    "function": 'here a tool is {"name": "…", "description": "…", "input_schema": {"type": "object", …}}',
    "function_call": 'here it is {"type": "tool_use", "id": "…", "name": "…", "input": {…}}',
    "developer": "here it is system, beside messages",
    "tool": 'here a result is {"type": "tool_result", "tool_use_id": "…"} in the content of a user\'s message',
    "json_object": 'here it is {"type": "json_schema", "schema": {…}}',
}
"""Kinds of things that others' APIs have, and what does the same here."""

_FOREIGN_KEYS: Final = {
    "name": "another vendor's; say in the content who speaks",
    "tool_calls": 'another vendor\'s; here a call is a block {"type": "tool_use", …} in the content',
    "tool_call_id": "another vendor's; here a result is a block with tool_use_id",
    "function": "another vendor's; here name, description and input_schema stand in the tool itself",
    "parameters": "another vendor's; here it is input_schema",
    "inputSchema": "another spelling; here it is input_schema",
    "json_schema": "another vendor's wrapping; put what is in its schema into schema, here",
    "arguments": "another vendor's; here it is input, as an object",
    "detail": "another vendor's; leave it out",
    "effort": 'belongs into output_config: {"effort": "low"}',
    "reasoning_content": "another vendor's; leave it out",
}


def stray(key: str, whose: str, keys: Collection[str]) -> str:
    """Say of a key that an object does not take what would do."""
    known = [each for each in keys if each != "type"]
    if key in _FOREIGN_KEYS and not (key == "name" and "role" not in keys):  # only messages have speakers
        return _FOREIGN_KEYS[key]
    close = closest(key, known, 0.75)
    if close:
        return f"{whose} has no such key; did you mean {close}?"
    return f"{whose} has no such key; leave it out (it takes {', '.join(known) or 'none but type'})"


def quoted(value: object) -> str:
    """Write a value of one of the simple kinds, for a message."""
    return shown(value) if isinstance(value, str) else json.dumps(value)


def described(hint: Hint) -> str:
    """Say what a hint allows, in words that follow `must be`."""
    if isinstance(hint, str):
        return title(hint[1:]) if hint.startswith("#") else NAMES[hint]
    if "is" in hint:
        allowed = [each for each in hint["is"] if each not in hint.get("beta", ())]
        return ("one of " if len(allowed) > 1 else "") + ", ".join(quoted(each) for each in allowed)
    if "one" in hint:
        return " or ".join(dict.fromkeys(_arms(hint["one"])))
    return "a list" if "list" in hint else "an object"


def _arms(hints: Sequence[Hint]) -> Iterator[str]:
    """What each of several hints allows; objects are told as one, at the end."""
    objects = [arm for arm in hints if isinstance(arm, str) and arm.startswith("#")]
    yield from (described(arm) for arm in hints if arm not in objects and arm != "null")
    if objects:
        yield "an object"


def or_nothing(value: object) -> str:
    """What to say of null besides, which others' programs write for what is not said."""
    return ", not null; what is not said is left out" if value is None else ""


def title(name: str) -> str:
    """How a message calls an object of this shape: by its type or role, where it has one."""
    keys = table()["shapes"][name]["keys"]
    names = [each for each in values(keys.get("role", keys.get("type", "any"))) if isinstance(each, str)]
    if "role" in keys:
        return f"a message of the role {names[0]}"
    if name in _TITLES:
        return _TITLES[name]
    return f"an object of type {names[0]}" if names else "an object"


_TITLES: Final = {
    "Metadata": "metadata",
    "OutputConfig": "output_config",
    "Tool": "a tool",
    "TextBlock": "a text block",
    "InputSchemaTyped": "an input_schema",
    "JSONOutputFormat": "a format",
}


def values(hint: Hint) -> list[object]:
    """The literal values that a hint allows."""
    if isinstance(hint, str):
        return [None] if hint == "null" else []
    return list(hint.get("is", ())) or [value for arm in hint.get("one", ()) for value in values(arm)]


@cache
def table() -> dict[str, Any]:
    """The table of shapes, as tests/support/shapes.py made it."""
    found: dict[str, Any] = json.loads(files("batchd").joinpath("shapes.json").read_bytes())
    return found
