"""The pictures that a prompt shows, in the way of Markdown: where each stands between texts."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

from batchd.text.markdown import fenced

_PICTURE: Final = re.compile(
    r"""!\[[^\[\]\n]{0,1000}\]
        \([ \t]{0,10}<?((?:\{\{[^{}\n]{0,200}\}\}|[^()<>{}\s]){1,1000})>?
        (?:[ \t]{1,10}"[^"\n]{0,1000}")?[ \t]{0,10}\)""",
    re.VERBOSE,
)
"""A place of a template within its path may have blanks."""
_ELSEWHERE: Final = re.compile(r"[a-z][a-z0-9+.-]{0,20}:|//|#", re.IGNORECASE)
"""How what lies nowhere near begins: `https:`, `data:`."""


class Picture(NamedTuple):
    """A picture that a text names."""

    path: str
    start: int
    """The character at which it begins, as does `end`."""
    end: int

    @property
    def is_far(self) -> bool:
        """Whether it lies on another machine, or within the text itself."""
        return _ELSEWHERE.match(self.path) is not None


def pictures(text: str) -> Iterator[Picture]:
    """Find what a text shows as pictures, outside of its code."""
    if "![" not in text:
        return
    code = iter(fenced(text))
    begin, end = next(code, (len(text), len(text)))
    for found in _PICTURE.finditer(text):
        while end <= found.start() and begin < len(text):
            begin, end = next(code, (len(text), len(text)))
        if found.start() < begin:
            yield Picture(unquote(found[1]).removeprefix("./"), found.start(), found.end())
