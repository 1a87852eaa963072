"""Server-sent events, read leniently: from the lines of a body to values, and a count of what could not be read.

The form is that of the HTML standard (server-sent events): fields, a blank line behind each event, several `data:`
lines joined. Servers that speak this API through `base_url` bend it: bare JSON lines, no blank lines, raw line ends
inside a string, bytes that are no UTF-8.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

_BOM: Final = b"\xef\xbb\xbf"
_FIELD: Final = re.compile(rb"([A-Za-z][A-Za-z0-9_-]{0,39})(?::|$)")
_WITHOUT_TEXT: Final = frozenset({"ping", "message_stop"})
_PING: Final = re.compile(rb'"type"\s*:\s*"ping"|\A(?:data:)?\s*\{\s*\}\Z')
_LONGEST_PING: Final = 256
"""Bytes of a line that may still turn out to be one."""


@dataclass(slots=True)
class Unreadable:
    """Something came that nobody could read: there may have been text in it."""


Event = dict[str, object] | Unreadable


def read_events(lines: Iterable[bytes]) -> Iterator[Event]:
    r"""Read the events of a stream, whatever state it is in. Nothing is raised, and nothing is left out in silence.

    Args:
        lines: Of the body, as they end with `\n`; the last one may be half of one, and is left out if it is.
    """
    pending = _Pending()
    raw = b""
    for raw in lines:
        for line in raw.removeprefix(_BOM).removesuffix(b"\n").removesuffix(b"\r").split(b"\r"):
            if line:
                pending.add(line)
            else:
                yield from pending.take()
    yield from pending.take(half=not raw.endswith((b"\n", b"\r")))


@dataclass(slots=True)
class _Pending:
    """The lines of one event, until it ends."""

    name: str = ""
    data: list[bytes] = field(default_factory=list)

    def add(self, line: bytes) -> None:
        found = _FIELD.match(line)
        if line.startswith(b":"):
            return
        if found is None:
            self.data.append(line)  # the rest of a string with a raw line end in it, or JSON without a field
        elif found[1] == b"data":
            self.data.append(line[found.end() :].removeprefix(b" "))
        elif found[1] == b"event":
            self.name = line[found.end() :].strip().decode("utf-8", "replace")

    def take(self, *, half: bool = False) -> Iterator[Event]:
        """Read what is there, and begin anew."""
        name, data = self.name, self.data
        self.name, self.data = "", []
        if not data:
            return
        for joined in (b"\n".join(data), b"".join(data)):
            if (found := _decoded(joined)) is not _NOTHING:
                yield from _events_of(found, name)
                return
        for number, line in enumerate(data, 1):  # a server that puts no blank line between its events
            found = _decoded(line)
            if found is not _NOTHING:
                yield from _events_of(found, name if len(data) == 1 else "")
            elif line.strip() not in {b"", b"[DONE]"} and name not in _WITHOUT_TEXT:
                if not (half and number == len(data)):
                    yield Unreadable()
            elif line.strip() == b"[DONE]" or name == "message_stop":
                yield {"type": "message_stop"}


_NOTHING: Final = object()


def _events_of(found: object, name: str) -> Iterator[Event]:
    match found:
        case dict():
            yield found if isinstance(found.get("type"), str) else {**found, "type": name}
        case list():
            for each in found:
                yield from _events_of(each, name)
        case str() if found.strip() and found != "[DONE]":
            yield Unreadable()


def _decoded(raw: bytes) -> object:
    """Read JSON; raw line ends in strings, halves of characters and bytes that are no UTF-8 are let through."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        found: object = json.loads(raw.decode("utf-8", "surrogateescape"), strict=False)
    except (ValueError, RecursionError):
        return _NOTHING
    return found


class Liveness:
    """Tells, piece by piece, whether a stream says anything but that it is still there."""

    def __init__(self) -> None:
        self._line = b""

    def heard(self, piece: bytes) -> bool:
        """Take in what has come, and say whether there is more in it than pings, comments and names of events."""
        *lines, last = (self._line + piece).split(b"\n")
        self._line = last[: _LONGEST_PING + 1]
        return any(map(_says_something, lines)) or (len(last) > _LONGEST_PING and _says_something(last))


def _says_something(line: bytes) -> bool:
    line = line.strip()
    silent = not line or line.startswith((b":", b"event:", b"id:", b"retry:"))
    return not silent and not (len(line) <= _LONGEST_PING and _PING.search(line))
