"""Receipts: what became of a file that came with a ticket, for whoever dropped it: `outbox/.tickets/TICKET.json`.

A receipt is written before the claimed file is let go, and the same one again does no harm: so a file that came with a
ticket always has one in the end, whatever is killed. All of it blocks: callers run it in a worker thread.
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


class _Refused(msgspec.Struct):
    claim: str = ""


def accepted(outbox: Path, ticket: str, job: str) -> None:
    """Tell that a file is a job.

    Args:
        job: Its name.

    Raises:
        OSError: The disk refuses; repeat.
    """
    _write(outbox, ticket, {"state": "accepted", "job": job})


def rejected(  # noqa: PLR0913  a receipt says all of it
    outbox: Path, ticket: str, claim: str, name: str, problems: Iterable[Problem], count: int
) -> None:
    """Tell that a file was refused, and why.

    Args:
        claim: The id of its claim.
        name: Its path below `rejected/`.
        problems: What is wrong; the first are told.
        count: How many there are.

    Raises:
        OSError: The disk refuses; repeat.
    """
    told = [{"line": each.line, "field": each.field, "message": each.message} for each in islice(problems, _SHOWN)]
    _write(outbox, ticket, {"state": "rejected", "rejected": name, "errors": told, "count": count, "claim": claim})


def refused_of(outbox: Path, ticket: str) -> str | None:
    """Find the claim of what was refused with a ticket; None where nothing was."""
    try:
        with disk.opened(outbox, FOLDER) as folder:
            descriptor = disk.open_regular(_name(ticket), folder=folder)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as receipt:
        try:
            return typed.decode(receipt.read(), _Refused).claim or None
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
