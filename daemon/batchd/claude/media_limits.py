"""How large pictures and PDFs may be, and how many of them a request takes; wherever they come from.

Source: docs "Vision" and "PDF support"; the API's own messages, which measure a picture in characters of its base64,
and a megabyte as 2^20 of them ("image exceeds 5 MB maximum: 5272940 bytes > 5242880 bytes", before it was ten).
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from batchd.claude.catalogue import ModelFacts
from batchd.text.strictjson import Flaw

MOST_PICTURE_BASE64: Final = 10 * 2**20
"""Bytes of a picture in base64."""
MOST_PICTURE_BYTES: Final = MOST_PICTURE_BASE64 // 4 * 3
"""Bytes of its file."""
LONGEST_SIDE: Final = 8_000
"""Pixels."""
LONGEST_SIDE_OF_MANY: Final = 2_000
"""Pixels, where a request has more than `MANY` pictures."""
MANY: Final = 20

_MILLION: Final = 1_000_000
_MOST: Final = 600
_MOST_OF_SMALL: Final = 100
"""Of pictures and of pages, for models of a window below a million."""


class Medium(NamedTuple):
    """A picture or a PDF of a request."""

    place: str
    """Its field, or its path."""
    pixels: tuple[int, int] | None = None
    """Of a picture that is known."""
    pages: int | None = None
    """Of a PDF; None for a picture."""


def most_pictures(window: int) -> int:
    """Say how many pictures a request takes.

    Args:
        window: Tokens that its model reads and writes at one time.
    """
    return _MOST if window >= _MILLION else _MOST_OF_SMALL


most_pages = most_pictures
"""Say how many pages all PDFs of a request may have together: as many as pictures."""


def wrong_picture(pixels: tuple[int, int] | None, encoded: int) -> str:
    """Say why no request takes a picture; nothing where one does.

    Args:
        pixels: Width and height; None where they could not be read.
        encoded: Bytes of it in base64.
    """
    if pixels is None:
        return "cannot be read as a picture: it tells no width and height; save it again"
    if max(pixels) > LONGEST_SIDE:
        return f"has {pixels[0]:,} x {pixels[1]:,} pixels; at most {LONGEST_SIDE:,} a side are taken; save it smaller"
    if encoded > MOST_PICTURE_BASE64:
        return f"has {encoded:,} bytes in base64; at most {MOST_PICTURE_BASE64:,} are taken; save it smaller"
    return ""


def too_many(media: Sequence[Medium], facts: ModelFacts, window: int) -> Iterator[Flaw]:
    """Tell what is too much of a whole request.

    Args:
        media: All its pictures and PDFs.
        facts: Of its model.
        window: Tokens that the model reads and writes at one time, with the betas of the request.
    """
    pictures = [each for each in media if each.pages is None]
    pages = sum(each.pages or 0 for each in media)
    most = most_pictures(window)
    if len(pictures) > most:
        yield Flaw(pictures[most].place, f"one of {len(pictures):,} pictures; {facts.name} takes {most} a request")
    if pages > most_pages(window):
        place = next(each.place for each in media if each.pages)
        said = f"the PDFs have {pages:,} pages together; {facts.name} takes {most_pages(window)} a request"
        yield Flaw(place, f"{said}; split them up")
    if len(pictures) > MANY:
        for each in pictures:
            if each.pixels and max(each.pixels) > LONGEST_SIDE_OF_MANY:
                size = f"{each.pixels[0]:,} x {each.pixels[1]:,}"
                said = (
                    f"has {size} pixels; at most {LONGEST_SIDE_OF_MANY:,} a side are taken of more than {MANY} pictures"
                )
                yield Flaw(each.place, f"{said} in one request; save it smaller, or send fewer together")
