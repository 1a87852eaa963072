"""What the sandbox was asked, and what it would have charged: the judge of "nothing is paid twice"."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from batchd.sandbox import results
from batchd.sandbox.batch import Batch
from batchd.sandbox.receipts import TOKENS, Receipt, Receipts, charges
from batchd.sandbox.store import Book

_REMEMBERED_CALLS = 100_000


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

    def __init__(self, book: Book, receipts: Receipts, seed: int, now: Callable[[], float]) -> None:
        """Read a store of batches and one of messages.

        Args:
            now: Unix seconds.
        """
        self._book = book
        self._receipts = receipts
        self._seed = seed
        self._now = now
        self.calls: deque[Call] = deque(maxlen=_REMEMBERED_CALLS)
        """Newest last."""

    def made_in(self, workspace: str) -> int:
        """How many batches were ever created in a workspace, where there are several."""
        return self._book.made_in(workspace)

    def batches(self) -> list[Entry]:
        """Every batch, oldest first."""
        return [self._entry(batch) for batch in self._book.all()]

    def accepted(self) -> Counter[str]:
        """How often each params-hash was taken by a create."""
        return Counter(digest for entry in self.batches() for digest in entry.requests.values())

    def messages(self) -> list[Receipt]:
        """Every message that came by itself and was paid for, oldest first."""
        return self._receipts.all()

    def billed(self) -> Counter[str]:
        """How often each params-hash was paid for: above 1, somebody paid twice.

        It was if it succeeded in a batch that has ended, or came by itself, even where the answer was cut.
        """
        return _billed(self.batches(), self.messages())

    def usage(self) -> dict[str, int]:
        """Tokens charged for, by kind, of all batches that have ended."""
        return _total(entry.usage for entry in self.batches())

    def message_usage(self) -> dict[str, int]:
        """The same of all messages outside of batches, which cost twice as much."""
        return _total(receipt.usage for receipt in self.messages())

    def note_bill(self, batch: Batch) -> dict[str, int]:
        """Find out what a batch is charged for and keep it, as long as its body is there.

        Args:
            batch: One that has ended.
        """
        if (noted := self._book.usage(batch)) is not None:
            return msgspec.json.decode(noted, type=dict[str, int])
        usage = _total(
            charges(msgspec.convert(message["usage"], dict[str, object]))
            for message in results.messages(self._book, batch, self._seed)
        )
        self._book.note_usage(batch, msgspec.json.encode(usage).decode())
        return usage

    def as_json(self) -> bytes:
        """The whole ledger as `GET /sandbox/ledger` shows it."""
        batches, messages = self.batches(), self.messages()
        return msgspec.json.encode(
            {
                "batches": batches,
                "accepted": Counter(digest for entry in batches for digest in entry.requests.values()),
                "messages": messages,
                "billed": _billed(batches, messages),
                "usage": _total(entry.usage for entry in batches),
                "message_usage": _total(receipt.usage for receipt in messages),
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


def _billed(batches: list[Entry], messages: list[Receipt]) -> Counter[str]:
    paid = Counter(receipt.digest for receipt in messages)
    paid.update(digest for entry in batches for digest in entry.billed.values())
    return paid


def _total(usages: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total = dict.fromkeys(TOKENS, 0)
    for usage in usages:
        for name, tokens in usage.items():
            total[name] += tokens
    return total
