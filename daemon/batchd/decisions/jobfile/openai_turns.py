"""The messages and tools of OpenAI's requests, as turns, blocks and tools of ours.

Sources: OpenAI's reference of Chat Completions and of Responses.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from batchd.claude.params import Block, Turn
from batchd.text import typed
from batchd.text.strictjson import Flaw, Flawed, Json, Malformed, decode, member, shown

_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,")
_NO_PARAMETERS: Final = {"type": "object", "properties": {}}
_TEXTS: Final = ("text", "input_text", "output_text")
UNKNOWN: Final = "not known of that API, so it cannot be converted; leave it out"
PLACE: Final = "the place of a later system message is lost: all of them go first"
_KEYS_OF_MESSAGE: Final = frozenset({"role", "content", "type", "id", "status", "annotations"})
_SPEECH: Final = ("audio", "function_call")


@dataclass(slots=True)
class Converted:
    """What a line comes to."""

    params: dict[str, Json] = field(default_factory=dict)
    tool_choice: Block = field(default_factory=dict)
    schema: Json = None
    """Of the answer, to be cleaned as the setting `schema` is; None where it has none."""
    schema_at: str = ""
    """Where that stands in the line."""
    expects_json: bool = False
    dropped: dict[str, str] = field(default_factory=dict)
    """What was left out and changes nothing that Claude could do: by its place, what is said of it."""
    flaws: list[Flaw] = field(default_factory=list)

    def say(self, place: str, message: str) -> None:
        """Note what changes the meaning, so that the line cannot be converted."""
        self.flaws.append(Flaw(place, message))

    def drop(self, place: str, message: str = "has no counterpart") -> None:
        """Note what is left out."""
        self.dropped.setdefault(place, message)


def add_system(text: str, done: Converted) -> None:
    """Put a text behind what the system prompt has already."""
    before = done.params.get("system")
    done.params["system"] = f"{before}\n\n{text}" if before else text


def put_messages(value: Json, place: str, done: Converted) -> None:
    """Convert a conversation: leading system messages become the system prompt, later ones as well."""
    if not isinstance(value, list) or not value:
        done.say(place, "must be a list of at least one message")
        return
    turns: list[Turn] = []
    for index, message in enumerate(value):
        at = f"{place}[{index}]"
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(message, dict):
            done.say(at, "must be an object with role and content")
        elif message.get("type") not in (None, "message"):
            done.say(f"{at}.type", f"{shown(str(message['type']))} cannot be converted; only messages can")
        elif role in ("system", "developer"):
            _strange_keys(message, at, (), done)
            if turns:
                done.drop(f"{at}.role", PLACE)
            add_system(_plain(message.get("content"), f"{at}.content", done), done)
        elif isinstance(role, str) and role in _ROLES:
            _ROLES[role](message, at, turns, done)
        else:
            done.say(f"{at}.role", "must be system, developer, user, assistant or tool")
    done.params["messages"] = turns


def _strange_keys(message: Mapping[str, Json], at: str, own: tuple[str, ...], done: Converted) -> None:
    for key, value in message.items():
        if value is None or key in _KEYS_OF_MESSAGE or key in own:
            continue
        if key == "name":
            done.drop(member(at, key))
        elif key in _SPEECH:
            done.say(member(at, key), "cannot be converted; say calls as tool_calls, and speech as text")
        else:
            done.say(member(at, key), UNKNOWN)


_Convert = Callable[[Mapping[str, Json], str, list[Turn], Converted], None]


def _user(message: Mapping[str, Json], at: str, turns: list[Turn], done: Converted) -> None:
    _strange_keys(message, at, (), done)
    content = message.get("content")
    blocks = content if isinstance(content, str) else list(_blocks(content, f"{at}.content", done))
    if (before := _blocks_of_user(turns)) is not None:
        before += [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
    else:
        turns.append({"role": "user", "content": blocks})


def _assistant(message: Mapping[str, Json], at: str, turns: list[Turn], done: Converted) -> None:
    _strange_keys(message, at, ("tool_calls", "refusal"), done)
    content, calls, refusal = message.get("content"), message.get("tool_calls") or [], message.get("refusal")
    text = "" if content is None else _plain(content, f"{at}.content", done)
    text = text or (refusal if isinstance(refusal, str) else "")
    if not calls:
        turns.append({"role": "assistant", "content": text})
        return
    blocks: list[Block] = [{"type": "text", "text": text}] if text else []
    for index, call in enumerate(calls if isinstance(calls, list) else [calls]):
        try:
            blocks.append(_call(call))
        except (msgspec.ValidationError, TypeError, Malformed, Flawed):
            said = "must have an id, and a function with a name and arguments that are a JSON object"
            done.say(f"{at}.tool_calls[{index}]", said)
    turns.append({"role": "assistant", "content": blocks})


def _blocks_of_user(turns: list[Turn]) -> list[Block] | None:
    """The blocks that the next of a user's join: those of the last turn, if it is a user's."""
    content = turns[-1]["content"] if turns and turns[-1]["role"] == "user" else None
    return content if isinstance(content, list) else None


class _Function(msgspec.Struct):
    name: str
    arguments: str | None = None


class _Call(msgspec.Struct):
    id: object
    function: _Function


def _call(said: Json) -> Block:
    """Convert a call.

    Raises:
        ValidationError: It lacks something.
        TypeError: Its arguments are no object.
        Malformed, Flawed: They are no JSON.
    """
    call = typed.convert(said, _Call)
    arguments = call.function.arguments or "{}"
    given, end = decode(arguments.strip())
    if not isinstance(given, dict) or end < len(arguments.strip()):
        raise TypeError("not an object")
    return {"type": "tool_use", "id": call.id, "name": call.function.name, "input": given}


def _tool(message: Mapping[str, Json], at: str, turns: list[Turn], done: Converted) -> None:
    _strange_keys(message, at, ("tool_call_id",), done)
    text = _plain(message.get("content"), f"{at}.content", done)
    result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": text}
    if (before := _blocks_of_user(turns)) is not None:
        before.append(result)
    else:
        turns.append({"role": "user", "content": [result]})


_ROLES: Final[Mapping[str, _Convert]] = {"user": _user, "assistant": _assistant, "tool": _tool}


def _plain(content: Json, at: str, done: Converted) -> str:
    if isinstance(content, str):
        return content
    texts = [_text_of(part) for part in content] if isinstance(content, list) else [None]
    if None not in texts:
        return "".join(text for text in texts if text)
    done.say(at, "must be a text")
    return ""


def _text_of(part: Json) -> str | None:
    if not isinstance(part, dict):
        return None
    text = part.get("text") if part.get("type") in _TEXTS else part.get("refusal")
    return text if isinstance(text, str) else None


def _blocks(content: Json, at: str, done: Converted) -> Iterator[dict[str, Json]]:
    if not isinstance(content, list):
        done.say(at, "must be a text or a list of parts")
        return
    for index, part in enumerate(content):
        place = f"{at}[{index}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _TEXTS:
            yield {"type": "text", "text": part.get("text")}
        elif kind in ("image_url", "input_image"):
            told = part.get("image_url")
            detail = told if isinstance(told, dict) else part
            if detail.get("detail") not in (None, "auto"):
                done.drop(f"{place}.detail")
            yield from _source(told.get("url") if isinstance(told, dict) else told, "image", place, done)
        elif kind in ("file", "input_file"):
            told = part.get("file", part)
            yield from _file(told if isinstance(told, dict) else {}, place, done)
        else:
            done.say(f"{place}.type", f"a part of type {shown(str(kind))} cannot be converted")


def _file(told: Mapping[str, Json], place: str, done: Converted) -> Iterator[dict[str, Json]]:
    title = told.get("filename")
    for block in _source(told.get("file_data") or told.get("file_url"), "document", place, done):
        yield {**block, "title": title} if isinstance(title, str) and title else block


def _source(url: Json, kind: str, place: str, done: Converted) -> Iterator[dict[str, Json]]:
    if not isinstance(url, str):
        done.say(place, "holds no data; what another vendor keeps by an id cannot be sent")
    elif found := _DATA_URL.match(url):
        yield {"type": kind, "source": {"type": "base64", "media_type": found[1], "data": url[found.end() :]}}
    elif url.startswith("https://"):
        yield {"type": kind, "source": {"type": "url", "url": url}}
    else:
        done.say(place, "must be a data: URL in base64, or an https:// URL")


def put_tools(value: Json, place: str, done: Converted) -> None:
    """Convert tools; only functions are the same in both worlds."""
    found = []
    for index, tool in enumerate(value if isinstance(value, list) else [value] if value is not None else ()):
        of_function = isinstance(tool, dict) and tool.get("type") == "function"
        function = tool.get("function", tool) if of_function else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            done.say(f"{place}[{index}]", "only tools of type function can be converted")
            continue
        converted = {"name": function["name"], "input_schema": function.get("parameters") or _NO_PARAMETERS}
        found.append(converted | {key: function[key] for key in ("description", "strict") if function.get(key)})
    if found:
        done.params["tools"] = found
