"""Receipts: what was paid for messages outside of batches, kept beside the batches."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from batchd.sandbox.database import Database

TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
"""The kinds of tokens that are charged for."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One message that came by itself and was not refused."""

    id: str
    digest: str
    """SHA-256 (hex) of its canonical params."""
    status: str
    """`whole`, or `cut` where the answer ended before its end, or has not come to it."""
    usage: dict[str, int]
    """Tokens charged for: of an answer that was cut, those of its output that had been sent."""


class Receipts:
    """All messages outside of batches."""

    def __init__(self, database: Database) -> None:
        """Read the receipts of earlier processes."""
        self._database = database

    def open(self, name: str, digest: bytes, usage: Mapping[str, object]) -> int:
        """Charge for the prompt: until more is known, the answer counts as cut before its first word.

        Args:
            name: `msg_…`.
            digest: SHA-256 of the canonical params.

        Returns:
            The number under which more can be charged.
        """
        charged = msgspec.json.encode({**charges(usage), "output_tokens": 0}).decode()
        with self._database.transaction() as database:
            number = database.execute(
                "INSERT INTO message (id, digest, status, usage) VALUES (?, ?, 'cut', ?)", (name, digest, charged)
            ).lastrowid
        if number is None:  # only for the type: an INSERT always has one
            raise RuntimeError("no row was inserted")
        return number

    def settle(self, number: int, output_tokens: int, *, whole: bool) -> None:
        """Charge for the answer.

        Args:
            number: As `open` gave it.
            output_tokens: How much of it was sent.
            whole: Whether that is all of it.
        """
        with self._database.transaction() as database:
            database.execute(
                "UPDATE message SET status = ?, usage = json_set(usage, '$.output_tokens', ?) WHERE number = ?",
                ("whole" if whole else "cut", output_tokens, number),
            )

    def all(self) -> list[Receipt]:
        """Every one, oldest first."""
        return [
            Receipt(name, digest.hex(), status, msgspec.json.decode(usage, type=dict[str, int]))
            for name, digest, status, usage in self._database.all(
                "SELECT id, digest, status, usage FROM message ORDER BY number"
            )
        ]


def charges(usage: Mapping[str, object]) -> dict[str, int]:
    """Of the usage of a message, what is charged for.

    Args:
        usage: As a message has it.
    """
    return {name: msgspec.convert(usage[name], int) for name in TOKENS}
