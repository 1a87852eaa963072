"""What can go wrong between a caller and the API, as data: which route, what, how often.

`mischief.py` does it. A fault that takes effect lets the call do its work first, and spoils only the answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

ROUTES = ("message", "create", "retrieve", "list", "results", "cancel", "delete", "models", "model", "count_tokens")
"""The names of the API's routes."""

_ANY = frozenset(ROUTES)
_BATCH = frozenset({"create", "retrieve", "list", "cancel"})
_RESULTS = frozenset({"results"})
_SHORT = _ANY - _RESULTS
_MESSAGE = frozenset({"message"})
_LONG = _RESULTS | _MESSAGE


class Kind(NamedTuple):
    """What a kind of fault does, and where it can."""

    does: str
    routes: frozenset[str] = _ANY


KINDS: Mapping[str, Kind] = {
    "status": Kind("answers `status`, with `retry_after`; the call has its effect first if `lands`"),
    "html": Kind("answers `status` with an HTML page, as a CDN does"),
    "detail": Kind('answers `status` with `{"detail": …}`, as a gateway does'),
    "spend_cap": Kind("429 without retry-after: the tier's spend cap is reached"),
    "spend_limit": Kind("400: the organization's own spend limit is reached"),
    "close": Kind("closes the connection before reading the body"),
    "close_late": Kind("closes the connection once the body was read, without effect"),
    "reset": Kind("has its effect, then resets the connection without an answer"),
    "silence": Kind("says nothing for `seconds`, then closes; has its effect before if `lands`"),
    "half": Kind("has its effect, then breaks off in the middle of the answer", _SHORT),
    "garbled": Kind("has its effect, and answers 200 with what is not JSON", _SHORT),
    "unlisted": Kind("creates, but lists show it only `seconds` later", frozenset({"create"})),
    "foreign_url": Kind("`results_url` is of another origin", _BATCH),
    "relative_url": Kind("`results_url` is relative", _BATCH),
    "absent_url": Kind("`results_url` is left out", _BATCH),
    "sparse": Kind("fields that are null are left out", _BATCH),
    "cut": Kind("breaks off after `at` bytes of the answer", _LONG),
    "slow": Kind("waits `seconds` before each piece of the answer", _LONG),
    "error_event": Kind("an `error` event of `status` ends the stream after `at` bytes of it", _MESSAGE),
    "unfinished": Kind("the stream ends after `at` bytes of it as if that were all", _MESSAGE),
    "blank_lines": Kind("a blank line after each line", _RESULTS),
    "crlf": Kind("lines end with CRLF", _RESULTS),
    "missing": Kind("the line number `at`, from 0, is missing", _RESULTS),
    "duplicate": Kind("the line number `at` comes twice", _RESULTS),
    "foreign": Kind("a line with a foreign custom_id comes before line number `at`", _RESULTS),
    "foreign_all": Kind("every line has a foreign custom_id", _RESULTS),
    "malformed": Kind("the line number `at` is not JSON", _RESULTS),
    "unknown_type": Kind("the line number `at` has a result of an unknown type", _RESULTS),
    "flat_errors": Kind("errors are nested once only", _RESULTS),
}
"""Every kind of fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong in the next calls of a route."""

    route: str
    """One of `ROUTES`."""
    kind: str
    """One of `KINDS`."""
    times: int = 1
    """In how many calls."""
    after: int = 0
    """How many calls of the route go well before."""
    status: int = 500
    retry_after: float | None = None
    """Seconds, in the header of that name."""
    at: int = 0
    """Bytes, or number of a line."""
    seconds: float = 0.0
    lands: bool = False
    """Whether the call has its effect although the caller is not told."""

    def __post_init__(self) -> None:
        if self.route not in ROUTES:
            raise ValueError(f"route: {self.route!r} is none of {', '.join(ROUTES)}")
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is none of {', '.join(KINDS)}")
        if self.route not in KINDS[self.kind].routes:
            raise ValueError(f"kind: {self.kind!r} cannot happen in {self.route!r}")


class Faults:
    """The faults that are still to come."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        """Begin with some.

        Args:
            faults: In the order in which they happen, route by route.
        """
        self._left: list[list[int]] = []
        self._faults: list[Fault] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Let this go wrong, once what is already planned for its route has.

        Args:
            fault: What.
        """
        self._faults.append(fault)
        self._left.append([fault.after, fault.times])

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._faults.clear()
        self._left.clear()

    def pending(self) -> list[Fault]:
        """What is still to go wrong, as it was planned."""
        return [fault for fault, (_, times) in zip(self._faults, self._left, strict=True) if times > 0]

    def take(self, route: str) -> Fault | None:
        """What goes wrong in this call, if anything.

        Args:
            route: The call's.
        """
        for fault, left in zip(self._faults, self._left, strict=True):
            if fault.route != route or left[1] <= 0:
                continue
            if left[0] > 0:
                left[0] -= 1
                return None
            left[1] -= 1
            return fault
        return None
