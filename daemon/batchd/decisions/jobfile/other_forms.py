"""What a file is that holds no requests of ours, said once and with the way out: results, arrays, others' batch lines.

A file of the wrong form has one mistake, however many lines it has.
"""

import re
from collections.abc import Iterator
from typing import Final

from batchd.claude.params_check import look_at
from batchd.model import Problem
from batchd.text.strictjson import Flaw, Flawed, Json, Malformed, decode, member, shown

_RESULT: Final = frozenset({"result", "verdict", "response", "error"})
_OF_OPENAI: Final = frozenset({"method", "url", "body"})
_MOST_TOLD: Final = 30
_UTF_16: Final = "is UTF-16, as Windows PowerShell writes it with > and Out-File; save it as UTF-8 (-Encoding utf8)"
_UTF_32: Final = "is UTF-32; save it as UTF-8"
_SERIES: Final = re.compile(r"\[\d+\]")

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


class Strays:
    """Lines that are no requests for a reason that they share: each reason is told once, at its first line."""

    def __init__(self) -> None:
        self._openai = OpenAiLines()
        self._badly_encoded: list[int] = []

    def not_utf8(self, line: int) -> None:
        """Note a line in another encoding."""
        self._badly_encoded.append(line)

    def take(self, line: int, value: Json) -> bool:
        """Note a line, if it is another vendor's."""
        return self._openai.take(line, value)

    def problems(self) -> Iterator[Problem]:
        """Tell of them, once all have been seen."""
        if lines := self._badly_encoded:
            more = f" ({len(lines):,} lines, of which this is the first)" if len(lines) > 1 else ""
            yield Problem(lines[0], "", NOT_UTF8 + more)
        if self._openai.first:
            yield Problem(self._openai.first, "body", self._openai.said())


class OpenAiLines:
    """The lines of another vendor's batch file that a file holds; told as one mistake, with all that has to change."""

    def __init__(self) -> None:
        self.first = 0
        """The line on which the first of them stands; 0 while there is none."""
        self._told: dict[Flaw, None] = {}

    def take(self, line: int, value: Json) -> bool:
        """Note a line, if it is one of them."""
        if not isinstance(value, dict) or "params" in value or not _OF_OPENAI & value.keys():
            return False
        self.first = self.first or line
        body = value.get("body")
        for key, inner in body.items() if isinstance(body, dict) else ():
            for flaw in self._of(key, inner):
                if len(self._told) < _MOST_TOLD:
                    self._told.setdefault(flaw)
        return True

    def _of(self, key: str, value: Json) -> Iterator[Flaw]:
        place = f"body.{member('', key)}"
        if key == "model":
            if isinstance(value, str) and not value.startswith("claude"):
                yield Flaw(place, f"{shown(value)} is no model of this API; name one of Claude's")
        elif key in {"temperature", "top_p"}:
            yield Flaw(place, "leave it out, unless the model is one of 4.6 or before")
        elif key == "messages" and isinstance(value, list):
            if any(isinstance(each, dict) and each.get("role") in {"system", "developer"} for each in value):
                yield Flaw(place, "put the text of its system message into system, beside messages")
            yield from self._shape(key, value)
        else:
            yield from self._shape(key, value)

    def _shape(self, key: str, value: Json) -> Iterator[Flaw]:
        flaws = look_at(key, value, ((None, "body"), key)).flaws
        yield from (Flaw(_SERIES.sub("[…]", flaw.field), flaw.message) for flaw in flaws)

    def said(self) -> str:
        """The mistake, and everything that has to change."""
        form = '{"custom_id": …, "params": {…}}'
        say = f"a line of another vendor's batch file; here a line is {form}: rename body to params"
        changes = "; ".join(f"{flaw.field}: {flaw.message}" for flaw in self._told)
        return f"{say}, leave out method and url" + (f". Then: {changes}" if changes else "")
