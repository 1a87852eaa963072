"""The counts of a message that was streamed: they only grow, and are bounded where it was cut."""

import json
import re
from collections.abc import Mapping
from typing import Final

from batchd.claude.streamed import mapping_of, texts_of

_WORD: Final = re.compile(r" ?[A-Za-z]{1,24}(?![A-Za-z])")
_MOST_TOKENS: Final = 1 << 40


def bound(blocks: list[dict[str, object]], most_tokens: int | None) -> int:
    """Bound the tokens of an answer that was cut; thinking need not be shown as it was, so it may be all there was."""
    if most_tokens is not None and any("thinking" in str(block.get("type")) for block in blocks):
        return most_tokens
    written = [text for kind in ("text", "thinking") for text in texts_of(blocks, kind)]
    written += [json.dumps(block["input"]) for block in blocks if block.get("input")]
    tokens = sum(map(_tokens_at_most, written))
    return tokens if most_tokens is None else min(tokens, most_tokens)


def _tokens_at_most(text: str) -> int:
    """Bound the tokens of a text: of words three for each eight letters, begun ones included, of all else its bytes."""
    tokens = letters = 0
    for word in _WORD.finditer(text):
        tokens += -(-len(word[0]) * 3 // 8)
        letters += len(word[0])
    return tokens + len(text.encode("utf-8", "replace")) - letters


def larger(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    """Bring two tellings of usage together; a count never falls, and what is no count is left out."""
    merged = dict(one)
    for name, value in other.items():
        before = merged.get(name)
        if isinstance(value, dict):
            merged[name] = larger(mapping_of(before), value)
        elif is_count(value) and is_count(before):
            merged[name] = max(int(str(before)), int(str(value)))
        elif value is not None and (is_count(value) or not _looks_like_a_count(name)):
            merged[name] = value
        elif value is None:
            merged.setdefault(name, None)
    return {name: value for name, value in merged.items() if is_count(value) or not _looks_like_a_count(name)}


def _looks_like_a_count(name: str) -> bool:
    return name.endswith("_tokens")


def is_count(value: object) -> bool:
    """Whether a value can be a count of tokens."""
    return type(value) is int and 0 <= value < _MOST_TOKENS
