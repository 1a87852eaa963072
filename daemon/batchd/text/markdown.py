"""The little of Markdown that decides something: which lines are headings, and where code fences are open.

Linear in the text, and as tolerant as models need: a fence may be indented by any amount, since it may stand in a list.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_LANDMARK: Final = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$|^ {0,3}(?P<hashes>#{1,6})(?P<title>[ \t][^\n]*)?\r?$", re.MULTILINE
)


class Heading(NamedTuple):
    """A line such as `## Title`, outside of every code fence."""

    level: int
    title: str
    """Without its marks and the blanks around it."""
    start: int
    """The character at which its line begins."""


class Fence(NamedTuple):
    """A line that opens a code fence."""

    mark: str
    """Three or more backticks or tildes."""
    info: str
    """What follows the mark, such as `python`."""
    start: int
    """The character at which its line begins."""


class _Closing(NamedTuple):
    """A line that closes the fence before it."""

    end: int


def headings(text: str) -> list[Heading]:
    """Every heading with hashes, in order.

    Args:
        text: A document.
    """
    return [each for each in _landmarks(text) if isinstance(each, Heading)]


def open_fence(text: str) -> Fence | None:
    """The code fence inside of which the text ends; None if it ends outside of all.

    Args:
        text: A document, or as much of it as there is.
    """
    latest: Fence | None = None
    for each in _landmarks(text):
        if not isinstance(each, Heading):
            latest = each if isinstance(each, Fence) else None
    return latest


def fenced(text: str) -> Iterator[tuple[int, int]]:
    """Where code fences begin and end, in order; one that is never closed takes the rest.

    Args:
        text: A document.
    """
    begun: int | None = None
    for each in _landmarks(text):
        if isinstance(each, Fence) and begun is None:
            begun = each.start
        elif isinstance(each, _Closing) and begun is not None:
            yield begun, each.end
            begun = None
    if begun is not None:
        yield begun, len(text)


def without_code(text: str) -> str:
    """What stands outside of code fences.

    Args:
        text: A document.
    """
    outside: list[str] = []
    resumed = 0
    for begin, end in fenced(text):
        outside.append(text[resumed:begin])
        resumed = end
    return "".join((*outside, text[resumed:]))


def _landmarks(text: str) -> Iterator[Heading | Fence | _Closing]:
    fence: Fence | None = None
    for found in _LANDMARK.finditer(text):
        mark = found["fence"]
        if mark is None:
            if fence is None:
                yield Heading(len(found["hashes"]), _bare(found["title"] or ""), found.start())
        elif fence is None:
            info = found["info"].strip()
            if "`" not in info or mark[0] == "~":  # ```like this``` is code within a line
                fence = Fence(mark, info, found.start())
                yield fence
        elif mark.startswith(fence.mark) and not found["info"].strip():
            fence = None
            yield _Closing(found.end())


def _bare(title: str) -> str:
    """A heading's title without the hashes that may close it."""
    title = title.strip()
    bare = title.rstrip("#")
    return bare.rstrip() if bare != title and (not bare or bare[-1] in " \t") else title
