"""How many tokens a picture has: by its pixels, which the first bytes of its file tell.

Sources: docs "Vision" (a token for each patch of 28 by 28 pixels, up to a cap that belongs to the model) and the four
formats that it takes: PNG (W3C, IHDR), GIF89a (logical screen), JPEG (ITU T.81, frame headers), WebP (RFC 9649).
"""

import binascii
import struct
from dataclasses import dataclass
from typing import Final

PATCH: Final = 28
"""Pixels along each side of what costs a token."""

_LONGEST_WALK: Final = 1_000
"""Segments of a JPEG that are looked at: behind so many nobody has put a frame yet."""
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers behind which a JPEG tells its size (T.81, table B.1)."""
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a length."""


@dataclass(frozen=True, slots=True)
class Base64:
    """Bytes that are decoded where they are asked for: of ten million, thirty tell the size of a picture."""

    text: str

    def read(self, start: int, size: int) -> bytes:
        """Decode some of them; fewer where they end before.

        Raises:
            ValueError: It is no base64 there.
        """
        first, last = start // 3, -(-(start + size) // 3)
        piece = binascii.a2b_base64(self.text[first * 4 : last * 4].encode("ascii"))
        return piece[start - first * 3 : start - first * 3 + size]


def picture_tokens(data: str, most: int) -> int:
    """Count the tokens of a picture.

    Args:
        data: Its file, in base64.
        most: The cap of its model, which also stands for a picture that does not tell its size.
    """
    size = pixels(data)
    return most if size is None else patches(*size, most)


def patches(width: int, height: int, most: int) -> int:
    """Count the tokens of so many pixels."""
    return min(-(-width // PATCH) * -(-height // PATCH), most)


def pixels(data: str) -> tuple[int, int] | None:
    """Read width and height from a picture in base64; None where they cannot be read, or nothing can be seen."""
    if any(blank in data for blank in "\n\r\t "):  # as encoders break lines; the places of bytes are reckoned without
        data = "".join(data.split())
    try:
        width, height = _pixels(Base64(data))
    except (ValueError, struct.error):
        return None
    return (width, height) if width and height else None


def _pixels(file: Base64) -> tuple[int, int]:
    head = file.read(0, 30)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _two(">II", head, 16)
    if head.startswith((b"GIF87a", b"GIF89a")):
        return _two("<HH", head, 6)
    if head.startswith(b"\xff\xd8"):
        return _jpeg(file)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp(head)
    raise ValueError("no picture that is known here")


def _jpeg(file: Base64) -> tuple[int, int]:
    at = 2
    for _ in range(_LONGEST_WALK):
        found, marker, length = struct.unpack(">BBH", file.read(at, 4))
        if found != 0xFF:  # noqa: PLR2004  begins a marker
            break
        if marker == 0xFF:  # noqa: PLR2004  padding
            at += 1
        elif marker in _BARE:
            at += 2
        elif marker in _FRAMES:
            height, width = _two(">HH", file.read(at + 5, 4), 0)
            return width, height
        else:
            at += 2 + length
    raise ValueError("a JPEG without a frame")


def _webp(head: bytes) -> tuple[int, int]:
    match head[12:16]:
        case b"VP8 " if head[23:26] == b"\x9d\x01\x2a":
            width, height = _two("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L" if head[20:21] == b"\x2f":
            (bits,) = struct.unpack_from("<I", head, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    raise ValueError("a WebP of no known kind")


def _two(form: str, data: bytes, at: int) -> tuple[int, int]:
    first, second = struct.unpack_from(form, data, at)
    return int(first), int(second)
