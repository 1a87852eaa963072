"""The script of a test: how single requests are answered, by their `custom_id`; and what was asked so far."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, NamedTuple, TypedDict

import msgspec

from batchd.sandbox.checks import Refusal
from batchd.sandbox.errors import STATUSES
from batchd.sandbox.examiner import NOTHING_CACHED, Finding

_EXPIRED: Final = "expired"
_SUCCEEDED: Final = "succeeded"


class Asked(TypedDict):
    """One request that the sandbox took."""

    custom_id: str | None
    """None of a message by itself."""
    params: dict[str, object]


class Line(NamedTuple):
    """How one request ends."""

    answer: str | None = None
    """Its text; of a forced tool, the input as JSON."""
    error: str | None = None
    """An `error.type` of the API, `expired`, or the message of an invalid request."""


class Script:
    """Who is answered what; safe to call from any thread."""

    def __init__(self) -> None:
        self.named: Callable[[str], str] = str
        """Tells the name by which a test knows a request, of the id that it has on the wire."""
        self._lines: dict[str, deque[Line]] = {}
        self._asked: list[Asked] = []
        self._lock = threading.Lock()

    def add(self, custom_id: str, line: Line) -> None:
        """Let a request end so the next time that it is sent, after what was added for it before."""
        with self._lock:
            self._lines.setdefault(custom_id, deque()).append(line)

    def obeyed(self, custom_id: str, finding: Finding) -> Finding:
        """Let a request that was examined end as the script says: each sending by the next line, then by the last.

        What the API refuses stays refused, whatever answer is written for it.
        """
        line = self._next(self.named(custom_id))
        if line is None:
            return finding
        if line.answer is not None:
            return replace(finding, answer=line.answer) if finding.outcome == _SUCCEEDED else finding
        if line.error == _EXPIRED:
            return replace(finding, outcome=_EXPIRED, refusal=None, cached=NOTHING_CACHED)
        return replace(finding, outcome="errored", refusal=_refusal(line.error or ""), cached=NOTHING_CACHED)

    def note(self, requests: Iterable[tuple[str | None, bytes]]) -> None:
        """Keep what was asked: ids on the wire, and params."""
        decode = msgspec.json.Decoder(dict[str, object]).decode
        found = [
            Asked(custom_id=None if each is None else self.named(each), params=decode(raw)) for each, raw in requests
        ]
        with self._lock:
            self._asked += found

    @property
    def asked(self) -> list[Asked]:
        """All that was taken so far, in the order of its coming."""
        with self._lock:
            return list(self._asked)

    def _next(self, name: str) -> Line | None:
        with self._lock:
            lines = self._lines.get(name)
            if not lines:
                return None
            return lines.popleft() if len(lines) > 1 else lines[0]


def _refusal(error: str) -> Refusal:
    if error in STATUSES:
        return Refusal(error, "The sandbox was told to fail")
    return Refusal("invalid_request_error", error)
