"""What a name that no model has was probably meant to be.

A misspelling is refused, since it would come back as an error hours later; a name that only differs in its version, or
that says more than a model's, may be of a newer model, or of a gateway's own.
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

_PLATFORM: Final = re.compile(
    r"(?:[\w-]+/)*"  # OpenRouter, LiteLLM, Vertex: anthropic/claude-…
    r"(?:(?:[a-z]{2,7}(?:-[a-z]+)?\.)?anthropic\.)?"  # Bedrock: us.anthropic.claude-…
    r"(?P<name>claude[\w.-]*?)"
    r"(?:@(?P<date>\d{8}|latest|default))?"  # Vertex: claude-…@20250929
    r"(?:-v\d+(?::\d+)?)?"  # Bedrock: …-v1:0
    r"(?::[a-z]+)?\Z"  # OpenRouter: …:beta
)
_TOKENS: Final = re.compile(r"[a-z]+|\d+")
_DATE: Final = re.compile(r"\d{8}")
_FILLERS: Final = frozenset({"latest", "v", "model", "anthropic"})
_BRACKETS: Final = re.compile(r"\[[^\]]*\]")
_ALIKE: Final = 0.75


def meant(model: str, known: Iterable[str]) -> str:
    """Tell which known model a misspelling means; nothing where it may be another model.

    Args:
        model: The name as written.
        known: Ids without dates, the newest of each family first.
    """
    words, version = _parsed(model)
    if words == {"claude"}:
        return ""  # all of them
    if not any(_alike(word, "claude") >= _ALIKE for word in words):
        words.add("claude")  # opus, sonnet-5.5
    names = [(name, *_parsed(name)) for name in known]
    if not version:  # a family
        return next((name for name, other, _ in names if other == words and words != {"claude"}), "")
    near = [(_likeness(words, other), -place) for place, (_, other, digits) in enumerate(names) if digits == version]
    likeness, place = max(near, default=(0.0, 0))
    return names[-place][0] if likeness >= _ALIKE else ""


def on_other_platforms(model: str, known: Iterable[str]) -> str:
    """Tell how the API itself calls a model whose name is another platform's; nothing where that cannot be told.

    Args:
        model: Such as `anthropic/claude-sonnet-4-6`.
        known: Ids without dates.
    """
    found = _PLATFORM.fullmatch(model)
    if not found or found["name"] == model:
        return ""
    name = _DATE.sub("", found["name"]).rstrip("-")
    return next((each for each in known if each == name), "") or meant(name, known)


def _parsed(name: str) -> tuple[set[str], str]:
    """Words and digits of a name, whatever their order and what stands between them; a date counts as neither."""
    tokens = _TOKENS.findall(_DATE.sub("", _BRACKETS.sub("", name.lower())))
    words = {each for each in tokens if not each.isdigit()} - _FILLERS
    return words, "".join(each for each in tokens if each.isdigit())


def _likeness(words: set[str], other: set[str]) -> float:
    """How alike the least alike word is; names of more or fewer words are other names."""
    if len(words) != len(other):
        return 0.0
    left = set(other)
    least = 1.0
    for word in sorted(words, reverse=True):
        best = max(sorted(left), key=lambda each: _alike(word, each))
        least = min(least, _alike(word, best))
        left.discard(best)
    return least


def _alike(word: str, other: str) -> float:
    return SequenceMatcher(None, word, other).ratio()
