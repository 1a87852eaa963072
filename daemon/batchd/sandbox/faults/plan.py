"""What can go wrong between a caller and the API, as data: which route, what, how often, from when until when.

`injection.py` makes it happen. A fault that lands lets the call do its work first, and spoils only the answer. A fault
with `times=None` is a state of the world: it holds for every call while it lasts, on top of whatever else goes wrong,
until it is cleared or ends by itself. Any other fault happens in so many calls, in the order in which it was added.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from batchd.sandbox.faults import account, streaming

ROUTES = ("message", "create", "retrieve", "list", "results", "cancel", "delete", "models", "model", "count_tokens")
"""The names of the API's routes."""

ANY = "any"
"""In place of a route: whichever of them the kind can happen in."""

_ANY = frozenset(ROUTES)
_CREATE = frozenset({"create"})
_LIST = frozenset({"list"})
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
    "status": Kind("answers `status`, with `retry_after` and `text`; the call has its effect first if `lands`"),
    "html": Kind("answers `status` with an HTML page, as a CDN does"),
    "detail": Kind('answers `status` with `{"detail": text}`, as a gateway does'),
    "flat": Kind('answers `status` with `{"message": text}`, as another gateway does'),
    "untyped": Kind("answers `status` with an error that has a message, `text`, and no type"),
    **{name: Kind(f"{trouble.status}: {trouble.means}") for name, trouble in account.TROUBLES.items()},
    "close": Kind("closes the connection before reading the body"),
    "close_late": Kind("closes the connection once the body was read, without effect"),
    "reset": Kind("has its effect, then resets the connection without an answer"),
    "silence": Kind("says nothing for `seconds`, then closes; has its effect before if `lands`"),
    "half": Kind("has its effect, then breaks off in the middle of the answer", _SHORT),
    "garbled": Kind("has its effect, and answers 200 with what is not JSON", _SHORT),
    "odd_status": Kind("has its effect, and answers `status`: 201, 202, 204 without a body, 303 to elsewhere", _SHORT),
    "date": Kind("the `Date` of the answer is `seconds` ahead; below 0: late"),
    "no_date": Kind("the answer has no `Date`"),
    "organization": Kind("the answer comes from the organization `text`; empty: no such header"),
    "unlisted": Kind("creates, but lists show it only `seconds` later", _CREATE),
    "foreign_batch": Kind("somebody else creates as many requests and `at` more, which take `seconds`, too", _CREATE),
    "misdirected": Kind("creates, and answers with the batch that somebody else creates at that moment", _CREATE),
    "miscounted": Kind("`request_counts` say `at` requests more than there are", _BATCH),
    "no_counts": Kind("`request_counts` are left out", _BATCH),
    "zero_counts": Kind("`request_counts` are all 0", _BATCH),
    "created_at": Kind("`created_at` is `seconds` ahead; below 0: late", _BATCH),
    "foreign_url": Kind("`results_url` is of another origin", _BATCH),
    "relative_url": Kind("`results_url` is relative", _BATCH),
    "absent_url": Kind("`results_url` is left out", _BATCH),
    "sparse": Kind("fields that are null are left out", _BATCH),
    "bare": Kind("everything but `id` and `processing_status` is left out", _BATCH),
    "oldest_first": Kind("the list begins with the oldest", _LIST),
    "shuffled": Kind("the two ends of each page of the list are exchanged", _LIST),
    "repeating": Kind("every entry of the list comes twice", _LIST),
    "unpaged": Kind("`after_id` and `before_id` are ignored: every page is the first one", _LIST),
    "cut": Kind("breaks off after `at` bytes of the answer", _LONG),
    "slow": Kind("waits `seconds` before each piece of the answer", _LONG),
    "error_event": Kind("an `error` event of `status` ends the stream after `at` bytes of it", _MESSAGE),
    "unfinished": Kind("the stream ends after `at` bytes of it as if that were all", _MESSAGE),
    "no_ranges": Kind("results begin at their first byte, whatever `Range` says", _RESULTS),
    "error_text": Kind("an `error` event whose error is a text ends the stream after `at` bytes of it", _MESSAGE),
    "only_pings": Kind("after `at` bytes of the stream a ping comes every `seconds`, and nothing else", _MESSAGE),
    "whole_json": Kind("the message comes as JSON, although a stream was asked for", _MESSAGE),
    **{name: Kind(f"stream: {oddity.does}", _MESSAGE) for name, oddity in streaming.ODDITIES.items()},
    "short": Kind("only `at` lines come, and the stream ends as if that were all", _RESULTS),
    "blank_lines": Kind("a blank line after each line", _RESULTS),
    "crlf": Kind("lines end with CRLF", _RESULTS),
    "missing": Kind("the line number `at`, from 0, is missing", _RESULTS),
    "duplicate": Kind("the line number `at` comes twice", _RESULTS),
    "foreign": Kind("a line with a foreign custom_id comes before line number `at`", _RESULTS),
    "foreign_all": Kind("every line has a foreign custom_id", _RESULTS),
    "malformed": Kind("the line number `at` is not JSON", _RESULTS),
    "unknown_type": Kind("the line number `at` has a result of an unknown type", _RESULTS),
    "flat_errors": Kind("errors are nested once only", _RESULTS),
    "no_usage": Kind("answers have no `usage`", _RESULTS),
    "absurd_usage": Kind("the line number `at` counts more tokens than there can be", _RESULTS),
    "strange_model": Kind("answers name a model that only a gateway knows", _RESULTS),
}
"""Every kind of fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong in calls of a route."""

    route: str
    """One of `ROUTES`, or `any`."""
    kind: str
    """One of `KINDS`."""
    times: int | None = 1
    """In how many calls; None in all of them."""
    after: int = 0
    """How many calls of the route go well before."""
    begins: float = 0.0
    """Seconds after it was added, by the sandbox's clock, before which nothing goes wrong."""
    ends: float | None = None
    """Seconds after it was added from which on nothing goes wrong any more."""
    status: int = 500
    retry_after: float | None = None
    """Seconds, in the header of that name."""
    at: int = 0
    """Bytes, requests, or number of a line."""
    seconds: float = 0.0
    key: str = ""
    """Only in calls made with this key; empty for any."""
    text: str = ""
    """What is said, where the kind says anything of its own."""
    lands: bool = False
    """Whether the call has its effect although the caller is not told."""
    late: bool = False
    """Whether a create is taken, and each of its requests comes back errored with this `status` or account trouble."""

    def __post_init__(self) -> None:
        if self.route not in {*ROUTES, ANY}:
            raise ValueError(f"route: {self.route!r} is none of {', '.join(ROUTES)}, {ANY}")
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is none of {', '.join(KINDS)}")
        if self.route != ANY and self.route not in KINDS[self.kind].routes:
            raise ValueError(f"kind: {self.kind!r} cannot happen in {self.route!r}")
        if self.late and (self.route != "create" or self.kind not in {"status", *account.TROUBLES}):
            raise ValueError(f"late: only a status or account trouble of a create can be, not {self.kind!r}")


@dataclass(slots=True)
class _Planned:
    """A fault, and what is left of it."""

    fault: Fault
    added_at: float
    after: int
    left: int | None
    """Calls in which it is still to happen; None for all that come."""

    def to_come(self, now: float) -> bool:
        """Whether it can still happen."""
        return self.left != 0 and (self.fault.ends is None or now < self.added_at + self.fault.ends)

    def concerns(self, route: str, key: str, now: float) -> bool:
        """Whether it is this call's turn to count."""
        meant = self.fault.route == route or (self.fault.route == ANY and route in KINDS[self.fault.kind].routes)
        return meant and self.fault.key in {"", key} and self.to_come(now) and now >= self.added_at + self.fault.begins

    def happens(self) -> bool:
        """Count a call, and say whether it goes wrong."""
        if self.after > 0:
            self.after -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Faults:
    """The faults that are still to come."""

    def __init__(self, faults: Iterable[Fault] = (), now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._planned: list[_Planned] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Let this go wrong; what happens a number of times does once what was planned before for its route has."""
        self._planned.append(_Planned(fault, self._now(), fault.after, fault.times))

    def clear(self, kind: str | None = None) -> None:
        """Let nothing go wrong any more, or nothing of this kind."""
        self._planned = [each for each in self._planned if kind is not None and each.fault.kind != kind]

    def pending(self) -> list[Fault]:
        """List what is still to go wrong, as it was planned."""
        now = self._now()
        return [each.fault for each in self._planned if each.to_come(now)]

    def take(self, route: str, key: str = "") -> list[Fault]:
        """List what goes wrong in a call: all that lasts, and behind it the next of what happens so many times."""
        now = self._now()
        due = [each for each in self._planned if each.concerns(route, key, now)]
        lasting = [each for each in due if each.left is None]
        counted = [each for each in due if each.left is not None][:1]
        return [each.fault for each in (*lasting, *counted) if each.happens()]
