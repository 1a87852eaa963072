"""Paths that came from outside, made safe to be written below the outbox, and numbered where they are taken.

Pure: what is taken, the callers find out.
"""

import re
import unicodedata
from collections.abc import Callable
from pathlib import PurePosixPath

COMPONENT_BYTES = 200
"""Of one component: leaves room for what we put before and behind it within the 255 that file systems allow."""
_LONGEST_EXTENSION = 20

_UNSAFE_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
"""Control characters, bytes that were not UTF-8, line and paragraph separators."""
_REORDERING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that make a terminal show another name than there is."""
_REASONS = re.compile(r"(.*)\.errors(\.json)", re.IGNORECASE | re.DOTALL)


def components(path: PurePosixPath) -> list[str]:
    """Make every component harmless: none leads elsewhere, hides, is too long, or plays tricks on a terminal.

    Args:
        path: From outside; bytes that are not UTF-8 are surrogate-escaped.

    Returns:
        At least one component, each of valid Unicode and at most 200 bytes.
    """
    return [component(part) for part in path.parts if part != "/"] or ["_"]


def component(part: str) -> str:
    """Make one component harmless, as `components` does.

    Args:
        part: From outside.
    """
    clean = "".join(
        "_" if char in _REORDERING or char == "/" or unicodedata.category(char) in _UNSAFE_CATEGORIES else char
        for char in part
    )
    if clean.startswith("."):
        clean = "_" + clean[1:]
    return _shortened(clean, COMPONENT_BYTES) or "_"


def first_free(stem: str, extension: str, taken: Callable[[str], bool]) -> str:
    """Find a name of the row `a.md`, `a-2.md`, `a-3.md` … that nothing has, however many are taken.

    Where none between two taken names is free, it is the first; otherwise one behind a taken one. Of n taken names some
    2 log2(n) are asked about, so that the ten-thousandth costs as little as the tenth.

    Args:
        stem: Safe.
        extension: Safe, with its dot; empty if there is none.
        taken: Whether something has a name. For one question it gives one answer.

    Returns:
        A name that is no longer than a component may be.
    """
    free = 1
    while taken(_numbered(stem, extension, free)):
        free *= 2
    occupied = free // 2
    while free - occupied > 1:
        between = (occupied + free) // 2
        if taken(_numbered(stem, extension, between)):
            occupied = between
        else:
            free = between
    return _numbered(stem, extension, free)


def _numbered(stem: str, extension: str, number: int) -> str:
    suffix = ("" if number == 1 else f"-{number}") + extension
    return _shortened(stem, COMPONENT_BYTES - len(suffix.encode())) + suffix


def beside_reasons(name: str) -> tuple[str, str]:
    """Split a refused file's name where its number goes.

    The reasons of `a` are in `a.errors.json`, so no refused file may be called so.

    Args:
        name: Safe.

    Returns:
        Stem and extension, for `first_free`.
    """
    if (reasons := _REASONS.fullmatch(name)) is not None:
        return f"{reasons[1]}.errors-1", reasons[2]
    path = PurePosixPath(name)
    return (path.stem, path.suffix) if len(path.suffix.encode()) <= _LONGEST_EXTENSION else (name, "")


def _shortened(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def printable(path: PurePosixPath | str) -> str:
    """Write a path so that it can be stored and shown, whatever its bytes.

    Args:
        path: With bytes that are no UTF-8 surrogate-escaped.
    """
    return str(path).encode("utf-8", "replace").decode("utf-8")
