"""Which known word a misspelling means."""

from collections.abc import Iterable
from typing import Final

_LONGEST: Final = 100
"""Characters of a word that is looked at: a comparison takes memory and time by its length."""


def closest(word: str, known: Iterable[str], likeness: float) -> str:
    """Find the known word that is most like another; nothing where none is like it.

    Args:
        word: As a user wrote it, of any length.
        known: Some dozens.
        likeness: From 0 to 1, at least.
    """
    from difflib import get_close_matches  # noqa: PLC0415  only where something is wrong

    if len(word) > _LONGEST:
        return ""
    return next(iter(get_close_matches(word, tuple(known), n=1, cutoff=likeness)), "")
