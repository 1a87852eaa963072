"""How far requests share the beginning of their prompt, and the breakpoint that has it cached.

What requests share is looked for at two depths: the tools and the system prompt, and all but the last block of the last
turn. A text within which two requests part is one block, and never shared.
"""

import hashlib
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from batchd.claude.params import Block, Params, Turn

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


def beginnings(params: Params, betas: tuple[str, ...]) -> tuple[Beginning, Beginning]:
    """Say what a request may share: at the depth of its system prompt, and at that of its context.

    Equal digests are equal bytes, and equal in all that the cache depends on besides.

    Args:
        params: Checked ones.
        betas: Its.
    """
    conditions = [params["model"], betas, params.get("thinking"), params.get("tool_choice")]
    stem = msgspec.json.encode([params.get("tools"), params.get("system")])
    tools: list[Block] = params.get("tools") or [{}]
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


def _can_be_marked(before: list[Turn], blocks: list[Block]) -> bool:
    if not blocks and before:
        content = before[-1]["content"]
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
    return bool(blocks) and blocks[-1]["type"] in _MARKABLE and blocks[-1].get("text") != ""


def marked(params: Params, depth: Depth) -> Params:
    """Have the beginning of a request cached for an hour.

    Args:
        params: Without any breakpoint.
        depth: How far it reaches.
    """
    bearer = params.copy()
    if depth is Depth.CONTEXT:
        *before, last = params["messages"]
        content = last["content"]
        if isinstance(content, list) and len(content) > 1:
            *shared, own = content
            last = _saying(last, [*_marked_last(shared), own])
        else:
            ahead = before.pop()
            before.append(_saying(ahead, _marked_last(ahead["content"])))
        bearer["messages"] = [*before, last]
    elif params.get("system"):
        bearer["system"] = _marked_last(params["system"])
    else:
        bearer["tools"] = _marked_last(params["tools"])
    return bearer


def unmarked(params: Params) -> Params:
    """Take the breakpoint off again that `marked` has set.

    Args:
        params: What it gave; a text that became a list of one block stays one.
    """
    bare = params.copy()
    if isinstance(system := bare.get("system"), list):
        bare["system"] = _bare(system)
    if "tools" in bare:
        bare["tools"] = _bare(bare["tools"])
    bare["messages"] = [
        _saying(turn, _bare(content)) if isinstance(content := turn["content"], list) else turn
        for turn in params["messages"]
    ]
    return bare


def _saying(turn: Turn, content: list[Block]) -> Turn:
    other = turn.copy()
    other["content"] = content
    return other


def _bare(blocks: list[Block]) -> list[Block]:
    return [{name: value for name, value in block.items() if name != "cache_control"} for block in blocks]


def _marked_last(content: str | list[Block]) -> list[Block]:
    blocks: list[Block] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [*blocks[:-1], {**blocks[-1], "cache_control": dict(_MARK)}]
