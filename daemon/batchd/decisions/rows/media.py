"""A file that goes along with a prompt: what it is by its bytes, and the block that it becomes.

Sources: docs "Vision" and "PDF support"; the magic numbers of the formats, those that are refused included.
"""

import binascii
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from batchd.claude.media_check import kind_of
from batchd.claude.media_limits import wrong_picture
from batchd.claude.params import Block
from batchd.claude.pictures import pixels
from batchd.decisions.jobfile.attachment import CountPages
from batchd.text.strictjson import Json

MEDIA: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf")
"""How the names of pictures and PDFs end."""
MOST_MEDIUM_BYTES: Final = 23_500_000
"""Of a file: in base64 a larger one fills more than a request of 32 MB."""

_ENDINGS: Final = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "application/pdf": (".pdf",),
}
_MOST_PAGES: Final = 600
"""Beyond which no model reads a PDF."""
_LONGEST_TITLE: Final = 255
_HEIC: Final = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif")
_ZIP: Final = b"PK\x03\x04"
_NO_PICTURE: Final = "which the API does not take; save it as JPEG or PNG"
_REFUSED: Final = {
    b"heic": f"is a HEIC or AVIF picture, {_NO_PICTURE}",
    b"II*\0": f"is a TIFF picture, {_NO_PICTURE}, or as PDF",
    b"MM\0*": f"is a TIFF picture, {_NO_PICTURE}, or as PDF",
    b"bmp": f"is a BMP picture, {_NO_PICTURE}",
    b"<svg": f"is an SVG drawing, {_NO_PICTURE}",
    b"\xd0\xcf\x11\xe0": "is a document of an old office program; save it as PDF, or its text as .md or .txt",
}
"""By how a file begins, or by a word for what is told otherwise."""
_ZIPPED: Final = {
    (".xlsx", ".xlsm", ".ods"): "is a spreadsheet; save it as CSV UTF-8, or drop it with `batchd submit`",
    (".docx", ".odt", ".pptx", ".odp", ".epub"): "is an office document; save it as PDF, or its text as .md or .txt",
}
_ARCHIVE: Final = "is a zip archive; put the files that are in it beside the prompt"
_BOM: Final = "\ufeff"


def of_office(suffix: str) -> str:
    """What to do about a file of an office program, told by the end of its name; nothing for any other."""
    return next((said for endings, said in _ZIPPED.items() if suffix in endings), "")


class Loaded(NamedTuple):
    """A file as it goes along."""

    block: dict[str, Json] | None = None
    """Of a picture or a PDF; None for a text."""
    text: str = ""
    caution: str = ""
    wrong: str = ""
    """Why it cannot go along; then nothing else counts."""


def load(path: str, data: bytes, count_pages: CountPages) -> Loaded:
    """Make of a file what goes along with a prompt.

    Args:
        path: Its path, by which it is told.
        data: All of it.
        count_pages: Reads PDFs.
    """
    if len(data) > MOST_MEDIUM_BYTES:
        said = f"has more than {MOST_MEDIUM_BYTES:,} bytes, for which no request has room"
        return Loaded(wrong=f"{said}; make it smaller, or leave it out")
    kind = kind_of(data[:2_048])
    if said := refused(data[:64], path):
        return Loaded(wrong=said)
    if not kind:
        return _text(path, data)
    found = _pdf(path, data, count_pages) if kind == "application/pdf" else _picture(data, kind)
    return found if found.wrong else found._replace(caution=_of_another_ending(path, kind))


def _pdf(path: str, data: bytes, count_pages: CountPages) -> Loaded:
    pages = count_pages(data, _MOST_PAGES)
    if isinstance(pages, str):
        return Loaded(wrong=pages)
    if pages > _MOST_PAGES:
        return Loaded(wrong=f"has {pages:,} pages; no model reads more than {_MOST_PAGES} at one time; split it up")
    block: Block = {"type": "document", "source": _base64("application/pdf", data), "title": path[-_LONGEST_TITLE:]}
    return Loaded(block)


def _picture(data: bytes, kind: str) -> Loaded:
    source = _base64(kind, data)
    encoded = str(source["data"])
    said = wrong_picture(pixels(encoded), len(encoded))
    return Loaded(wrong=said) if said else Loaded({"type": "image", "source": source})


def refused(head: bytes, path: str) -> str:
    """Say of what is neither text nor taken what it is, and what to save it as; nothing of all else.

    Args:
        head: Its first bytes.
        path: Its path, whose ending tells apart what begins alike.
    """
    ending = PurePosixPath(path).suffix.lower()
    if head.startswith(_ZIP):
        return next((said for endings, said in _ZIPPED.items() if ending in endings), _ARCHIVE)
    brand = b"heic" if head[4:8] == b"ftyp" and head[8:12] in _HEIC else b""
    if ending == ".svg" or head.lstrip().startswith(b"<svg"):
        brand = b"<svg"
    if head.startswith(b"BM") and ending in {".bmp", ".dib"}:
        brand = b"bmp"
    return _REFUSED.get(brand, "") or next((said for magic, said in _REFUSED.items() if head.startswith(magic)), "")


def _text(path: str, data: bytes) -> Loaded:
    try:
        text = data.decode().removeprefix(_BOM)
    except UnicodeDecodeError:
        if path.lower().endswith(MEDIA):
            return Loaded(wrong="is neither a picture nor a PDF by its first bytes; save it again")
        return Loaded(wrong="is not UTF-8; save it as UTF-8, or leave it out")
    if path.lower().endswith(MEDIA):
        return Loaded(wrong="is neither a picture nor a PDF by its first bytes; save it again")
    if "\0" in text:
        return Loaded(wrong="has NUL characters, so it is no text; leave it out")
    return Loaded(text=text)


def _of_another_ending(path: str, kind: str) -> str:
    ending = PurePosixPath(path).suffix.lower()
    if ending in _ENDINGS[kind]:
        return ""
    return f"is {kind} by its bytes, whatever its name says, and is sent as that"


def _base64(kind: str, data: bytes) -> dict[str, Json]:
    return {"type": "base64", "media_type": kind, "data": binascii.b2a_base64(data, newline=False).decode("ascii")}
