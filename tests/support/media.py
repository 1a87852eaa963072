"""Pictures and PDFs made from nothing: as small as they can be, and as their formats want them."""

import base64
import random
import struct
import zlib
from collections.abc import Callable


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"\x3b"


def jpeg(width: int, height: int, *, before: int = 0, progressive: bool = False) -> bytes:
    """With so many bytes of what a camera writes in front."""
    camera = b"".join(
        b"\xff\xe1" + struct.pack(">H", size + 2) + b"\xff\xc0" * (size // 2) + b"\0" * (size % 2)
        for size in [60_000] * (before // 60_000) + [before % 60_000]
    )
    frame = struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    tables = b"\xff\xc4" + struct.pack(">H", 20) + bytes(18)
    return b"\xff\xd8" + camera + tables + b"\xff\xff" + (b"\xc2" if progressive else b"\xc0") + frame + b"\xff\xd9"


def webp(width: int, height: int, kind: str) -> bytes:
    match kind:
        case "VP8 ":
            body = b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height)
        case "VP8L":
            body = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14)
        case _:
            body = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = kind.encode() + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


PICTURES: dict[str, Callable[[int, int], bytes]] = {
    "image/png": png,
    "image/gif": gif,
    "image/jpeg": jpeg,
    "image/webp": lambda width, height: webp(width, height, "VP8X"),
}


def pdf(pages: int, *, packed: bool, draw: random.Random) -> bytes:
    """With a page tree of several levels, bookmarks, text on each page, and all of it packed or nothing."""
    groups = [list(range(at, min(at + 7, pages))) for at in range(0, pages, 7)]
    node, page, text = 3, 3 + len(groups), 3 + len(groups) + pages
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R/Outlines<</Type/Outlines/Count 999>>>>",
        2: b"<</Type/Pages/Kids[%b]/Count %d>>"
        % (b" ".join(b"%d 0 R" % (node + n) for n in range(len(groups))), pages),
    }
    for number, group in enumerate(groups):
        kids = b" ".join(b"%d 0 R" % (page + each) for each in group)
        objects[node + number] = b"<< /Type /Pages /Parent 2 0 R /Kids [%b] /Count %d >>" % (kids, len(group))
        for each in group:
            objects[page + each] = b"<</Parent %d 0 R/Type/Page/MediaBox[0 0 595 842]/Contents %d 0 R>>" % (
                node + number,
                text + each,
            )
    streams = {text + n: bytes(draw.choices(b"abcdefgh ", k=draw.randrange(20, 400))) for n in range(pages)}
    out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
    if packed:
        names = sorted(objects)
        offsets, at = [], 0
        for name in names:
            offsets.append(b"%d %d" % (name, at))
            at += len(objects[name]) + 1
        head = b" ".join(offsets) + b" "
        body = zlib.compress(head + b"\n".join(objects[name] for name in names))
        out += (
            b"%d 0 obj\n<</Type/ObjStm/N %d/First %d/Filter/FlateDecode/Length %d>>\nstream\r\n%b\nendstream endobj\n"
            % (
                text + pages,
                len(names),
                len(head),
                len(body),
                body,
            )
        )
    else:
        out += b"".join(b"%d 0 obj\n%b\nendobj\n" % each for each in objects.items())
    for name, content in streams.items():
        out += b"%d 0 obj\n<</Length %d>>\nstream\n%b\nendstream\nendobj\n" % (name, len(content), content)
    return out + b"trailer\n<</Root 1 0 R>>\n%%EOF\n"


def base64_source(kind: str, data: bytes) -> dict[str, str]:
    return {"type": "base64", "media_type": kind, "data": base64.b64encode(data).decode()}
