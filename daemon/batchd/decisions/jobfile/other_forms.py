"""What a file is that holds no requests of ours, said once and with the way out: results, arrays, others' batch lines.

A file of the wrong form has one mistake, however many lines it has.
"""

from collections.abc import Iterator
from typing import Final

from batchd.model import Problem
from batchd.text.strictjson import Flawed, Json, Malformed, decode

_RESULT: Final = frozenset({"result", "verdict", "response", "error"})
_UTF_16: Final = "is UTF-16, as Windows PowerShell writes it with > and Out-File; save it as UTF-8 (-Encoding utf8)"
_UTF_32: Final = "is UTF-32; save it as UTF-8"

HEAD: Final = 64
"""Bytes from the beginning that tell an encoding."""

NOT_UTF8: Final = "not UTF-8; save the file as UTF-8"


def encoding(head: bytes) -> str:
    """Say what encoding the first bytes are in, where it is not the right one; nothing where it may be."""
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return f"this file {_UTF_32}"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return f"this file {_UTF_16}"
    # Without a mark: every second byte of plain letters is nothing, and JSON begins with plain letters.
    pairs = len(head) // 2
    if pairs > 1 and (head[1::2].count(0) == pairs) is not (head[::2].count(0) >= pairs):
        return f"this file {_UTF_16}"
    return ""


def form_of_lines(first: str, second: str) -> str:
    """Say what a file is whose first line is no whole value, where it is another form of JSON; nothing otherwise.

    Args:
        first: Its first line that is not blank.
        second: The one behind it; empty where there is none.
    """
    bare = first.strip()
    if not bare.startswith(("[", "{")) or not _goes_on(bare):
        return ""
    if second.strip() and _whole(second.strip().rstrip(",")) and bare.startswith("{"):
        return ""  # lines, the first of which is cut
    kind = "array" if bare.startswith("[") else "object"
    return f"this is a JSON {kind} over several lines; save it as a .json file, or write each request on one line"


def _whole(line: str) -> bool:
    try:
        _, end = decode(line)
    except Malformed:
        return False
    except Flawed:
        return True
    return end == len(line)


def _goes_on(line: str) -> bool:
    """Whether nothing is wrong with it but that it ends too early, outside of any text."""
    try:
        decode(line)
    except Malformed as error:
        return error.position >= len(line)
    except Flawed:
        pass
    return False


def results(value: Json) -> str:
    """Say that a line comes from an outbox; nothing where it is a request."""
    if not isinstance(value, dict) or value.keys() & {"params", "body"} or "custom_id" not in value:
        return ""
    found = sorted(value.keys() & _RESULT)
    if not found:
        return ""
    said = f"these are results ({found[0]}), not requests; to have those again that failed"
    return f"{said}, drop failures.jsonl of the job's folder in the outbox"


class BadlyEncoded:
    """Lines in another encoding, which are told once, at the first of them."""

    def __init__(self) -> None:
        self._lines: list[int] = []

    def add(self, line: int) -> None:
        """Note a line."""
        self._lines.append(line)

    def problems(self) -> Iterator[Problem]:
        """Tell of them, once all have been seen."""
        if lines := self._lines:
            more = f" ({len(lines):,} lines, of which this is the first)" if len(lines) > 1 else ""
            yield Problem(lines[0], "", NOT_UTF8 + more)
