"""Reads from a prompt what it asks for: which sections, how marked, how long.

It guesses as a hurried reader would. `[sandbox: words N]` and a list of `[SECTION: …]` lines leave nothing to guess.
"""

import re
from dataclasses import dataclass

from batchd.sandbox import lengths

_MARKER = re.compile(r"\[SECTION:\s*([^\]\n]{1,200})\]")
_PLACEHOLDER = re.compile(r"…|\.\.\.|[<{]|\b(?:N|X|title|name|heading)\b")
_INLINE = re.compile(r"\b(?:sections|chapters|headings)\b[^:\n]{0,40}:[ \t]*([^\n]+)", re.IGNORECASE)
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S[^\n]{0,199})$", re.MULTILINE)
_ITEM = re.compile(r"^[ \t]*(?:\d{1,3}[.)]|[-*•])[ \t]+(\S[^\n]{0,199})$", re.MULTILINE)
_OUTLINE = re.compile(r"\b(?:outline|skeleton|contents|structure|sections|chapters|appendices)\b", re.IGNORECASE)
_COUNT = re.compile(rf"\b({lengths.NUMBER})[ -](chapter|section|part|exhibit|schedule|appendi)", re.IGNORECASE)
_FORM = re.compile(
    r"\b(?:line|mark\w*|heading|begin\w*|start\w*)\b[^\n`\"“]{0,60}[`\"“]([^`\"”\n]{0,40}?)"
    r"(?:\{title\}|<title>|\btitle\b|…|\.\.\.)([^`\"”\n]{0,40})[`\"”]",
    re.IGNORECASE,
)
"""A line shown with a word that stands for the title, as in: begin each with a line `=== title ===`."""
_DECORATED = re.compile(r"^[ \t]*([=@~<%:*_]{2,})[ \t]*([^\W_][^\n]{0,198}?)[ \t]*([=@~>%:*_]*)[ \t]*$", re.MULTILINE)
"""A line of its own between signs, as in `=== The hive ===`."""
_QUOTED = r"(?:\"([^\"\n]{1,200})\"|“([^”\n]{1,200})”|`([^`\n]{1,200})`|(\[(?!SECTION|FILE)[^\]\n]{1,200}\]))"
_ENDING = re.compile(
    rf"\b(?:ends?|finish(?:es)?|close|conclude)\b[^.\n\"“`\[]{{0,40}}\bwith\b[^.\n\"“`\[]{{0,60}}\s{{0,4}}{_QUOTED}"
    rf"|\blast (?:line|words?|sentence)\b[^.\n\"“`\[]{{0,40}}\s{{0,4}}{_QUOTED}"
    r"|\b(?:end|finish)\b[^.\n]{0,40}\bwith the (?:line|words?):?[ \t\n]+([A-Z][^\n.\"“`\[]{1,100})",
    re.IGNORECASE,
)
_JSON = re.compile(r"(?<![\w./`-])JSON\b(?![\w/`-]|\.\w)", re.IGNORECASE)
_AS_JSON = re.compile(
    r"\b(?:return|respond|answer|reply|output|only|valid|format\w*|produce)\b[^.\n]*\bJSON", re.IGNORECASE
)
_NEAR = 60
_FEW = 200
"""Words: who asks for more, and speaks of JSON, may want to read about it."""
_HEADS = "## {title}"
_MARKS = "[SECTION: {title}]"
_FEWEST = 2

_SHORT = 120
_A_SECTION = 90
_MOST_SECTIONS = 500
_LONG_PROMPT = 200_000
"""Characters: of a longer prompt only both ends are read, since the middle is material, not a wish."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What to write."""

    titles: tuple[str, ...] = ()
    """Of the sections, in order; empty for running text."""
    marker: str = _HEADS
    """The line with which each begins, with `{title}` in it."""
    words: int = _SHORT
    """Of the whole text, at least."""
    ending: str = ""
    """The line with which the text is to end."""
    json: bool = False
    """Whether it is to be JSON."""
    open: bool = False
    """Whether nothing says how long it is to be, so that it may be shorter where there is no room."""


def read(prompt: str, system: str = "") -> Outline:
    """What a prompt seems to ask for; the system prompt is asked where the prompt itself says nothing."""
    prompt, system = _ends(prompt), _ends(system)
    titles, marker = _titles(prompt)
    words = lengths.words(prompt, len(titles))
    if words is None:
        words = lengths.words(system, len(titles))
    usual = max(_SHORT, _A_SECTION * len(titles))
    return Outline(
        titles,
        marker,
        usual if words is None else words,
        _ending(prompt) or _ending(system),
        json=not titles and (_wants_json(prompt, words) or _wants_json(system, words)),
        open=words is None,
    )


def _wants_json(wish: str, words: int | None) -> bool:
    """Whether JSON is what is asked for, and not what a long text is to be about."""
    return any(
        words is None or words <= _FEW or _AS_JSON.search(wish, max(0, found.start() - _NEAR), found.end())
        for found in _JSON.finditer(wish)
    )


def _ends(prompt: str) -> str:
    if len(prompt) <= _LONG_PROMPT:
        return prompt
    return prompt[: _LONG_PROMPT // 2] + "\n" + prompt[-_LONG_PROMPT // 2 :]


def _titles(prompt: str) -> tuple[tuple[str, ...], str]:
    """The sections, and the line that begins each."""
    marked = _MARKER.findall(prompt) if "[SECTION:" in prompt else []
    if named := _distinct([title for title in marked if not _PLACEHOLDER.search(title)]):
        return named, _MARKS
    titles, signs = _decorated(prompt)
    form = _FORM.search(prompt)
    if marked or form:
        return _listed(prompt) or titles, f"{form[1]}{{title}}{form[2]}" if form and not marked else _MARKS
    return (titles, signs) if titles else (_listed(prompt), _HEADS)


def _decorated(prompt: str) -> tuple[tuple[str, ...], str]:
    """Titles that stand between signs, each on a line of its own, and those signs; a single one may be chance."""
    found: dict[tuple[str, str], list[str]] = {}
    for before, title, behind in _DECORATED.findall(prompt):
        found.setdefault((before, behind), []).append(title)
    (before, behind), titles = max(found.items(), key=lambda each: len(each[1]), default=(("", ""), []))
    if len(titles) < _FEWEST:
        return (), _HEADS
    gap = " " if re.search(rf"^[ \t]*{re.escape(before)}[ \t]", prompt, re.MULTILINE) else ""
    return _distinct(titles), f"{before}{gap}{{title}}{gap if behind else ''}{behind}"


def _listed(prompt: str) -> tuple[str, ...]:
    """Titles that a prompt lists in one of the ways in which people do."""
    if inline := _INLINE.search(prompt):
        parts = _distinct(re.split(r"[,;]\s*(?:and\s+)?", inline[1].strip().rstrip(".")))
        if len(parts) > 1:
            return parts
    if headings := _distinct(_HEADING.findall(prompt)):
        return headings
    if (about := _OUTLINE.search(prompt)) and (items := _distinct(_ITEM.findall(prompt, about.start()))):
        return items
    if (count := _COUNT.search(prompt)) and lengths.number(count[1]) > 1:
        kind = "Appendix" if count[2].lower().startswith("app") else count[2].title()
        return tuple(f"{kind} {number}" for number in range(1, min(lengths.number(count[1]), _MOST_SECTIONS) + 1))
    return ()


def _distinct(titles: list[str]) -> tuple[str, ...]:
    clean = (title.strip().strip("*`\"'").strip() for title in titles)
    return tuple(dict.fromkeys(title for title in clean if title))[:_MOST_SECTIONS]


def _ending(prompt: str) -> str:
    found = _ENDING.search(prompt)
    return next((each.strip() for each in found.groups() if each), "") if found else ""
