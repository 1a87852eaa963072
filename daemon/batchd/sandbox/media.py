"""What pictures and PDFs weigh, in tokens: by the published formula, worked out from the whole of each file.

Source: docs "vision" (a token for each patch of 28 by 28 pixels, to the model's cap) and "PDF support" (of each page
its text, 1,500 to 3,000 tokens as a rule, and its picture). The pages of the sandbox are A4 at 144 dots an inch.
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Mapping
from math import ceil

PATCH = 28
CAP, SMALL_CAP = 4784, 1568
SMALL = ("-4-5", "-4-6")
"""How the ids of models before 4.7 end."""
PAGE = (1190, 1684)
"""Pixels of the picture of a page."""
LARGEST = (8000, 8000)
LEAST_TEXT, MOST_TEXT = 1500, 3000
UNSEEN_PAGES = 3
"""Of a PDF that is named by URL or file id, which the sandbox has not."""

_PAGE = re.compile(rb"/Type\s*/Page\b(?!s)")
_FRAMES = {bytes([marker]) for marker in range(0xC0, 0xD0)} - {b"\xc4", b"\xc8", b"\xcc"}
_STREAM = re.compile(rb"stream\r?\n")
_DATED = re.compile(r"-20\d{6}$")


def tokens(block: Mapping[str, object], model: object) -> int | None:
    """The tokens of a block that is a picture or a PDF; None for any other.

    Args:
        model: Whose cap counts.
    """
    source = block.get("source")
    if block.get("type") not in ("image", "document") or not isinstance(source, Mapping):
        return None
    if source.get("type") not in ("base64", "url", "file"):
        return None
    cap = SMALL_CAP if _DATED.sub("", str(model)).endswith(SMALL) else CAP
    data = _bytes(source)
    if block["type"] == "image":
        return _picture(*_size(data), cap) if data else cap
    text = LEAST_TEXT + int.from_bytes(hashlib.sha256(data).digest()[:2], "big") % (MOST_TEXT - LEAST_TEXT + 1)
    return (_pages(data) if data else UNSEEN_PAGES) * (text + _picture(*PAGE, cap))


def _bytes(source: Mapping[str, object]) -> bytes:
    try:
        return base64.b64decode(str(source.get("data")), validate=True) if source.get("type") == "base64" else b""
    except ValueError:
        return b""


def _picture(width: int, height: int, cap: int) -> int:
    return min(ceil(width / PATCH) * ceil(height / PATCH), cap)


def _size(data: bytes) -> tuple[int, int]:
    """Width and height; those of the largest picture where they cannot be told."""
    if data[1:4] == b"PNG":
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data[:3] == b"GIF":
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if data[:2] == b"\xff\xd8":
        return _of_jpeg(data[2:])
    return _of_webp(data)


def _of_jpeg(segments: bytes) -> tuple[int, int]:
    while len(segments) > len(b"..length....size"):
        marker = segments[1:2]
        if marker == b"\xff":
            segments = segments[1:]
        elif marker in _FRAMES:
            return int.from_bytes(segments[7:9], "big"), int.from_bytes(segments[5:7], "big")
        else:
            segments = segments[2 + int.from_bytes(segments[2:4], "big") :]
    return LARGEST


def _of_webp(data: bytes) -> tuple[int, int]:
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + bits % (1 << 14), 1 + (bits >> 14) % (1 << 14)
    if data[12:16] == b"VP8 ":
        return int.from_bytes(data[26:28], "little") % (1 << 14), int.from_bytes(data[28:30], "little") % (1 << 14)
    return LARGEST


def _pages(data: bytes) -> int:
    """Page objects, in the open and in whatever is deflated."""
    count = len(_PAGE.findall(data))
    for piece in _STREAM.split(data)[1:]:
        try:
            count += len(_PAGE.findall(zlib.decompressobj().decompress(piece, 1 << 24)))
        except zlib.error:
            continue
    return max(count, 1)
