"""The request that carries an unfinished document on: a user's turn behind the text so far.

There is no prefill since the 4.6 models, so the text so far becomes an assistant's turn, without its thinking, and a
user's turn asks to go on behind it. What precedes them stays as it was, so that what the cache holds of it serves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from batchd.claude.params import Block, Params
from batchd.text import typed
from batchd.text.markdown import open_fence
from batchd.text.sections import MARKER, TITLE
from batchd.text.strictjson import encode

_MOST_BREAKPOINTS: Final = 4
_OURS: Final = 2
_HOUR: Final = "1h"
_THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})


_LONGEST_SENTENCE: Final = 800
"""Characters of it that are told to the model; what is said besides, without titles, has fewer than 800 bytes."""
LONGEST_ASK: Final = 4_000
"""Bytes of the turn that asks to go on, at the most, where it names no sections."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a document still lacks that its model believed to be finished."""

    sentence: str
    """Why it is not enough, as `findings.examine` tells it."""
    titles: Sequence[str] = ()
    """Of the sections that are missing."""
    marker: str = MARKER
    """How each of them begins."""


def next_params(
    first: Params,
    kept: str,
    *,
    max_tokens: int,
    wanted: Wanted | None = None,
    cached: Sequence[int] | None = None,
) -> bytes:
    """Write the request of the next round.

    Args:
        first: The params of the first round, always: all that has been added since is in `kept`.
        kept: The text so far, all rounds stitched together and cut back by `stitch.kept`; more than white space.
        max_tokens: For this round.
        wanted: What is lacking, if the model ended its turn by itself; None if it was cut off.
        cached: None, or to have the prompt and the text so far cached for an hour, for the rounds after this one: how
            long `kept` was in each round that did so before, in characters (none in the first). The text is cut into
            blocks there, so that the prefix which an earlier round left in the cache is found again.

    Returns:
        Its params, one line of JSON.
    """
    messages = list(first["messages"])
    begun = _begun(messages.pop()["content"]) if messages[-1]["role"] == "assistant" else []
    written: list[Block] = [{"type": "text", "text": piece} for piece in _pieces(kept, cached or ())]
    if cached is not None:
        # The last one is written, the one before is what an earlier round has written, to be read.
        for block in written[::-1][: min(_room_for_breakpoints(first), _OURS)]:
            block["cache_control"] = {"type": "ephemeral", "ttl": _HOUR}
    messages += [
        {"role": "assistant", "content": begun + written},
        {"role": "user", "content": _write_the_rest(wanted) if wanted else _go_on(kept)},
    ]
    going_on = first.copy()
    going_on["messages"] = messages
    return encode(_sized(going_on, max_tokens))


def larger_params(first: Params, max_tokens: int) -> bytes:
    """Write the same request with more room for its answer.

    Args:
        first: The params of the first round.
        max_tokens: More than they say, so that it is not the same request again.
    """
    return encode(_sized(first, max_tokens))


class _Sections(msgspec.Struct):
    """What the setting `expect` says of sections."""

    sections: list[str] | int = 0
    marker: str = MARKER


def longest_ask(expect: msgspec.Raw) -> int:
    """Bound the turn that asks to go on, in bytes: it may have to name all sections that are expected.

    Args:
        expect: The setting, as JSON; empty where nothing is expected.
    """
    if not bytes(expect):
        return LONGEST_ASK
    try:
        found = typed.decode(expect, _Sections)
    except msgspec.MsgspecError:
        return LONGEST_ASK + len(bytes(expect))  # which can no longer be read: then nobody asks for it
    titles = found.sections if isinstance(found.sections, list) else ()
    return LONGEST_ASK + sum(len(f"{found.marker.replace(TITLE, title)}\n".encode()) for title in titles)


class _OutputConfig(msgspec.Struct):
    format: object = None


class _Output(msgspec.Struct):
    """What params say of the form of the answer."""

    output_config: _OutputConfig | None = None
    output_format: object = None


def writes_by_schema(params: bytes) -> bool:
    """Whether the answer to a request is structured output (docs: structured outputs)."""
    found = typed.decode(params, _Output)
    return found.output_format is not None or (
        found.output_config is not None and found.output_config.format is not None
    )


def _sized(params: Params, max_tokens: int) -> Params:
    """The params with another max_tokens; a budget of thinking that would no longer fit below it takes half of it."""
    before, thinking = params["max_tokens"], params.get("thinking")
    sized = params.copy()
    sized["max_tokens"] = max_tokens
    if thinking and max_tokens <= thinking.get("budget_tokens", 0) < before:
        sized["thinking"] = thinking.copy()
        sized["thinking"]["budget_tokens"] = max_tokens // 2
    return sized


def _begun(content: str | list[Block]) -> list[Block]:
    """What the user had begun the answer with, where a model takes that."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    return [block for block in content if block.get("type") not in _THOUGHTS]


def _pieces(kept: str, seams: Sequence[int]) -> list[str]:
    """The text cut at the seams, but for a piece of white space alone, which the API refuses: it joins the next."""
    pieces: list[str] = []
    begin = 0
    for seam in sorted({seam for seam in seams if 0 < seam < len(kept)}):
        if not kept[begin:seam].isspace() and not kept[seam:].isspace():
            pieces.append(kept[begin:seam])
            begin = seam
    return [*pieces, kept[begin:]]


def _room_for_breakpoints(params: Params) -> int:
    """How many more may stand behind the user's own: four in all, and none of an hour behind one of less."""
    controls = list(_controls(params))
    if any(each.get("ttl") != _HOUR for each in controls):
        return 0
    automatic = bool(params.get("cache_control"))  # stands at the very end, hence behind ours
    return max(_MOST_BREAKPOINTS - len(controls) - automatic, 0)


def _controls(params: Params) -> Iterator[Block]:
    holders = [params.get("tools"), params.get("system"), *(turn["content"] for turn in params["messages"])]
    for holder in holders:
        yield from _within(holder)


def _within(content: object) -> Iterator[Block]:
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict):
            if isinstance(block.get("cache_control"), dict):
                yield block["cache_control"]
            yield from _within(block.get("content"))


def _go_on(kept: str) -> str:
    """Ask for the rest of a text that was cut off."""
    if kept.endswith("\n"):
        place = "The text above ends with a whole line. Begin with the very next line"
    elif kept[-1].isspace():
        place = "The text above ends within a line, after a blank. Begin with the very next word, on the same line"
    else:
        place = "The text above ends within a line. Begin with the very next character, on the same line"
    fence = open_fence(kept)
    code = " It ends inside a code block: write its next line, and do not open the block again." if fence else ""
    return (
        "Your answer was cut off by a limit of length, and is to be continued; both parts will be joined as they are. "
        f"{place}, indented as it has to be.{code} Repeat nothing, do not begin again, and write no introduction and "
        "no remark on the continuation. Keep the form, the numbering and the level of detail, and go on to the end of "
        "the whole document as it was first asked for."
    )


def _write_the_rest(wanted: Wanted) -> str:
    """Ask for what is missing of a text that its model had ended."""
    if wanted.titles:
        listed = "\n".join(wanted.marker.replace(TITLE, title) for title in wanted.titles)
        task = (
            "Write the sections that are missing, in this order, each in full and in the form of the others, and each "
            f"beginning with its line:\n\n{listed}\n\nWrite no other section"
        )
    else:
        task = (
            "Go on behind its last line with new text that belongs to it, in the same form, until what was asked for "
            "is there. Do not sum up before that"
        )
    lacks = wanted.sentence[:_LONGEST_SENTENCE]
    return (
        f"The document above is not yet what was asked for: {lacks}. It is to be continued; both parts will be joined "
        f"as they are. {task}. Repeat nothing that is there, do not begin again, and write no introduction and no "
        "remark on the continuation."
    )
