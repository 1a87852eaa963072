"""The answer columns of a table: which there are, and what stands in them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from batchd.text.strictjson import Json

ANSWER: Final = "answer"
ABOUT: Final = ("verdict", "reason", "cost_usd")
"""What is said of each answer, behind it."""
LONGEST_CELL: Final = 32_767
"""Characters that a spreadsheet shows of a cell."""

_NUMBER: Final = re.compile(r"[+-][\d\s.,()/%-]*(?:[eE][+-]?\d+)?")
"""Numbers, ranges and telephone numbers, as far as they have a digit: `-5.00`, `+49 170 123`."""
_DIGIT: Final = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class AnswerColumns:
    """The columns that follow those of the table."""

    properties: tuple[str, ...]
    """Of the schema, in its order; empty where an answer is one text."""
    prefix: str
    """`batchd_` where the table has one of our names already."""

    @property
    def names(self) -> tuple[str, ...]:
        """As they stand in the header."""
        return tuple(self.prefix + each for each in (*(self.properties or (ANSWER,)), *ABOUT))

    def cells(self, text: str, value: Mapping[str, Json] | None) -> tuple[str, ...]:
        """Return the cells of an answer, without those about it.

        Args:
            text: The answer as text.
            value: As an object, where there is a schema; None where it is none, or there is no answer.
        """
        if not self.properties:
            return (text,)
        return tuple(_cell((value or {}).get(each)) for each in self.properties)


def answer_columns(table: Sequence[str], properties: Iterable[str]) -> AnswerColumns:
    """Say which columns an answer gets.

    Args:
        table: The table's own columns.
        properties: The schema's, at its top; none without a schema.
    """
    ours = tuple(properties)
    taken = set(table).intersection((*(ours or (ANSWER,)), *ABOUT))
    return AnswerColumns(ours, "batchd_" if taken else "")


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: a `'` goes in front of what would be one.

    Numbers keep their sign: `-5.00` and `+49 170 123` stay as they are. Source: OWASP, CSV injection.
    """
    if cell.startswith(("=", "@", "\t", "\r")):
        return "'" + cell
    if cell.startswith(("+", "-")) and not (_NUMBER.fullmatch(cell) and _DIGIT.search(cell)):
        return "'" + cell
    return cell


def _cell(value: Json) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()
