"""Whether a prompt surely is longer than what its model reads: then it comes back as an error, hours later.

There is no tokenizer to ask, so what is counted is what every tokenizer needs at the least: one token a word, as no
token goes beyond a blank, and one for eight letters, twice as many as a token of usual text has in any script. A
picture counts as it is shown to the models that see least, a page of a PDF with less than its picture takes (docs:
"Vision", "PDF support"). What the API may leave out (thoughts of earlier turns, what `context_management` clears)
counts as nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from batchd.claude.media_limits import Medium
from batchd.claude.pictures import patches

_LETTERS: Final = 8
"""Of one token, at the most."""
_USUAL_LETTERS: Final = 4
_PIECE: Final = 65_536
_SEEN_EDGE: Final = 1_568
"""Pixels along the longer side beyond which a picture is made smaller by the models that see least."""
_SEEN_PATCHES: Final = 1_568
_PAGE: Final = 500
_SHORTENING: Final = ("context_management", "compaction")


def tokens_at_least(params: Mapping[str, Any], media: Iterable[Medium], enough: int) -> int:
    """Count the tokens that a prompt surely has.

    Args:
        params: Sound by themselves.
        media: The pictures and PDFs among them.
        enough: Beyond this no exact number is needed: as long as there cannot be so many, nothing is counted.
    """
    if any(params.get(name) for name in _SHORTENING):
        return 0
    seen = sum(_seen(medium.pixels) if medium.pages is None else _PAGE * medium.pages for medium in media)
    texts = _all_texts(params)
    if seen + sum(map(len, texts)) <= enough:
        return 0
    return seen + sum(map(_of_text, texts))


def _seen(size: tuple[int, int] | None) -> int:
    """Tokens of a picture; one where only the API sees it."""
    if size is None:
        return 1
    scale = min(1.0, _SEEN_EDGE / max(size))
    width, height = (max(1, int(side * scale)) for side in size)
    return patches(width, height, _SEEN_PATCHES)


def _of_text(text: str) -> int:
    """Tokens of a text; it is parted piece by piece, since all of its words at once take ten times its memory."""
    words = letters = 0
    for begin in range(0, len(text), _PIECE):
        found = text[begin : begin + _PIECE].split()
        words += len(found)
        letters += sum(map(len, found))
        if begin and found and not text[begin - 1].isspace() and not text[begin].isspace():
            words -= 1  # its beginning was in the piece before
    return max(words, letters // _LETTERS)


def about_too_long(params: Mapping[str, Any], window: int) -> bool:
    """Whether a prompt would be too long if it were usual prose, of four letters a token."""
    return sum(map(len, _all_texts(params))) > _USUAL_LETTERS * window


def _all_texts(params: Mapping[str, Any]) -> list[str]:
    turns = (_texts(message.get("content")) for message in _objects(params.get("messages")))
    return [*_texts(params.get("system")), *chain.from_iterable(turns)]


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for block in _objects(content):
        kind, source = block.get("type"), block.get("source")
        if kind == "text" and isinstance(block.get("text"), str):
            yield block["text"]
        elif kind == "tool_result":
            yield from _texts(block.get("content"))
        elif kind == "document" and isinstance(source, Mapping):
            yield from _texts(source.get("data") if source.get("type") == "text" else source.get("content"))


def _objects(value: object) -> Iterable[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else ()
