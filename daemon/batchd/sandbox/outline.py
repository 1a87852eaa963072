"""Reads from a prompt what it asks for: which sections, how marked, how long.

It guesses as a hurried reader would. `[sandbox: words N]` and a list of `[SECTION: …]` lines leave nothing to guess.
"""

import re
from dataclasses import dataclass

_MARKER = re.compile(r"\[SECTION:\s*([^\]\n]{1,200})\]")
_PLACEHOLDER = re.compile(r"…|\.\.\.|[<{]|\b(?:N|X|title|name|heading)\b")
_INLINE = re.compile(r"\b(?:sections|chapters|headings)\b[^:\n]{0,40}:[ \t]*([^\n]+)", re.IGNORECASE)
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S[^\n]{0,199})$", re.MULTILINE)
_ITEM = re.compile(r"^[ \t]*(?:\d{1,3}[.)]|[-*•])[ \t]+(\S[^\n]{0,199})$", re.MULTILINE)
_OUTLINE = re.compile(r"\b(?:outline|skeleton|contents|structure|sections|chapters|appendices)\b", re.IGNORECASE)
_COUNT = re.compile(r"\b(\d{1,3})[ -](chapter|section|part|exhibit|schedule|appendi)", re.IGNORECASE)
_LENGTH = re.compile(
    r"(\d[\d,._]*)(k?)[ -]*(words?|tokens?|pages?)\b"
    r"(\s+(?:(?:in|for)\s+)?(?:a|per|each|every)\s+(?:chapter|section|part|heading|item)|\s+each\b)?",
    re.IGNORECASE,
)
_ENDING = re.compile(r"\b[Ee]nd (?:it |the \w+ )?with (?:exactly )?(?:the|this) line:?\s+(\[[^\]\n]{1,200}\])")
_WORDS_OF = {"word": 1.0, "token": 0.65, "page": 480.0}
"""4 characters a token and 6.2 a word, blank included; a page as in the seed article: 200 of them 150,000 tokens."""

_SHORT = 120
_A_SECTION = 90
_MOST_SECTIONS = 500
_LONG_PROMPT = 200_000
"""Characters: of a longer prompt only both ends are read, since the middle is material, not a wish."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What to write."""

    titles: tuple[str, ...]
    """Of the sections, in order; empty for running text."""
    markers: bool
    """`[SECTION: title]` instead of Markdown headings."""
    words: int
    """Of the whole text, at least."""
    ending: str = ""
    """The line with which the text is to end."""


def read(prompt: str) -> Outline:
    """What a prompt seems to ask for."""
    if len(prompt) > _LONG_PROMPT:
        prompt = prompt[: _LONG_PROMPT // 2] + "\n" + prompt[-_LONG_PROMPT // 2 :]
    titles, markers = _titles(prompt)
    ending = _ENDING.search(prompt)
    return Outline(titles, markers, _words(prompt, len(titles)), ending[1] if ending else "")


def _titles(prompt: str) -> tuple[tuple[str, ...], bool]:
    marked = _MARKER.findall(prompt) if "[SECTION:" in prompt else []
    named = _distinct([title for title in marked if not _PLACEHOLDER.search(title)])
    if named:
        return named, True
    if inline := _INLINE.search(prompt):
        parts = _distinct(re.split(r"[,;]\s*(?:and\s+)?", inline[1].strip().rstrip(".")))
        if len(parts) > 1:
            return parts, bool(marked)
    if headings := _distinct(_HEADING.findall(prompt)):
        return headings, bool(marked)
    if (about := _OUTLINE.search(prompt)) and (items := _distinct(_ITEM.findall(prompt, about.start()))):
        return items, bool(marked)
    if count := _COUNT.search(prompt):
        kind = "Appendix" if count[2].lower().startswith("app") else count[2].title()
        return tuple(f"{kind} {number}" for number in range(1, min(int(count[1]), _MOST_SECTIONS) + 1)), bool(marked)
    return (), bool(marked)


def _distinct(titles: list[str]) -> tuple[str, ...]:
    clean = (title.strip().strip("*`\"'").strip() for title in titles)
    return tuple(dict.fromkeys(title for title in clean if title))[:_MOST_SECTIONS]


def length(wish: str) -> int | None:
    """How many words somebody asks for; None where nothing is said."""
    found = _LENGTH.search(wish)
    return _counted(found) if found else None


def _words(prompt: str, sections: int) -> int:
    if not (found := _LENGTH.search(prompt)):
        return max(_SHORT, _A_SECTION * sections)
    return _counted(found) * (max(1, sections) if found[4] else 1)


def _counted(found: re.Match[str]) -> int:
    number = int(re.sub(r"\D", "", found[1])) * (1000 if found[2] else 1)
    return round(number * _WORDS_OF[found[3].lower().rstrip("s")])
