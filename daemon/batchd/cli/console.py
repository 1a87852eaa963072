"""Consoles for the output of commands, which differ for a terminal and a program."""

import logging
import re
import sys
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from rich.console import Console
from rich.text import Text

_STEERING = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""C1 controls, line separators and what turns the direction of writing; C0 controls JSON escapes by itself."""
_ROOMY = 100
"""Columns from which on a table has room for all that it can show."""
_WIDE = 1_000
"""Columns where no terminal is: a program reads whole lines."""


def out() -> Console:
    """Return the console of stdout: the result of a command."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False, emoji=False, markup=False)


def err() -> Console:
    """Return the console of stderr: all that accompanies the result."""
    return Console(
        width=None if sys.stderr.isatty() else _WIDE, stderr=True, highlight=False, emoji=False, markup=False
    )


def is_narrow() -> bool:
    """Whether the terminal has no room for what only decorates, or can be had otherwise; names come first."""
    return out().width < _ROOMY


def hush_libraries() -> None:
    """Keep off stderr what libraries log, in commands that look: such a command says by itself what is to be said."""
    logging.disable()


def printable(text: str) -> str:
    """Make a string safe to show: a file's name must not end a line, nor move the cursor."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


def data(value: object) -> str:
    """Write a value as a line of JSON in which nothing steers a terminal: what could is escaped, as JSON does it."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", msgspec.json.encode(value).decode())


def cell(text: str, style: str = "") -> Text:
    """Return a piece of text in which nothing counts as markup."""
    return Text(printable(text), style=style)


def usd(amount: Decimal | None, *, sandbox: bool = False) -> str:
    """Format an amount for people: two digits above a dollar, more below.

    Args:
        amount: USD; None where the price is not known.
        sandbox: Whether it is of a rehearsal, where it is no money.
    """
    if amount is None:
        said = "unknown"
    elif amount:
        said = f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"
    else:
        said = "$0"
    return said + " (sandbox)" * sandbox


def duration(seconds: float) -> str:
    """Format a length of time for people."""
    whole = max(round(seconds), 0)
    if whole < 120:  # noqa: PLR2004  two minutes
        return f"{whole} s"
    if whole < 7_200:  # noqa: PLR2004  two hours
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(unix: float | None) -> str:
    """Format a moment for people, in UTC.

    Args:
        unix: Seconds; None for one that has not come.
    """
    return "" if unix is None else datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
