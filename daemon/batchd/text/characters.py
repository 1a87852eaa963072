"""Characters that were cut apart on their way, put together again; and texts in which there is nothing to be seen.

Programs in between cut strings where they like: JavaScript between the two halves of a UTF-16 pair, others between the
bytes of UTF-8. Decoded with `surrogateescape`, and their JSON read as it stands, both leave halves that fit together
once the pieces of a text are joined.
"""

import re
import unicodedata
from typing import Final

_BYTES: Final = re.compile("[\udc80-\udcff]+")
_HALVES: Final = re.compile("[\ud800-\udfff]")
_PAIRS: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_CONTROLS: Final = re.compile("[\u0080-\u009f]")
LOST: Final = "\ufffd"
"""Stands where a character could not be read."""


_UNSEEN: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
"""Categories of what has no shape: blanks, controls, and what only joins, parts or directs its neighbours."""
_UNSEEN_LETTERS: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]")
"""Of other categories, and as little to be seen: fillers, the empty Braille cell, selectors of a shape."""


def is_blank(text: str) -> bool:
    """Tell whether there is nothing in a text that a reader could see."""
    return all(unicodedata.category(sign) in _UNSEEN or _UNSEEN_LETTERS.match(sign) for sign in text)


def mended(text: str) -> tuple[str, int]:
    """Put halves of characters together, and bytes that were no UTF-8.

    A run of such bytes is UTF-8 that was cut apart, else Latin-1, which is what old gateways write. Half a character of
    UTF-8 looks like Latin-1 with a control character in it, which no text has: then it is lost.

    Returns:
        The text as it can be written, and how many of its characters are lost.
    """
    if not _HALVES.search(text):
        return text, 0
    whole = _PAIRS.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    whole = _BYTES.sub(lambda run: _read(run[0].encode("utf-8", "surrogateescape")), whole)
    whole = _HALVES.sub(LOST, whole)
    return whole, max(whole.count(LOST) - text.count(LOST), 0)


def _read(run: bytes) -> str:
    try:
        return run.decode()
    except UnicodeDecodeError:
        latin = run.decode("latin-1")
        return LOST if _CONTROLS.search(latin) else latin
