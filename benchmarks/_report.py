"""Prints figures: tables, medians, ratios."""

import argparse
from collections.abc import Sequence
from statistics import median

MB = 1_000_000


def wants_full(doc: str | None) -> bool:
    """Whether the command line asks for the long form.

    Args:
        doc: What the script says of itself.
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="larger inputs and more runs: minutes instead of seconds")
    return bool(parser.parse_args().full)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
    """Print a table of Markdown, its cells aligned: names to the left, figures to the right.

    Args:
        title: What was measured.
        columns: Their heads.
        rows: The cells of each.
        note: What must be known to read it.
    """
    widths = [max(len(row[at]) for row in (columns, *rows)) for at in range(len(columns))]
    rule = ["-" * width if at == 0 else "-" * (width - 1) + ":" for at, width in enumerate(widths)]
    print(f"\n**{title}**\n")
    for row in (columns, rule, *rows):
        first, *others = (
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print(f"| {' | '.join((first, *others))} |")
    if note:
        print(f"\n{note}")
    print(flush=True)


def middle(values: Sequence[float]) -> float:
    """The median: what a busy machine disturbs least.

    Args:
        values: Of several runs.
    """
    return float(median(values))


def number(value: float, digits: int = 0) -> str:
    """Write a figure.

    Args:
        value: Any.
        digits: After the point.
    """
    return f"{value:,.{digits}f}"


def times(value: float) -> str:
    """Write a ratio.

    Args:
        value: How many times as good.
    """
    return f"{value:,.1f} x" if value < 10 else f"{value:,.0f} x"  # noqa: PLR2004  two digits are enough
