"""How far requests share the beginning of their prompt, and the breakpoint that has it cached.

What requests share is looked for at two depths: the tools and the system prompt, and all but the last block of the last
turn. A text within which two requests part is one block, and never shared.
"""

import hashlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from batchd.text.strictjson import Json

_MARKABLE: Final = frozenset({"text", "image", "document", "search_result", "tool_use", "tool_result"})
_MARK: Final = {"type": "ephemeral", "ttl": "1h"}


class Depth(StrEnum):
    """How far into the prompt a beginning reaches."""

    SYSTEM = "system"
    """Tools and system prompt."""
    CONTEXT = "context"
    """All but the last block of the last turn."""


class Beginning(NamedTuple):
    """What a request may share with others."""

    digest: bytes
    size: int
    """In bytes; 0 if there is nothing to share at this depth."""


def beginnings(params: Mapping[str, Json], betas: tuple[str, ...]) -> tuple[Beginning, Beginning]:
    """Say what a request may share: at the depth of its system prompt, and at that of its context.

    Equal digests are equal bytes, and equal in all that the cache depends on besides.

    Args:
        params: Checked ones.
        betas: Its.
    """
    conditions = [params["model"], betas, params.get("thinking"), params.get("tool_choice")]
    stem = msgspec.json.encode([params.get("tools"), params.get("system")])
    tools = params.get("tools") or [{}]
    # A tool that is loaded later is no part of the prompt, and takes no breakpoint.
    shared = len(stem) if params.get("system") or (params.get("tools") and not tools[-1].get("defer_loading")) else 0
    running = hashlib.sha256(msgspec.json.encode(conditions) + stem)
    system = Beginning(running.digest(), shared)
    *before, last = params["messages"]
    blocks = last["content"][:-1] if isinstance(last["content"], list) else []
    if not _can_be_marked(before, blocks):
        return system, Beginning(b"", 0)
    context = msgspec.json.encode([before, last["role"], blocks])
    running.update(context)
    return system, Beginning(running.digest(), shared + len(context))


def _can_be_marked(before: list[Json], blocks: list[Json]) -> bool:
    if not blocks and before:
        content = before[-1]["content"]
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
    return bool(blocks) and blocks[-1]["type"] in _MARKABLE and blocks[-1].get("text") != ""


def marked(params: Mapping[str, Json], depth: Depth) -> dict[str, Json]:
    """Have the beginning of a request cached for an hour.

    Args:
        params: Without any breakpoint.
        depth: How far it reaches.
    """
    if depth is Depth.CONTEXT:
        *before, last = params["messages"]
        if isinstance(last["content"], list) and len(last["content"]) > 1:
            *shared, own = last["content"]
            turns = [*before, {**last, "content": [*_marked_last(shared), own]}]
        else:
            turns = [*before[:-1], {**before[-1], "content": _marked_last(before[-1]["content"])}, last]
        return {**params, "messages": turns}
    if params.get("system"):
        return {**params, "system": _marked_last(params["system"])}
    return {**params, "tools": _marked_last(params["tools"])}


def unmarked(params: Mapping[str, Json]) -> dict[str, Json]:
    """Take the breakpoint off again that `marked` has set.

    Args:
        params: What it gave; a text that became a list of one block stays one.
    """
    bare = dict(params)
    for name in ("system", "tools"):
        if isinstance(bare.get(name), list):
            bare[name] = list(_bare(bare[name]))
    bare["messages"] = [
        {**turn, "content": list(_bare(turn["content"]))} if isinstance(turn["content"], list) else turn
        for turn in params["messages"]
    ]
    return bare


def _bare(blocks: list[Json]) -> Iterator[Json]:
    return ({name: value for name, value in block.items() if name != "cache_control"} for block in blocks)


def _marked_last(content: Json) -> list[Json]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [*blocks[:-1], {**blocks[-1], "cache_control": dict(_MARK)}]
