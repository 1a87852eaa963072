"""The API's rules between the turns of a conversation, in its words.

Sources: docs "handle tool calls", "mid-conversation system messages", "versioning"; messages seen in the wild.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, takewhile
from typing import Any

from batchd.sandbox.shapes import EXTRA

Turn = Mapping[str, Any]
MOST_SHOWN = 20
"""Ids that one message names."""
_WORDS = ("text", "thinking", "redacted_thinking")


def empty(turns: Sequence[Turn]) -> Iterator[str]:
    """Turns that say nothing."""
    if not turns:
        yield "messages: at least one message is required"
    for number, turn in enumerate(turns):
        content, role = turn.get("content"), turn["role"]
        if content:
            if isinstance(content, str) and not content.strip():
                yield "messages: text content blocks must contain non-whitespace text"
        elif not _is_setting(turn) and not (role == "assistant" and number == len(turns) - 1):
            yield f"messages.{number}: {role} messages must have non-empty content"


def misplaced(turns: Sequence[Turn]) -> Iterator[str]:
    """What version 2026-10-21 no longer takes."""
    for number, turn in enumerate(turns):
        for place, block in enumerate(_blocks(turn)):
            path = f"messages.{number}.content.{place}"
            if turn["role"] == "assistant" and block["type"] == "document":
                yield f"{path}: document blocks are not permitted in assistant messages"
            elif turn["role"] == "user" and block["type"] == "text" and block.get("citations"):
                yield f"{path}.text.citations: {EXTRA}"


def tools(turns: Sequence[Turn]) -> Iterator[str]:
    """Calls and results that do not belong together."""
    calls: Counter[str] = Counter()
    asked: frozenset[str] = frozenset()
    runs = [(f"messages.{first}", role, _joined(turns, first, last)) for first, last, role in _runs(turns)]
    for (path, role, blocks), (_, role_behind, behind) in pairwise([*runs, ("", "", [])]):
        uses = [block["id"] for block in blocks if block["type"] == "tool_use"]
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        calls.update(uses)
        if uses and role == "assistant":
            yield from _answers(uses, behind if role_behind == "user" else (), path)
        elif uses:
            yield f"{path}: `tool_use` blocks can only be in `assistant` messages"
        if results and role == "user":
            yield from _asked(results, asked, path)
        elif results:
            yield f"{path}: `tool_result` blocks can only be in `user` messages"
        asked = frozenset(uses) if role == "assistant" else frozenset()
    yield from (f"messages: `tool_use` ids must be unique: {name}" for name, count in calls.items() if count > 1)


def _joined(turns: Sequence[Turn], first: int, last: int) -> Sequence[Mapping[str, Any]]:
    return [block for turn in turns[first:last] for block in _blocks(turn, plain=True)]


def _asked(results: Sequence[str], asked: frozenset[str], path: str) -> Iterator[str]:
    for name, count in Counter(results).items():
        if name not in asked:
            yield f"{path}: unexpected `tool_use_id` found in `tool_result` blocks: {name}."
        if count > 1:
            yield f"{path}: each tool_use must have a single result. Found several: {name}"


def _answers(uses: Sequence[str], behind: Sequence[Mapping[str, Any]], path: str) -> Iterator[str]:
    first = {block["tool_use_id"] for block in takewhile(lambda block: block["type"] == "tool_result", behind)}
    if missing := [name for name in uses if name not in first]:
        shown = ", ".join(missing[:MOST_SHOWN])
        yield f"{path}: `tool_use` ids were found without `tool_result` blocks immediately after: {shown}."


def system(turns: Sequence[Turn], *, supported: bool) -> Iterator[str]:
    """Turns of the system where none may be."""
    for number, turn in enumerate(turns):
        if turn["role"] != "system" or (_is_setting(turn) and not turn.get("content")):
            continue
        if not supported:
            yield f"messages.{number}: role 'system' is not supported on this model"
        elif number == 0:
            yield "messages.0: use the top-level 'system' parameter for the initial system prompt"
        elif turns[number - 1]["role"] != "user" and not _served(turns[number - 1]):
            yield f"messages.{number}: role 'system' must follow a user message or a server tool result"
        elif (
            number + 1 < len(turns) and turns[number + 1]["role"] != "assistant" and not _is_setting(turns[number + 1])
        ):
            yield f"messages.{number}: role 'system' must be last or precede an assistant message"


def prefill(turns: Sequence[Turn], *, supported: bool, thinks: bool) -> Iterator[str]:
    """The beginning of an answer where none may be."""
    last = turns[-1]
    blocks = _blocks(last, plain=True)
    if last["role"] != "assistant" or any(block["type"] not in _WORDS for block in blocks):
        return
    if not supported:
        yield "This model does not support assistant message prefill. The conversation must end with a user message."
    elif thinks and blocks and blocks[0]["type"] == "text":
        yield "messages: when `thinking` is enabled, a final `assistant` message must start with a thinking block"
    elif isinstance(last["content"], str) and last["content"] != last["content"].rstrip():
        yield "messages: final assistant content cannot end with trailing whitespace"


def cites(turns: Sequence[Turn]) -> bool:
    """Whether any block asks for citations."""
    asked = (block.get("citations") for turn in turns for block in _blocks(turn))
    return any(isinstance(each, Mapping) and each.get("enabled") is True for each in asked)


def _runs(turns: Sequence[Turn]) -> Iterator[tuple[int, int, str]]:
    """Turns of one role that follow each other, which the API takes as one."""
    first = 0
    for number in range(1, len(turns) + 1):
        if number == len(turns) or turns[number]["role"] != turns[first]["role"]:
            yield first, number, turns[first]["role"]
            first = number


def _blocks(turn: Turn, *, plain: bool = False) -> list[Mapping[str, Any]]:
    content = turn.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if plain else []
    return content or []


def _served(turn: Turn) -> bool:
    blocks = _blocks(turn)
    kind = str(blocks[-1]["type"]) if blocks and turn["role"] == "assistant" else ""
    return kind.endswith("_tool_result") and kind != "tool_result"


def _is_setting(turn: Turn) -> bool:
    return turn["role"] == "system" and bool(turn.get("output_config") or turn.get("clear_at"))
