"""Answers joined to one text: in their order, a blank line between two of them."""

from collections.abc import Iterable, Iterator


def joined(texts: Iterable[str]) -> Iterator[str]:
    """Join texts piece by piece; what is blank at the ends of each is no part of it."""
    first = True
    for text in texts:
        bare = text.strip("\r\n")
        if bare:
            yield bare if first else f"\n\n{bare}"
            first = False
