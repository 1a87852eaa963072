"""Where commands print: consoles that know whether a person or a program reads."""

import sys
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console
from rich.text import Text

_WIDE = 1_000
"""Columns where nobody looks: a program reads whole lines."""


def out() -> Console:
    """What a command was asked for goes to stdout."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False, emoji=False, markup=False)


def err() -> Console:
    """What accompanies it goes to stderr."""
    return Console(
        width=None if sys.stderr.isatty() else _WIDE, stderr=True, highlight=False, emoji=False, markup=False
    )


def printable(text: str) -> str:
    """Make a string safe to show: a file's name must not end a line, nor move the cursor.

    Args:
        text: Whatever somebody chose.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


def cell(text: str, style: str = "") -> Text:
    """A piece of text as it is, in which nothing counts as markup.

    Args:
        text: Whatever somebody chose.
        style: How it looks.
    """
    return Text(printable(text), style=style)


def usd(amount: Decimal | None) -> str:
    """An amount for people: cents where it is dollars, more digits where it is less.

    Args:
        amount: USD; None where the price is not known.
    """
    if amount is None:
        return "unknown"
    if not amount:
        return "$0"
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"


def duration(seconds: float) -> str:
    """A length of time for people.

    Args:
        seconds: How long.
    """
    whole = max(round(seconds), 0)
    if whole < 120:  # noqa: PLR2004  two minutes
        return f"{whole} s"
    if whole < 7_200:  # noqa: PLR2004  two hours
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(unix: float | None) -> str:
    """A moment for people, in UTC.

    Args:
        unix: Seconds; None for one that has not come.
    """
    return "" if unix is None else datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
