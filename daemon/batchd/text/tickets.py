"""Tickets: a name that whoever drops a file gives it, so that dropping it again never sends it again.

A ticket stands in a file's name, before its last extension: `orders.@2026-11-27.jsonl`. It is no part of the job's
name.
"""

import re
from pathlib import PurePosixPath
from typing import Final

FORM: Final = "up to 64 of A-Z, a-z, 0-9, _ and -"
SIGN: Final = "@"
"""Stands before a ticket, in a file's name and wherever a job may be named."""

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_TICKET: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_IN_NAME: Final = re.compile(rf"(?P<stem>.+)\.@(?P<ticket>{_TICKET.pattern})(?P<extension>\.[^.]+)?", re.DOTALL)
_LENGTH: Final = 26
"""Characters of a ticket that we make."""
_TIME: Final = 10
"""Characters that tell the milliseconds since 1970, so that tickets sort by their making."""


def is_ticket(text: str) -> bool:
    """Whether a text has the form of a ticket."""
    return _TICKET.fullmatch(text) is not None


def parted(path: PurePosixPath) -> tuple[PurePosixPath, str | None]:
    """Take the ticket out of a file's name.

    Returns:
        The path as it would be without one, and the ticket; None where there is none.
    """
    found = _IN_NAME.fullmatch(path.name)
    if found is None:
        return path, None
    return path.with_name(found["stem"] + (found["extension"] or "")), found["ticket"]


def with_ticket(name: str, ticket: str) -> str:
    """Write a ticket into a file's name."""
    path = PurePosixPath(name)
    return f"{path.stem}.{SIGN}{ticket}{path.suffix}"


def made_of(milliseconds: int, random: int) -> str:
    """Make a ticket.

    Args:
        milliseconds: Since 1970.
        random: Of 80 bits.
    """
    return _written(milliseconds, _TIME) + _written(random, _LENGTH - _TIME)


def _written(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
