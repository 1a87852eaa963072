"""What pictures and PDFs weigh, in tokens: by the published formula, worked out from the whole of each file.

Source: docs "vision" (a token for each patch of 28 by 28 pixels, to the model's cap) and "PDF support" (of each page
its text, 1,500 to 3,000 tokens as a rule, and its picture). The pages of the sandbox are A4 at 144 dots an inch.
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from math import ceil
from typing import Any

PATCH = 28
CAP, SMALL_CAP = 4784, 1568
SMALL = ("-4-5", "-4-6")
"""How the ids of models before 4.7 end."""
PAGE = (1190, 1684)
"""Pixels of the picture of a page."""
NOBODY_KNOWS = (0, 0)
LEAST_TEXT, MOST_TEXT = 1500, 3000
UNSEEN_PAGES = 3
"""Of a PDF that is named by URL or file id, which the sandbox has not."""

_PAGE = re.compile(rb"/Type\s*/Page\b(?!s)")
_FRAMES = {bytes([marker]) for marker in range(0xC0, 0xD0)} - {b"\xc4", b"\xc8", b"\xcc"}
_STREAM = re.compile(rb"stream\r?\n")
_OBJECT = re.compile(rb"(\d{1,10})\s+\d{1,5}\s+obj\b(.*?)endobj", re.DOTALL)
_ROOT = re.compile(rb"/Root\s+(\d{1,10})\s")
_TREE = re.compile(rb"/Pages\s+(\d{1,10})\s")
_COUNT = re.compile(rb"/Count\s+(\d{1,9})\b")
_FIRST = re.compile(rb"/First\s+(\d{1,9})\b")
MOST_UNPACKED = 1 << 25
"""Bytes of one stream of objects."""
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
    data = decoded(source)
    if block["type"] == "image":
        size = sides(data)
        return _picture(*size, cap) if size else cap
    text = LEAST_TEXT + int.from_bytes(hashlib.sha256(data).digest()[:2], "big") % (MOST_TEXT - LEAST_TEXT + 1)
    return (_pages(data) if data else UNSEEN_PAGES) * (text + _picture(*PAGE, cap))


def files(content: object) -> Iterator[Mapping[str, Any]]:
    """The pictures and PDFs of a turn, however deep in the results of tools and documents of several parts."""
    for block in content if isinstance(content, list) else ():
        if not isinstance(block, Mapping):
            continue
        source = block.get("source")
        if block.get("type") in ("image", "document") and isinstance(source, Mapping):
            if source.get("type") in ("base64", "url", "file"):
                yield block
            else:
                yield from files(source.get("content"))
        elif block.get("type") == "tool_result":
            yield from files(block.get("content"))


def decoded(source: Mapping[str, object]) -> bytes:
    """The bytes of a file; none where it is named by URL or file id, or is no base64."""
    try:
        return base64.b64decode("".join(str(source["data"]).split())) if source.get("type") == "base64" else b""
    except ValueError:
        return b""


def sides(data: bytes) -> tuple[int, int] | None:
    """Width and height of a picture; None where they cannot be told."""
    if data[1:4] == b"PNG":
        size = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    elif data[:3] == b"GIF":
        size = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    elif data[:2] == b"\xff\xd8":
        size = _of_jpeg(data[2:])
    else:
        size = _of_webp(data)
    return size if all(size) else None


def least_pages(source: Mapping[str, object]) -> int:
    """The pages that a PDF surely has: of those that are in it, as many as its page tree counts."""
    data = decoded(source)
    objects = _objects(data)
    found = sum(_PAGE.search(each) is not None for each in objects.values())
    counted = found
    for root in _ROOT.findall(data)[-1:]:
        catalog = objects.get(int(root), b"")
        tree = objects.get(int(number[1]), b"") if (number := _TREE.search(catalog)) else b""
        counted = int(count[1]) if (count := _COUNT.search(tree)) else found
    return max(1, min(found, counted))


def _objects(data: bytes) -> dict[int, bytes]:
    """The objects of a PDF by their numbers, without their streams; of several versions the last."""
    objects: dict[int, bytes] = {}
    for number, body in _OBJECT.findall(data):
        head, _, stream = body.partition(b"stream")
        objects[int(number)] = head
        first = _FIRST.search(head)
        if b"/ObjStm" in head and first:
            with suppress(zlib.error):
                unpacked = zlib.decompressobj().decompress(stream.lstrip(b"\r\n"), MOST_UNPACKED)
                names = [int(each) for each in unpacked[: int(first[1])].split() if each.isdigit()]
                places = [int(first[1]) + place for place in names[1::2]]
                for name, begin, end in zip(names[::2], places, [*places[1:], len(unpacked)], strict=False):
                    objects[name] = unpacked[begin:end]
    return objects


def _picture(width: int, height: int, cap: int) -> int:
    return min(ceil(width / PATCH) * ceil(height / PATCH), cap)


def _of_jpeg(segments: bytes) -> tuple[int, int]:
    while len(segments) > len(b"..length....size"):
        marker = segments[1:2]
        if marker == b"\xff":
            segments = segments[1:]
        elif marker in _FRAMES:
            return int.from_bytes(segments[7:9], "big"), int.from_bytes(segments[5:7], "big")
        else:
            segments = segments[2 + int.from_bytes(segments[2:4], "big") :]
    return NOBODY_KNOWS


def _of_webp(data: bytes) -> tuple[int, int]:
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + bits % (1 << 14), 1 + (bits >> 14) % (1 << 14)
    if data[12:16] == b"VP8 ":
        return int.from_bytes(data[26:28], "little") % (1 << 14), int.from_bytes(data[28:30], "little") % (1 << 14)
    return NOBODY_KNOWS


def _pages(data: bytes) -> int:
    """Page objects, in the open and in whatever is deflated."""
    count = len(_PAGE.findall(data))
    for piece in _STREAM.split(data)[1:]:
        try:
            count += len(_PAGE.findall(zlib.decompressobj().decompress(piece, 1 << 24)))
        except zlib.error:
            continue
    return max(count, 1)
