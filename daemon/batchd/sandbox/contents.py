"""The API's rules for what is inside `messages`, `system`, `tools` and `thinking`.

Each function yields what is wrong, in the API's words (path, colon, reason), in the order in which the API would find
it. Sources: docs "errors", "prompt caching", "versioning"; messages seen in the wild.
"""

from collections.abc import Iterable, Iterator, Mapping

EXTRA = "Extra inputs are not permitted"
REQUIRED = "Field required"
STRICTER = "2026-10-21"
"""The version of the API since which sampling parameters and some odd contents are refused."""

_BLOCKS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text", "citations"}),
    "image": frozenset({"source"}),
    "document": frozenset({"source", "title", "context", "citations"}),
    "search_result": frozenset({"source", "title", "content", "citations"}),
    "thinking": frozenset({"thinking", "signature"}),
    "redacted_thinking": frozenset({"data"}),
    "tool_use": frozenset({"id", "name", "input", "caller"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error"}),
    "server_tool_use": frozenset({"id", "name", "input", "caller"}),
    "container_upload": frozenset({"file_id"}),
}
"""Keys of each type of block, besides `type` and `cache_control`."""
_FOREIGN_BLOCKS = ("_tool_result", "mcp_tool_use", "compaction")
"""Blocks that only come out of the API and go back as they are: not looked into."""
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "text": ("text",),
    "image": ("source",),
    "document": ("source",),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id",),
}
_ROLES = ("user", "assistant", "system")
_TTLS = ("5m", "1h")
_LEAST_THINKING = 1024
_THINKING: Mapping[str, frozenset[str]] = {
    "enabled": frozenset({"type", "budget_tokens", "display"}),
    "adaptive": frozenset({"type", "display"}),
    "disabled": frozenset({"type"}),
    "between_tools": frozenset({"type"}),
}


def messages(value: object, version: str) -> Iterator[str]:
    """What is wrong with the conversation.

    Args:
        version: `anthropic-version` of the call.
    """
    if not isinstance(value, list):
        yield "messages: Input should be a valid list"
        return
    if not value:
        yield "messages: at least one message is required"
        return
    for number, message in enumerate(value):
        yield from _message(message, f"messages.{number}", version, final=number == len(value) - 1)
    if isinstance(value[0], Mapping) and value[0].get("role") != "user":
        yield 'messages: first message must use the "user" role'


def _message(message: object, path: str, version: str, *, final: bool) -> Iterator[str]:
    if not isinstance(message, Mapping):
        yield f"{path}: Input should be a valid dictionary"
        return
    yield from (f"{path}.{name}: {REQUIRED}" for name in ("role", "content") if name not in message)
    yield from (f"{path}.{name}: {EXTRA}" for name in message if name not in {"role", "content"})
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        yield f'messages: Unexpected role "{role}". Allowed roles are "user" or "assistant".'
    if isinstance(content, str | list) and not content and not (final and role == "assistant"):
        yield f"{path}: {role} messages must have non-empty content"
    elif isinstance(content, str):
        if content and not content.strip():
            yield "messages: text content blocks must contain non-whitespace text"
    elif isinstance(content, list):
        for number, block in enumerate(content):
            yield from _block(block, f"{path}.content.{number}", "messages")
            if version >= STRICTER and isinstance(block, Mapping):
                yield from _misplaced(block, f"{path}.content.{number}", str(role))
    else:
        yield f"{path}.content: Input should be a valid list"


def _misplaced(block: Mapping[str, object], path: str, role: str) -> Iterator[str]:
    if role == "assistant" and block.get("type") == "document":
        yield f"{path}: document blocks are not permitted in assistant messages"
    if role == "user" and block.get("type") == "text" and block.get("citations"):
        yield f"{path}.text.citations: {EXTRA}"


def _block(block: object, path: str, field: str) -> Iterator[str]:
    if not isinstance(block, Mapping):
        yield f"{path}: Input should be a valid dictionary"
        return
    kind = block.get("type")
    if kind is None:
        yield f"{path}.type: {REQUIRED}"
        return
    known = _BLOCKS.get(str(kind))
    if known is None:
        if not str(kind).endswith(_FOREIGN_BLOCKS):
            yield f"{path}: {_unexpected(kind, _BLOCKS)}"
        return
    yield from (f"{path}.{kind}.{name}: {REQUIRED}" for name in _NEEDS.get(str(kind), ()) if name not in block)
    yield from (f"{path}.{kind}.{name}: {EXTRA}" for name in block if name not in known | {"type", "cache_control"})
    if kind == "text":
        yield from _text(block.get("text"), path, field)
    yield from cache_control(block.get("cache_control"), f"{path}.{kind}.cache_control")


def _text(text: object, path: str, field: str) -> Iterator[str]:
    if not isinstance(text, str):
        yield f"{path}.text.text: Input should be a valid string"
    elif not text:
        yield f"{field}: text content blocks must be non-empty"
    elif not text.strip():
        yield f"{field}: text content blocks must contain non-whitespace text"


def system(value: object) -> Iterator[str]:
    """What is wrong with the system prompt."""
    if isinstance(value, list):
        for number, block in enumerate(value):
            if isinstance(block, Mapping) and block.get("type") not in {"text", None}:
                yield f"system.{number}.type: Input should be 'text'"
            yield from _block(block, f"system.{number}", "system")
    elif not isinstance(value, str):
        yield "system: Input should be a valid list"


def tools(value: object) -> Iterator[str]:
    """What is wrong with the list of tools."""
    if not isinstance(value, list):
        yield "tools: Input should be a valid list"
        return
    for number, tool in enumerate(value):
        if not isinstance(tool, Mapping):
            yield f"tools.{number}: Input should be a valid dictionary"
        elif tool.get("type", "custom") == "custom":
            missing = (name for name in ("name", "input_schema") if name not in tool)
            yield from (f"tools.{number}.custom.{name}: {REQUIRED}" for name in missing)


def thinking(value: object, max_tokens: int) -> Iterator[str]:
    """What is wrong with the configuration of thinking.

    Args:
        max_tokens: That of the request, which bounds the thinking too.
    """
    if not isinstance(value, Mapping):
        yield "thinking: Input should be a valid dictionary"
        return
    kind = str(value.get("type"))
    if kind not in _THINKING:
        yield f"thinking: {_unexpected(kind, _THINKING)}"
        return
    yield from (f"thinking.{kind}.{name}: {EXTRA}" for name in value if name not in _THINKING[kind])
    if kind == "enabled":
        budget = value.get("budget_tokens")
        if not isinstance(budget, int):
            yield f"thinking.enabled.budget_tokens: {REQUIRED}"
        elif budget < _LEAST_THINKING:
            yield f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_LEAST_THINKING}"
        elif budget >= max_tokens:
            yield "`max_tokens` must be greater than `thinking.budget_tokens`"


def cache_control(value: object, path: str) -> Iterator[str]:
    """What is wrong with a cache breakpoint.

    Args:
        value: `cache_control`, as parsed; None means that there is none.
    """
    if value is None:
        return
    if not isinstance(value, Mapping):
        yield f"{path}: Input should be a valid dictionary"
    elif value.get("type") != "ephemeral":
        yield f"{path}: {_unexpected(value.get('type'), ('ephemeral',))}"
    else:
        yield from (f"{path}.ephemeral.{name}: {EXTRA}" for name in value if name not in {"type", "ttl"})
        if value.get("ttl", "5m") not in _TTLS:
            yield f"{path}.ephemeral.ttl: Input should be '5m' or '1h'"


def _unexpected(kind: object, expected: Iterable[str]) -> str:
    tags = ", ".join(f"'{name}'" for name in expected)
    return f"Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}"
