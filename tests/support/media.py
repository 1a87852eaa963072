"""Pictures and PDFs made from nothing: as small as they can be, and as their formats want them."""

import base64
import hashlib
import random
import struct
import zlib
from collections.abc import Callable


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ .-:"
_DOTS = (
    "75557 26222 71747 71717 55711 74717 74757 71111 75757 75717 25755 65656 34443 65556 74647 74644 34553 55755 72227 "
    "11152 55655 44447 57755 65555 25552 65644 25563 65655 34216 72222 55557 55552 55775 55255 55222 71247 00000 00002 "
    "00700 02020"
)
_GLYPHS = dict(zip(_LETTERS, _DOTS.split(), strict=True))
"""Letters of three by five dots: a row each, of three bits."""


def scan(lines: list[str], scale: int = 4) -> bytes:
    """A page with these lines on it, in capitals, as a scanner would see it: a PNG that can be read."""
    width, height = 4 * max(map(len, lines)) + 8, 8 * len(lines) + 8
    page = [bytearray(b"\xff" * width) for _ in range(height)]
    for row, line in enumerate(lines):
        for column, char in enumerate(line.upper()):
            for y, bits in enumerate(_GLYPHS.get(char, "00000")[-5:]):
                for x in range(3):
                    if int(bits) >> (2 - x) & 1:
                        page[4 + 8 * row + y][4 + 4 * column + x] = 0
    rows = [b"\0" + bytes(dot for dot in line for _ in range(scale)) for line in page for _ in range(scale)]
    header = struct.pack(">IIBBBBB", width * scale, height * scale, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


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


_PAD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")


def plain_pdf(objects: dict[int, bytes], trailer: bytes = b"/Root 1 0 R") -> bytes:
    """Of objects as they are, with a table of where they are."""
    out, places = b"%PDF-1.7\n", {}
    for number, content in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table, size = len(out), max(objects) + 1
    rows = b"".join(b"%010d 00000 n \n" % places.get(number, 0) for number in range(1, size))
    out += b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, rows)
    return out + b"trailer\n<<%b/Size %d>>\nstartxref\n%d\n%%%%EOF\n" % (trailer, size, table)


_ONE_PAGE = {
    1: b"<</Type/Catalog/Pages 2 0 R>>",
    2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
    3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>",
}


def locked_pdf(user: bytes = b"", owner: bytes = b"owner") -> bytes:
    """Encrypted by the oldest of the standard's ways (ISO 32000-1, 7.6.3); without a user's password it opens."""
    name = bytes(16)
    told = _rc4(hashlib.md5((owner + _PAD)[:32], usedforsecurity=False).digest()[:5], (user + _PAD)[:32])
    seed = (user + _PAD)[:32] + told + struct.pack("<i", -4) + name
    key = hashlib.md5(seed, usedforsecurity=False).digest()[:5]
    lock = b"<</Filter/Standard/V 1/R 2/O<%b>/U<%b>/P -4>>" % (told.hex().encode(), _rc4(key, _PAD).hex().encode())
    trailer = b"/Root 1 0 R/Encrypt 4 0 R/ID[<%b><%b>]" % (name.hex().encode(), name.hex().encode())
    return plain_pdf({**_ONE_PAGE, 4: lock}, trailer)


def _rc4(key: bytes, data: bytes) -> bytes:
    box, j = list(range(256)), 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) % 256
        box[i], box[j] = box[j], box[i]
    out, i, j = bytearray(), 0, 0
    for each in data:
        i = (i + 1) % 256
        j = (j + box[i]) % 256
        box[i], box[j] = box[j], box[i]
        out.append(each ^ box[(box[i] + box[j]) % 256])
    return bytes(out)


CYCLIC_PDFS = {
    "a tree that is its own child": plain_pdf({**_ONE_PAGE, 2: b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 3>>"}),
    "two nodes that are each other's": plain_pdf(
        {**_ONE_PAGE, 2: b"<</Type/Pages/Kids[3 0 R]/Count 5>>", 3: b"<</Type/Pages/Parent 2 0 R/Kids[2 0 R]/Count 5>>"}
    ),
    "a page, and the tree again": plain_pdf({**_ONE_PAGE, 2: b"<</Type/Pages/Kids[3 0 R 2 0 R]/Count 50>>"}),
}


def bomb_pdf(operators: int = 50_000_000) -> bytes:
    """Of a page whose content is small, and unpacks to so many drawings."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"0 0 m " * 100_000) for _ in range(operators // 100_000)) + packer.flush()
    stream = b"<</Length %d/Filter/FlateDecode>>\nstream\n%b\nendstream" % (len(packed), packed)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>"
    return plain_pdf({**_ONE_PAGE, 3: page, 4: stream})


def base64_source(kind: str, data: bytes) -> dict[str, str]:
    return {"type": "base64", "media_type": kind, "data": base64.b64encode(data).decode()}
