"""Whether two titles are the same to a reader, and which of those asked for a document lacks.

Models change what does not matter to them: case, blanks, kinds of dashes and quotes, emphasis, the number in front.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from batchd.text.markdown import headings
from batchd.text.sections import marks

_EMPHASIS: Final = re.compile(r"[*_`~]+")
_BETWEEN: Final = re.compile(r"[\s:\u2010-\u2015\u2212-]+")
_QUOTES: Final = str.maketrans("‘’‚“”„«»", '\'\'\'"""""')  # noqa: RUF001  that is what they look like
_NUMBER: Final = re.compile(
    r"\A(?:(?:chapter|section|part|appendix|exhibit|schedule|article|unit|lesson)\s+(?:\d+|[ivxlc]+|[a-z])\b[\s.)]*"
    r"|\d{1,3}(?:\.\d{1,3})*(?:[.)]\s*|\s+))(?=[^\s\d])"
)


def missing(document: str, titles: Sequence[str], marker: str) -> tuple[str, ...]:
    """Find the sections that have neither a mark nor, failing that, a heading of any level.

    Titles that are plainly the same are matched first, then those that are the same but for their numbers. Each place
    in the document serves one title only, so that two sections of one title must both be there.

    Args:
        document: The text.
        titles: Those that it should have.
        marker: How a section begins.

    Returns:
        What is missing, in the order and the words of `titles`.
    """
    wanted = dict(enumerate(titles))
    for places in ([mark.title for mark in marks(document, marker)], [head.title for head in headings(document)]):
        unused = places
        for likeness in (plain, unnumbered):
            free = Counter(map(likeness, unused))
            for index, title in list(wanted.items()):
                if free[likeness(title)] > 0:
                    free[likeness(title)] -= 1
                    del wanted[index]
            unused = list(_unused(unused, free, likeness))
    return tuple(wanted.values())


def plain(title: str) -> str:
    """A title without what models change, its number excepted.

    Args:
        title: As somebody wrote it.
    """
    title = unicodedata.normalize("NFKC", title).translate(_QUOTES).casefold()
    return _BETWEEN.sub(" ", _EMPHASIS.sub("", title)).strip(" .#")


def unnumbered(title: str) -> str:
    """The same without the number in front, `7.` or `Chapter 7 —`, unless that is all there is.

    Args:
        title: As somebody wrote it.
    """
    return _NUMBER.sub("", plain(title), count=1)


def _unused(places: Iterable[str], free: Counter[str], likeness: Callable[[str], str]) -> Iterator[str]:
    remaining = Counter(free)
    for place in places:
        if remaining[likeness(place)] > 0:
            remaining[likeness(place)] -= 1
            yield place
