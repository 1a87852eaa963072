"""Takes a create body: it is spooled to disk, cut into requests, checked as the API checks at once, and stored.

Everything here but `spool` is meant for a worker thread, and does its work in pieces that hold the interpreter's lock
for a few milliseconds at most.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from batchd.sandbox.checks import Refusal, Terms
from batchd.sandbox.errors import NOT_JSON, ApiError, not_json
from batchd.sandbox.examiner import NOTHING_CACHED, Examiner
from batchd.sandbox.scanner import Scanner, Unscannable
from batchd.sandbox.script import Script
from batchd.sandbox.shapes import EXTRA, REQUIRED
from batchd.sandbox.store import Book, Row

_PIECE = 1 << 18
_AT_A_TIME = 1000
_LONGEST_ID = 64
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PATTERN = "^[a-zA-Z0-9_-]{1,64}$"

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ANYTHING = msgspec.json.Decoder()


class Course(NamedTuple):
    """How the requests of one body will be processed."""

    examiner: Examiner
    """Decides how each will end."""
    terms: Terms
    now: float
    """Unix seconds."""
    duration: float
    """Seconds over which those are spread that say nothing."""
    each_fails: Refusal | None = None
    """With which each comes back errored, whatever it is."""
    script: Script | None = None
    """What a test says of some of them."""


class Arrival:
    """The requests of one body, once they are known to be whole and well formed."""

    def __init__(self, path: Path, most: int) -> None:
        """Read the body and make the checks that refuse a create as a whole.

        Args:
            path: Where the body was spooled.
            most: How many requests it may have.

        Raises:
            ApiError: 400, worded as the API words it.
        """
        self._path = path
        scanner = Scanner()
        try:
            with path.open("rb") as file:
                for piece in iter(lambda: file.read(_PIECE), b""):
                    scanner.feed(piece)
        except Unscannable:
            raise ApiError(400, "requests: too much outside of params") from None
        self._spans = scanner.spans
        try:
            self._ids = _custom_ids(bytes(scanner.skeleton), most)
        except NOT_JSON as mistake:
            raise not_json(mistake) from None
        if len(self._spans) != 2 * len(self._ids):
            raise not_json(ValueError("duplicate keys"))

    def __len__(self) -> int:
        """How many requests there are."""
        return len(self._ids)

    def file(self, book: Book, number: int, course: Course) -> float:
        """Examine each request and enter it in the book.

        Args:
            course: How they will be processed.

        Returns:
            Seconds after which all are done.

        Raises:
            ApiError: 400, for params that are not JSON.
        """
        latest = 0.0
        rows = self._rows(course)
        for first in range(0, len(self), _AT_A_TIME):
            some = list(islice(rows, _AT_A_TIME))
            latest = max(latest, *(row.takes for row in some))
            book.file(number, first, some)
        return latest

    def requests(self) -> Iterator[tuple[str, bytes]]:
        """Every request with its params, as they came."""
        with self._path.open("rb") as file:
            for position, custom_id in enumerate(self._ids):
                began, ended = self._spans[2 * position], self._spans[2 * position + 1]
                file.seek(began)
                yield custom_id, file.read(ended - began)

    def _rows(self, course: Course) -> Iterator[Row]:
        for position, (custom_id, raw) in enumerate(self.requests()):
            try:
                finding = course.examiner.examine(raw, course.terms, course.now)
            except NOT_JSON as mistake:
                raise not_json(mistake, f"requests.{position}.params: ") from None
            if course.script is not None:
                finding = course.script.obeyed(custom_id, finding)
            if course.each_fails is not None:
                finding = replace(finding, outcome="errored", refusal=course.each_fails, cached=NOTHING_CACHED)
            usual = course.duration * (position + 1) / len(self)
            began, ended = self._spans[2 * position], self._spans[2 * position + 1]
            yield Row(custom_id, began, ended, usual if finding.takes is None else finding.takes, finding)


def _custom_ids(skeleton: bytes, most: int) -> list[str]:
    """The ids of all requests, from a body whose params were emptied."""
    ids = [_custom_id(raw, f"requests.{position}") for position, raw in enumerate(_requests(skeleton, most))]
    if len(set(ids)) < len(ids):
        double, _ = Counter(ids).most_common(1)[0]
        raise ApiError(400, f"requests: custom_id must be unique within a batch; found duplicate: {double}")
    return ids


def _requests(skeleton: bytes, most: int) -> list[msgspec.Raw]:
    try:
        whole = _OBJECT.decode(skeleton)
    except msgspec.ValidationError:
        raise ApiError(400, "Input should be a valid dictionary") from None
    if "requests" not in whole:
        raise ApiError(400, f"requests: {REQUIRED}")
    if extra := next((name for name in whole if name != "requests"), None):
        raise ApiError(400, f"{extra}: {EXTRA}")
    try:
        requests = _LIST.decode(whole["requests"])
    except msgspec.ValidationError:
        raise ApiError(400, "requests: Input should be a valid list") from None
    if not requests:
        raise ApiError(400, "requests: List should have at least 1 item after validation, not 0")
    if len(requests) > most:
        raise ApiError(400, f"requests: List should have at most {most} items after validation, not {len(requests)}")
    return requests


def _custom_id(raw: msgspec.Raw, path: str) -> str:
    try:
        request = _OBJECT.decode(raw)
    except msgspec.ValidationError:
        raise ApiError(400, f"{path}: Input should be a valid dictionary") from None
    for name in ("custom_id", "params"):
        if name not in request:
            raise ApiError(400, f"{path}.{name}: {REQUIRED}")
    if extra := next((name for name in request if name not in {"custom_id", "params"}), None):
        raise ApiError(400, f"{path}.{extra}: {EXTRA}")
    custom_id = _ANYTHING.decode(request["custom_id"])
    if not isinstance(custom_id, str):
        raise ApiError(400, f"{path}.custom_id: Input should be a valid string")
    if len(custom_id) > _LONGEST_ID:
        raise ApiError(400, f"{path}.custom_id: String should have at most {_LONGEST_ID} characters")
    if not _ID.fullmatch(custom_id):
        raise ApiError(400, f"{path}.custom_id: String should match pattern '{_PATTERN}'")
    if bytes(request["params"]) != b"{}":
        raise ApiError(400, f"{path}.params: Input should be a valid dictionary")
    return custom_id
