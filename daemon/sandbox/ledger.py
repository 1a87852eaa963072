"""What the sandbox was asked, and what it would have charged: the judge of "nothing is paid twice"."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from daemon.sandbox import results
from daemon.sandbox.batch import Batch
from daemon.sandbox.book import Book

_REMEMBERED_CALLS = 100_000
_TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class Call(NamedTuple):
    """One call of a route of the API, however it ended."""

    at: float
    """Unix seconds, when it came in."""
    route: str
    status: int | None
    """None where no answer began."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch that was created, deleted ones included."""

    id: str
    count: int
    created_at: float
    """Unix seconds, as is `ended_at`."""
    ended_at: float | None
    status: str
    canceled: bool
    deleted: bool
    version: str
    betas: list[str]
    requests: dict[str, str]
    """SHA-256 (hex) of each request's canonical params, by custom_id, in the order of the body."""
    billed: dict[str, str]
    """The same, of those that succeeded; empty until the batch has ended."""
    usage: dict[str, int]
    """Tokens charged for, of the whole batch; empty until it has ended."""


class Ledger:
    """Everything that happened, from the first start of this sandbox's state (calls: since this start)."""

    def __init__(self, book: Book, seed: int, now: Callable[[], float]) -> None:
        """Look into a book.

        Args:
            book: Where batches are kept.
            seed: Of the sandbox.
            now: Unix seconds.
        """
        self._book = book
        self._seed = seed
        self._now = now
        self.calls: deque[Call] = deque(maxlen=_REMEMBERED_CALLS)
        """Newest last."""

    def batches(self) -> list[Entry]:
        """Every batch, oldest first."""
        return [self._entry(batch) for batch in self._book.all()]

    def accepted(self) -> Counter[str]:
        """How often each params-hash was taken by a create."""
        return Counter(digest for entry in self.batches() for digest in entry.requests.values())

    def billed(self) -> Counter[str]:
        """How often each params-hash succeeded, in batches that have ended: above 1, somebody paid twice."""
        return Counter(digest for entry in self.batches() for digest in entry.billed.values())

    def usage(self) -> dict[str, int]:
        """Tokens charged for, by kind, of all batches that have ended."""
        return _total(self.batches())

    def note_bill(self, batch: Batch) -> dict[str, int]:
        """Find out what a batch is charged for and keep it, as long as its body is there.

        Args:
            batch: One that has ended.
        """
        if (noted := self._book.usage(batch)) is not None:
            return msgspec.json.decode(noted, type=dict[str, int])
        usage = dict.fromkeys(_TOKENS, 0)
        for message in results.messages(self._book, batch, self._seed):
            tokens = msgspec.convert(message["usage"], dict[str, object])
            for name in _TOKENS:
                usage[name] += msgspec.convert(tokens[name], int)
        self._book.note_usage(batch, msgspec.json.encode(usage).decode())
        return usage

    def as_json(self) -> bytes:
        """The whole ledger as `GET /sandbox/ledger` shows it."""
        batches = self.batches()
        return msgspec.json.encode(
            {
                "batches": batches,
                "accepted": Counter(digest for entry in batches for digest in entry.requests.values()),
                "billed": Counter(digest for entry in batches for digest in entry.billed.values()),
                "usage": _total(batches),
                "calls": list(self.calls),
            },
        )

    def _entry(self, batch: Batch) -> Entry:
        now = self._now()
        ended = batch.status(now) == "ended"
        requests = self._book.digests(batch)
        return Entry(
            id=batch.id,
            count=batch.count,
            created_at=batch.created_at,
            ended_at=batch.ends_at if ended else None,
            status=batch.status(now),
            canceled=batch.canceled_at is not None,
            deleted=batch.deleted_at is not None,
            version=batch.terms.version,
            betas=sorted(batch.terms.betas),
            requests={custom_id: digest.hex() for custom_id, digest, _ in requests},
            billed={name: digest.hex() for name, digest, outcome in requests if ended and outcome == "succeeded"},
            usage=self.note_bill(batch) if ended else {},
        )


def _total(batches: list[Entry]) -> dict[str, int]:
    return {name: sum(entry.usage.get(name, 0) for entry in batches) for name in _TOKENS}
