"""Receipts: what became of a file that came with a ticket, for whoever dropped it: `outbox/.tickets/TICKET.json`.

A receipt is written before the claimed file is let go, and the same one again does no harm: so a file that came with a
ticket always has one in the end, whatever is killed. It says which bytes the ticket came with first: others have no
part in it. All of it blocks: callers run it in a worker thread.
"""

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from batchd.edges import disk
from batchd.formats import signed
from batchd.model import Problem
from batchd.text import typed

FOLDER: Final = PurePosixPath(".tickets")
_SHOWN: Final = 20
"""Errors that a receipt repeats; the others are beside the rejected file."""


class Receipt(msgspec.Struct, frozen=True):
    """What one tells about a drop."""

    state: str
    job: str = ""
    claim: str = ""
    """Of what was rejected."""
    digest: str | None = None
    """Of the bytes that came with the ticket; None where nobody knows."""


def accepted(outbox: Path, ticket: str, job: str, digest: str | None) -> None:
    """Tell that a file is a job.

    Args:
        job: Its name.
        digest: Of its bytes; None where they are here no more, and an earlier receipt has told them.

    Raises:
        OSError: The disk refuses; repeat.
    """
    if digest is None and (told := read(outbox, ticket)) is not None:
        digest = told.digest
    _write(outbox, ticket, {"state": "accepted", "job": job, "digest": digest})


def rejected(  # noqa: PLR0913  a receipt says all of it
    outbox: Path, ticket: str, claim: str, digest: str | None, name: str, problems: Iterable[Problem], count: int
) -> None:
    """Tell that a file was refused, and why.

    Args:
        claim: The id of its claim.
        digest: Of its bytes; None where they could not be read.
        name: Its path below `rejected/`.
        problems: What is wrong; the first are told.
        count: How many there are.

    Raises:
        OSError: The disk refuses; repeat.
    """
    told = [{"line": each.line, "field": each.field, "message": each.message} for each in islice(problems, _SHOWN)]
    what = {"rejected": name, "errors": told, "count": count, "claim": claim, "digest": digest}
    _write(outbox, ticket, {"state": "rejected", **what})


def read(outbox: Path, ticket: str) -> Receipt | None:
    """Read what a receipt tells; None where there is none, or none of ours."""
    try:
        with disk.opened(outbox, FOLDER) as folder:
            descriptor = disk.open_regular(_name(ticket), folder=folder)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as receipt:
        try:
            return typed.decode(receipt.read(), Receipt)
        except msgspec.DecodeError:
            return None


def _write(outbox: Path, ticket: str, told: dict[str, object]) -> None:
    whole = msgspec.json.encode({**signed("ticket"), "ticket": ticket, **told}) + b"\n"
    with disk.opened(outbox, FOLDER, create=True) as folder:
        disk.write_whole(folder, _name(ticket), [whole])
        os.fsync(folder)


def path_of(ticket: str) -> PurePosixPath:
    """Where a receipt lies, below the outbox."""
    return FOLDER / _name(ticket)


def _name(ticket: str) -> str:
    return f"{ticket}.json"
