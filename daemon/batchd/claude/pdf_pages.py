"""How many pages a PDF has, from its bytes alone: nothing in it is run, rendered or followed.

Source: ISO 32000-1, 7.5.7 (object streams) and 7.7.3 (the page tree: each page is an object of `/Type /Page`, and the
nodes above them tell in `/Count` how many there are). Both are read, and the larger one counts: old revisions and
lies make it too many rather than too few.
"""

import re
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

_PAGE: Final = re.compile(rb"/Type\s{0,9}/Page(?![A-Za-z])")
_TREE: Final = re.compile(rb"/Type\s{0,9}/Pages(?![A-Za-z])")
_COUNT: Final = re.compile(rb"/Count\s{1,9}(\d{1,9})(?!\d)")
_OBJECT: Final = re.compile(rb"(\d{1,10})\s{1,9}\d{1,5}\s{1,9}\Z")
"""What stands before `obj`."""
_LONGEST_OBJECT: Final = 33
_PACKED: Final = re.compile(rb"/Type\s{0,9}/ObjStm(?![A-Za-z])")
_STREAM: Final = re.compile(rb"stream\r?\n")
_FIRST: Final = re.compile(rb"/First\s{1,9}(\d{1,9})")
_NUMBER: Final = re.compile(rb"\d{1,10}")
_ENCRYPT: Final = re.compile(rb"/Encrypt\s{0,9}(?:\d{1,10}\s{1,9}\d{1,5}\s{1,9}R|<<)")
_BRACKET: Final = re.compile(rb"<<|>>")

_MOST_UNPACKED: Final = 32_000_000
"""Bytes that the packed objects of one file may have together: behind them nobody looks."""
_MOST_NODES: Final = 1_000
"""Nodes of the page tree, and packed streams, that are looked at."""
_PIECE: Final = 65_536
_NEAR: Final = 4_000
"""Bytes on either side within which a dictionary begins and ends."""
_LEAST_PAGE: Final = 400
"""Bytes that a page takes at the least, for files whose pages cannot be counted."""


def pages(file: bytes, most: int) -> int:
    """Count the pages of a PDF; where that cannot be done, bound them by the size of the file.

    Args:
        file: All of it.
        most: Pages that the API takes.
    """
    found = set(_pages(file, list(_objects(file))))
    told = _told(file)
    try:
        for first, objects in _unpacked(file):
            found.update(_pages(objects, _places(objects, first)))
            told = max(told, _told(objects))
    except zlib.error:
        return min(most, max(len(found), told, len(file) // _LEAST_PAGE + 1))
    return min(most, max(len(found), told) or len(file) // _LEAST_PAGE + 1)


def pages_at_least(file: bytes) -> int:
    """Count the pages that a PDF surely has, of which its current page tree knows.

    What was deleted stays in the file, with the counts of former trees, so the last root's count bounds those that are
    found; and a count bounds nothing that is not there.

    Args:
        file: All of it.
    """
    found = set(_pages(file, list(_objects(file))))
    root = _count_of_root(file)
    with suppress(zlib.error):
        for first, objects in _unpacked(file):
            found.update(_pages(objects, _places(objects, first)))
            root = _count_of_root(objects) or root
    return max(1, min(len(found), root or len(found)))


def encrypted(file: bytes) -> bool:
    """Tell whether a PDF is encrypted: its trailer says so, which is never packed (ISO 32000-1, 7.5.5 and 7.6.1)."""
    return b"/Encrypt" in file and _ENCRYPT.search(file) is not None


def _count_of_root(objects: bytes) -> int:
    """What the root of the page tree counts that was written last; 0 where none says."""
    count = 0
    for node in islice(_typed(objects, _TREE), _MOST_NODES):
        found = _dictionary(objects, node.start())
        told = _COUNT.search(found)
        if told and b"/Parent" not in found:
            count = int(told[1])
    return count


def _places(objects: bytes, first: int) -> list[tuple[int, int]]:
    """Where each packed object begins, and its number."""
    numbers = [int(each[0]) for each in _NUMBER.finditer(objects, 0, first)]
    return sorted((first + at, number) for number, at in zip(numbers[::2], numbers[1::2], strict=False))


def _typed(objects: bytes, kind: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
    """Find the objects of a type, by `find`, which is ten times as fast as a pattern, and so keeps nobody waiting."""
    at = objects.find(b"/Type")
    while at >= 0:
        if found := kind.match(objects, at):
            yield found
        at = objects.find(b"/Type", at + 1)


def _objects(file: bytes) -> Iterator[tuple[int, int]]:
    """Where each object begins that is not packed, and its number."""
    at = file.find(b"obj")
    while at >= 0:
        if found := _OBJECT.search(file[max(at - _LONGEST_OBJECT, 0) : at]):
            yield at, int(found[1])
        at = file.find(b"obj", at + 1)


def _pages(objects: bytes, starts: list[tuple[int, int]]) -> Iterator[int]:
    """Numbers of the objects that are pages; a page that was written again has the number that it had before."""
    for page in _typed(objects, _PAGE):
        place = bisect_right(starts, (page.start(), -1)) - 1
        yield starts[place][1] if place >= 0 else -1 - page.start()


def _told(objects: bytes) -> int:
    """How many pages the largest node of the tree says that there are."""
    nodes = (_dictionary(objects, node.start()) for node in islice(_typed(objects, _TREE), _MOST_NODES))
    return max((int(count[1]) for node in nodes for count in _COUNT.finditer(node)), default=0)


def _dictionary(objects: bytes, at: int) -> bytes:
    """The dictionary that a place is in."""
    begin, end = max(at - _NEAR, 0), at + _NEAR
    depth = 0
    for bracket in reversed(list(_BRACKET.finditer(objects, begin, at))):
        depth += 1 if bracket[0] == b">>" else -1
        if depth < 0:
            begin = bracket.start()
            break
    depth = 0
    for bracket in _BRACKET.finditer(objects, at, end):
        depth += 1 if bracket[0] == b"<<" else -1
        if depth < 0:
            end = bracket.end()
            break
    return objects[begin:end]


def _unpacked(file: bytes) -> Iterator[tuple[int, bytes]]:
    """Each stream of objects, unpacked: where the first of them begins in it, and its bytes.

    Raises:
        zlib.error: It is packed in another way, or there are more than anybody looks at.
    """
    left = _MOST_UNPACKED
    for number, packed in enumerate(_typed(file, _PACKED)):
        first = _FIRST.search(_dictionary(file, packed.start()))
        stream = _STREAM.search(file, packed.start(), packed.start() + _NEAR)
        if first is None or stream is None:
            continue
        objects = _inflated(memoryview(file)[stream.end() :], left)
        left -= len(objects)
        if left <= 0 or number >= _MOST_NODES:
            raise zlib.error("too much to look at")
        yield int(first[1]), objects


def _inflated(packed: memoryview, most: int) -> bytes:
    """Unpack what begins here, a piece at a time: it tells by itself where it ends."""
    unpacker = zlib.decompressobj()
    objects = bytearray()
    for at in range(0, len(packed), _PIECE):
        objects += unpacker.decompress(packed[at : at + _PIECE], max(most - len(objects), 1))
        if unpacker.eof or unpacker.unconsumed_tail:
            break
    return bytes(objects)
