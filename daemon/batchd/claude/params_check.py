"""The shape of the Messages API's parameters, whatever the model: which there are, of what type, in which range.

Only what the API surely refuses is refused. Sources: `message_create_params` of the anthropic SDK 2.12.0, plain and
beta, for the parameters and their types; API.md for what a batch forbids; the API's own messages ("text content blocks
must contain non-whitespace text", "Extra inputs are not permitted", …) for the rest.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from batchd.claude.catalogue import LONGEST_OUTPUT
from batchd.text.strictjson import Flaw, Json, member

Check: TypeAlias = Callable[[Json, str], Iterator[Flaw]]
"""Takes a value and its path, and tells what is wrong with it."""

_ROLES: Final = frozenset({"user", "assistant", "system"})
THINKING: Final = ("adaptive", "enabled", "disabled", "between_tools")
"""Values of `thinking.type`; which of them a model takes is another question."""

_TOOL_CHOICES: Final = ("auto", "any", "tool", "none")
_LEAST_BUDGET: Final = 1_024
_MOST_MESSAGES: Final = 100_000


def check(key: str, value: Json, path: str) -> Iterator[Flaw]:
    """Check one parameter; whether another is missing is not asked here, since it may be given elsewhere.

    Args:
        key: Its name.
        value: What the user gave it.
        path: What precedes its name in a message, such as `params`.
    """
    by_name = PARAMETERS.get(key)
    place = member(path, key)
    if by_name is None:
        yield Flaw(place, _NOT_OURS.get(key, "the Messages API has no such parameter; leave it out"))
    else:
        yield from by_name(value, place)


def whole_number(value: Json, path: str, least: int = 1) -> Iterator[Flaw]:
    """Check a count, for which true and 1.0 will not do."""
    if type(value) is not int or value < least:
        yield Flaw(path, f"must be a whole number of at least {least:,}")


def text(value: Json, path: str) -> Iterator[Flaw]:
    """Check a string that says something."""
    if not isinstance(value, str) or not value or value.isspace():
        yield Flaw(path, "must be a text that is not empty")


def yes_or_no(value: Json, path: str) -> Iterator[Flaw]:
    """Check a switch."""
    if not isinstance(value, bool):
        yield Flaw(path, "must be true or false")


def system(value: Json, path: str) -> Iterator[Flaw]:
    """Check a system prompt."""
    if isinstance(value, list):
        for index, block in enumerate(value):
            place = f"{path}[{index}]"
            if isinstance(block, dict) and block.get("type") != "text":
                yield Flaw(f"{place}.type", 'must be "text", the only kind of block in a system prompt')
            else:
                yield from _block(block, place)
    elif not isinstance(value, str):
        yield Flaw(path, "must be a text or a list of text blocks")


def mapping(value: Json, path: str) -> Iterator[Flaw]:
    """Check an object that must be there."""
    if not isinstance(value, dict):
        yield Flaw(path, "must be an object")


def _max_tokens(value: Json, path: str) -> Iterator[Flaw]:
    if type(value) is int and value > LONGEST_OUTPUT:
        yield Flaw(path, f"no model writes more than {LONGEST_OUTPUT:,} tokens at once; ask for that many or fewer")
    elif type(value) is int and value == 0:
        yield Flaw(path, "0 (only warm the cache) is not possible in a batch; use 1 or more")
    else:
        yield from whole_number(value, path)


def _messages(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, list) or not value:
        yield Flaw(path, "must be a list of at least one message")
        return
    if len(value) > _MOST_MESSAGES:
        yield Flaw(path, f"{len(value):,} messages; at most {_MOST_MESSAGES:,} are possible")
    last = len(value) - 1
    for index, message in enumerate(value):
        if isinstance(message, dict):
            content = message.get("content")
            plain = isinstance(content, str) and content and not content.isspace()
            if not plain or message.get("role") not in _ROLES_OF_MOST:
                yield from _message(message, f"{path}[{index}]", final=index == last)
        else:
            yield Flaw(f"{path}[{index}]", "must be an object with role and content")


def _message(message: dict[str, Json], path: str, *, final: bool) -> Iterator[Flaw]:
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        yield Flaw(f"{path}.role", 'must be "user" or "assistant" (newer models know "system" as well)')
    content = message.get("content")
    place = f"{path}.content"
    if role == "system" and "output_config" in message and "content" not in message:
        return  # beta: a turn that only changes the effort
    if final and role == "assistant" and content in ("", []):
        return  # the API allows it there; whether a model takes a prefill at all is another question
    if isinstance(content, list) and content:
        for index, block in enumerate(content):
            yield from _block(block, f"{place}[{index}]")
    elif isinstance(content, str) and content and not content.isspace():
        return
    else:
        yield Flaw(place, "must be a text that is not empty, or a list of at least one block")


def _block(block: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(block, dict):
        yield Flaw(path, 'must be an object such as {"type": "text", "text": "…"}')
        return
    kind = block.get("type")
    if not isinstance(kind, str) or not kind:
        yield Flaw(f"{path}.type", 'must name the kind of block, such as "text"')
    elif kind == "text":
        yield from text(block.get("text"), f"{path}.text")


def _thinking(value: Json, path: str) -> Iterator[Flaw]:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in THINKING:
        yield Flaw(path, f"must be an object whose type is one of {', '.join(THINKING)}")
    elif kind == "enabled":
        yield from whole_number(value.get("budget_tokens"), f"{path}.budget_tokens", _LEAST_BUDGET)


def _tools(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, list):
        yield Flaw(path, "must be a list of tools")
        return
    names: set[str] = set()
    for index, tool in enumerate(value):
        place = f"{path}[{index}]"
        if not isinstance(tool, dict) or not (tool.get("name") or tool.get("type")):
            yield Flaw(place, "must be an object with a name, or with the type of a server tool")
            continue
        name = tool.get("name")
        if isinstance(name, str) and name in names:
            yield Flaw(f"{place}.name", "another tool has the same name; rename one")
        elif isinstance(name, str):
            names.add(name)


def _tool_choice(value: Json, path: str) -> Iterator[Flaw]:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in _TOOL_CHOICES:
        yield Flaw(path, f"must be an object whose type is one of {', '.join(_TOOL_CHOICES)}")
    elif kind == "tool":
        yield from text(value.get("name"), f"{path}.name")


def _stop_sequences(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, list):
        yield Flaw(path, "must be a list of texts")
        return
    for index, each in enumerate(value):
        yield from text(each, f"{path}[{index}]")


def _metadata(value: Json, path: str) -> Iterator[Flaw]:
    yield from mapping(value, path)
    if isinstance(value, dict) and not isinstance(value.get("user_id"), (str, type(None))):
        yield Flaw(f"{path}.user_id", "must be a text")


def _billing_policy(value: Json, path: str) -> Iterator[Flaw]:
    yield from _maybe_mapping(value, path)
    if isinstance(value, dict) and value.get("bill_to") == "user_profile":
        yield Flaw(f"{path}.bill_to", 'a batch cannot be billed to a user profile; use "self" or leave it out')


def _maybe_mapping(value: Json, path: str) -> Iterator[Flaw]:
    if value is not None and not isinstance(value, dict):
        yield Flaw(path, "must be an object")


def _maybe_text(value: Json, path: str) -> Iterator[Flaw]:
    if value is not None and not isinstance(value, str):
        yield Flaw(path, "must be a text")


def _text_or_object(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, (str, dict, type(None))):
        yield Flaw(path, "must be a text or an object")


def _objects(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        yield Flaw(path, "must be a list of objects")


def _stream(value: Json, path: str) -> Iterator[Flaw]:
    if value is not False:
        yield Flaw(path, "a batch cannot be streamed; leave it out")


def _not_in_a_batch(value: Json, path: str) -> Iterator[Flaw]:
    if value is not None:
        yield Flaw(path, "not possible in a batch; leave it out")


def _sampling(_value: Json, path: str) -> Iterator[Flaw]:
    yield Flaw(
        path, "refused on every model since API version 2026-10-21; leave it out and say in the prompt what to vary"
    )


_ROLES_OF_MOST: Final = ("user", "assistant")
"""A turn of these, with plain text, needs no closer look: most turns of most files."""

PARAMETERS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "model": text,
        "max_tokens": _max_tokens,
        "messages": _messages,
        "system": system,
        "thinking": _thinking,
        "tools": _tools,
        "tool_choice": _tool_choice,
        "stop_sequences": _stop_sequences,
        "metadata": _metadata,
        "output_config": _maybe_mapping,
        "output_format": _maybe_mapping,
        "cache_control": _maybe_mapping,
        "service_tier": text,
        "inference_geo": _maybe_text,
        "container": _text_or_object,
        "diagnostics": _maybe_mapping,
        "user_profile_id": _maybe_text,
        "billing_policy": _billing_policy,
        "compaction": _maybe_mapping,
        "context_management": _maybe_mapping,
        "fallback_credit_token": _text_or_object,
        "mcp_servers": _objects,
        "thread": _maybe_mapping,
        "stream": _stream,
        "speed": _not_in_a_batch,
        "fallbacks": _not_in_a_batch,
        "temperature": _sampling,
        "top_p": _sampling,
        "top_k": _sampling,
    }
)
"""Every parameter that has a meaning, by name; those of betas among them, since which beta brings which is not told."""

_NOT_OURS: Final = {
    "attach": "not a parameter: only the front matter of a .md or .txt file may attach files",
    "betas": "not a parameter: betas stands beside params, or in the job's settings",
    "custom_id": "not a parameter: custom_id stands beside params",
    "documents": "not a parameter: documents stands beside params, or in the job's settings",
    "files": "not a parameter: files stands beside params, or in the job's settings",
    "workspace_id": "a header, not a parameter: a whole batch has one workspace, that of the key",
    "prompt": "the old Text Completions API; use messages",
    "max_tokens_to_sample": "the old Text Completions API; use max_tokens",
    "max_completion_tokens": "another vendor's parameter; use max_tokens",
}
