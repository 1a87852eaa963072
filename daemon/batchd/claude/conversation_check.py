"""What holds between the turns of a conversation: calls and their results, turns of the system, who speaks last.

Sources: docs "Tool use" (a `tool_use` needs its `tool_result` in the next user turn, before anything else there, and
the reverse), "Mid-conversation system messages", "Versioning" (what 2026-10-21 refuses); the API's own messages.
Turns of one role that follow each other count as one, as the API joins them.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeAlias

from batchd.claude.params_check import changes_settings
from batchd.text.strictjson import Flaw, shown

Message: TypeAlias = Mapping[str, Any]

_AS_SYSTEM: Final = "put its text into system, beside messages"
_PREFILL: Final = frozenset({"text", "thinking", "redacted_thinking"})


class Block(NamedTuple):
    """A block of a turn, and where it stands."""

    field: str
    value: Mapping[str, Any]

    @property
    def kind(self) -> object:
        """Its type."""
        return self.value["type"]


def calls(messages: Sequence[Message]) -> Iterator[Flaw]:
    """Find calls of tools without their results, and results without their calls."""
    seen: set[str] = set()
    open_calls: dict[str, Block] = {}
    turns = [(role, list(blocks)) for role, blocks in _turns(messages)]
    for number, (role, blocks) in enumerate(turns):
        if role == "assistant":
            yield from _misplaced(blocks, "tool_result", "a result of a tool stands in a message of the user")
            made = [block for block in blocks if block.kind == "tool_use"]
            for block in made:
                if block.value["id"] in seen:
                    yield Flaw(f"{block.field}.id", "another call has the same id; give each its own")
                seen.add(block.value["id"])
            open_calls = {block.value["id"]: block for block in made}
            if number == len(turns) - 1 and made:
                said = "a call of a tool comes last; append the user's message with its tool_result, or leave it out"
                yield Flaw(_message_of(made[0]), said)
        elif role == "user":
            yield from _misplaced(blocks, "tool_use", "a call of a tool stands in a message of the assistant")
            yield from _answered(blocks, open_calls)
            open_calls = {}
        else:
            yield from _unanswered(open_calls)
            open_calls = {}


def _answered(blocks: Sequence[Block], open_calls: Mapping[str, Block]) -> Iterator[Flaw]:
    """Hold the results of a user's turn against the calls before it."""
    left = dict(open_calls)
    other = False
    for block in blocks:
        if block.kind != "tool_result":
            other = True
            continue
        name = block.value["tool_use_id"]
        if left.pop(name, None) is None:
            twice = name in open_calls
            said = "answers a call that has its result already" if twice else "answers no call of the turn before it"
            yield Flaw(f"{block.field}.tool_use_id", f"{shown(name)} {said}; leave it out, or mend the id")
        elif other:
            yield Flaw(block.field, "results of tools come first in a user's turn; put what else it says behind them")
    yield from _unanswered(left)


def _unanswered(left: Mapping[str, Block]) -> Iterator[Flaw]:
    for name, block in left.items():
        said = f'needs a {{"type": "tool_result", "tool_use_id": {shown(name)}}} in the message behind it'
        yield Flaw(block.field, f"this call {said}, or must be left out")


def _misplaced(blocks: Sequence[Block], kind: str, said: str) -> Iterator[Flaw]:
    yield from (Flaw(f"{block.field}.type", said) for block in blocks if block.kind == kind)


def system_turns(messages: Sequence[Message], name: str, *, taken: bool) -> Iterator[Flaw]:
    """Find turns of the system where none may stand.

    Args:
        messages: The conversation.
        name: Of the model.
        taken: Whether it takes them at all.
    """
    for index, message in enumerate(messages):
        if message["role"] != "system" or (changes_settings(message) and not message.get("content")):
            continue
        before = messages[index - 1] if index else None
        behind = messages[index + 1] if index + 1 < len(messages) else None
        if not taken:
            yield Flaw(f"messages[{index}].role", f"{name} takes no system turns; {_AS_SYSTEM}")
        elif before is None:
            yield Flaw(f"messages[{index}].role", f"a conversation may not begin with a system turn; {_AS_SYSTEM}")
        elif before["role"] != "user" and not _ends_with_server_result(before):
            yield Flaw(f"messages[{index}].role", f"a system turn must follow a user's; move it, or {_AS_SYSTEM}")
        elif behind is not None and behind["role"] != "assistant" and not changes_settings(behind):
            said = f"a system turn must be the last, or stand before an assistant's; move it, or {_AS_SYSTEM}"
            yield Flaw(f"messages[{index}].role", said)


def _ends_with_server_result(message: Message) -> bool:
    content = message.get("content")
    if message["role"] != "assistant" or not isinstance(content, list) or not content:
        return False
    kind = content[-1]["type"]
    return isinstance(kind, str) and kind.endswith("_tool_result") and kind != "tool_result"


def prefill(messages: Sequence[Message], name: str, *, taken: bool, thinks: bool) -> Iterator[Flaw]:
    """Find the beginning of an answer where the model takes none.

    Args:
        messages: The conversation.
        name: Of the model.
        taken: Whether it takes the beginning of its own answer.
        thinks: Whether it thinks before it answers.
    """
    last = messages[-1]
    if last["role"] != "assistant" or not _is_prefill(last["content"]):
        return
    place, content = f"messages[{len(messages) - 1}]", last["content"]
    if not taken:
        yield Flaw(place, f"{name} takes no beginning of its own answer; end with a message of the user")
    elif thinks and (isinstance(content, str) or content[0]["type"] == "text"):
        yield Flaw(place, "an answer that begins with thinking cannot be begun for it; leave this out, or thinking")
    elif isinstance(content, str) and content != content.rstrip():
        yield Flaw(f"{place}.content", "the beginning of an answer must not end in white space; cut it off")


def _is_prefill(content: str | Sequence[Mapping[str, Any]]) -> bool:
    """Tell the beginning of an answer from a turn that paused at a tool and is to be taken up again as it is."""
    return isinstance(content, str) or all(block["type"] in _PREFILL for block in content)


def refused_since_2026_10(messages: Sequence[Message]) -> Iterator[Flaw]:
    """Find what version 2026-10-21 of the API no longer takes."""
    for role, blocks in _turns(messages):
        for block in blocks:
            if role == "assistant" and block.kind == "document":
                yield Flaw(block.field, "a document may not stand in an assistant's message; put it into a user's")
            elif role == "user" and block.kind == "text" and block.value.get("citations"):
                said = "a user's text has no citations since version 2026-10-21 of the API; leave them out"
                yield Flaw(f"{block.field}.citations", said)


def blocks_of(messages: Sequence[Message]) -> Iterator[Block]:
    """All blocks of all turns; a plain text has none."""
    for index, message in enumerate(messages):
        content = message.get("content")
        if isinstance(content, list):
            for place, block in enumerate(content):
                yield Block(f"messages[{index}].content[{place}]", block)


def _turns(messages: Sequence[Message]) -> Iterator[tuple[str, list[Block]]]:
    numbered = enumerate(messages)
    for role, run in groupby(numbered, key=lambda each: str(each[1]["role"])):
        blocks: list[Block] = []
        for index, message in run:
            if changes_settings(message) and not message.get("content"):
                continue
            content = message["content"]
            if isinstance(content, str):
                blocks.append(Block(f"messages[{index}]", {"type": "text", "text": content}))
            else:
                places = enumerate(content)
                blocks += (Block(f"messages[{index}].content[{place}]", block) for place, block in places)
        yield role, blocks


def _message_of(block: Block) -> str:
    return block.field.partition("]")[0] + "]"
