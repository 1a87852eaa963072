"""Cuts a document at its own marks, so that nobody downstream needs a parser.

The marks are lines of their own, `[SECTION: title]` unless the user says otherwise; where there are none, Markdown
headings of the highest level that occurs more than once. Nothing is changed: all sections joined are the document.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from string import punctuation
from typing import Final, NamedTuple

from batchd.text.markdown import headings

MARKER: Final = "[SECTION: {title}]"
"""How sections are marked when nothing else is said."""
TITLE: Final = "{title}"
"""What stands for the title in a marker."""

_LONGEST_TITLE: Final = 300
_LONGEST_NAME: Final = 80
_SUFFIX: Final = ".md"
_SIGNS: Final = frozenset(punctuation)
"""What is written in one way only, whatever the case of letters."""
_FEWEST: Final = 2
"""Headings of one level that make it the one that repeats."""


class Section(NamedTuple):
    """A piece of a document, from its mark to the next."""

    number: int
    """From 1; 0 for what precedes the first mark."""
    title: str
    """As it was written; empty for number 0."""
    text: str
    """With the line of its mark."""


class Mark(NamedTuple):
    """A line at which a section begins."""

    title: str
    start: int
    """The character at which the line begins."""


def marks(document: str, marker: str = MARKER) -> list[Mark]:
    """Where the sections begin that are marked on purpose.

    A mark counts within a code fence as well: it is explicit, and a fence that a model forgot to close would hide
    the rest of the document.

    Args:
        document: The text.
        marker: A line with `{title}` in it.
    """
    return [Mark(found[1].strip(), found.start()) for found in _marked(document, marker)]


def _marked(document: str, marker: str) -> Iterator[re.Match[str]]:
    """Match lines only where a sign of the marker stands, which is found far faster than every line is matched."""
    lines = _lines_like(marker)
    if (sign := next(filter(_SIGNS.__contains__, marker.replace(TITLE, "")), None)) is None:
        yield from lines.finditer(document)
        return
    at = document.find(sign)
    while at >= 0:
        if found := lines.match(document, document.rfind("\n", 0, at) + 1):
            yield found
        end = document.find("\n", at)
        at = document.find(sign, end) if end >= 0 else -1


def heads(document: str) -> list[Mark]:
    """Where the sections begin of a document without marks: at the headings of the level that repeats.

    Args:
        document: The text.
    """
    found = headings(document)
    levels = [each.level for each in found]
    repeated = [level for level in set(levels) if levels.count(level) >= _FEWEST]
    return [Mark(each.title, each.start) for each in found if repeated and each.level == min(repeated)]


def split(document: str, marker: str = MARKER) -> tuple[Section, ...]:
    """Cut a document at its marks, or else at its headings.

    Args:
        document: The text.
        marker: A line with `{title}` in it.

    Returns:
        Its sections, which joined are the document; number 0, with what precedes the first mark, only if it is not
        empty. A document with neither marks nor repeated headings is one piece of number 0.
    """
    found = marks(document, marker) or heads(document)
    starts = [each.start for each in found]
    ends = [*starts[1:], len(document)]
    preamble = document[: starts[0]] if starts else document
    before = (Section(0, "", preamble),) if preamble else ()
    pieces = (
        Section(number, mark.title, document[mark.start : end])
        for number, (mark, end) in enumerate(zip(found, ends, strict=False), 1)
    )
    return (*before, *pieces)


def file_name(number: int, title: str, total: int) -> str:
    """What the file of a section is called, such as `07-authentication.md`.

    Args:
        number: The section's, which makes the name unique in its document.
        title: The section's.
        total: How many sections there are: all numbers get as many digits, so that names sort.

    Returns:
        At most 80 characters of `[a-z0-9.-]`.
    """
    digits = str(number).zfill(max(2, len(str(total))))
    plain = unicodedata.normalize("NFKD", title[:_LONGEST_TITLE]).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or ("section" if number else "preamble")
    room = _LONGEST_NAME - len(digits) - len("-") - len(_SUFFIX)
    return f"{digits}-{slug[:room].rstrip('-')}{_SUFFIX}"


@lru_cache(maxsize=64)
def _lines_like(marker: str) -> re.Pattern[str]:
    """Matches a marker's lines as models write them: in any case, with any blanks, also as a heading or in bold."""
    before, after = (r"[ \t]*".join(map(re.escape, part.split())) for part in marker.split(TITLE, 1))
    return re.compile(
        rf"^[ \t]*(?:#{{1,6}}[ \t]+)?[*_`]{{0,3}}{before}[ \t]*"
        rf"(\S[^\n]{{0,{_LONGEST_TITLE - 1}}}?)[ \t]*{after}[*_`]{{0,3}}[ \t]*\r?$",
        re.MULTILINE | re.IGNORECASE,
    )
