"""Whether the bytes of a picture or a document are what the request says they are.

Source: docs "Vision" (JPEG, PNG, GIF and WebP; the bytes must agree with `media_type`) and "PDF support"; the magic
numbers of the formats themselves.
"""

import binascii
import re
from typing import Final

_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]*+={0,2}\s*+\Z")
_DATA_URL: Final = re.compile(r"data:[^,]{0,200},", re.IGNORECASE)
_PLACE: Final = re.compile(r"https?://|file:|[./~\\]|[^\s]{1,200}\.(?:png|jpe?g|gif|webp|pdf)\Z", re.IGNORECASE)
_HEAD: Final = 2_048
"""Characters of base64 that are decoded: enough for every magic number, the late ones of a PDF included."""
_PDF_WITHIN: Final = 1_024
_MAGIC: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_SECURE: Final = re.compile(r"https?://[^\s/]+", re.IGNORECASE)


def wrong_data(data: str, media_type: str) -> str:
    """Say what is wrong with a file in base64; nothing where it is one of its kind.

    Args:
        data: As the request has it.
        media_type: What the request says that it is.
    """
    if not data.strip():
        return "is empty; put the file's bytes here, in base64"
    if not _is_base64(data):
        return _instead_of_base64(data)
    head = binascii.a2b_base64("".join(data[: _HEAD * 2].split())[:_HEAD])
    found = kind_of(head)
    if found == media_type:
        return ""
    if found:
        return f"is {found} by its first bytes, and media_type says {media_type}; say {found}"
    return f"is not {media_type} by its first bytes; send the file as it is, or say what it is"


def _instead_of_base64(data: str) -> str:
    if _DATA_URL.match(data):
        return "begins like a data: URL; leave that out up to the comma, and send the base64 behind it alone"
    if _PLACE.match(data):
        return "is the place of a file, not the file; put its bytes here, in base64"
    return "is not base64 (A-Z, a-z, 0-9, + and /, filled up with = to a multiple of four)"


def kind_of(head: bytes) -> str:
    """Tell the media type of a file by its first bytes; nothing where it is none that the API takes."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if found := next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), ""):
        return found
    return "application/pdf" if b"%PDF-" in head[:_PDF_WITHIN] else ""


def wrong_url(url: str) -> str:
    """Say what is wrong with the address of a file; nothing where the API could fetch it."""
    if _SECURE.match(url):
        return ""
    if _DATA_URL.match(url):
        return 'is a data: URL; use {"type": "base64", "media_type": "…", "data": "…"} for a file that goes along'
    return "must begin with https://, where the API can fetch it"


def _is_base64(data: str) -> bool:
    if not _BASE64.match(data):
        return False
    length = len(data) if not any(each in data for each in "\n\r\t ") else len("".join(data.split()))
    return length % 4 == 0
