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
_IN_A_FENCE: Final = re.compile(r"(?:```|~~~)[^\n`]*\n(.*)\n[ \t]*(?:```|~~~)", re.DOTALL)
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

    def values(self, text: str) -> tuple[Json, ...]:
        """Return what stands in the columns of an answer, without those about it.

        Args:
            text: The answer; where there is a schema, the JSON that it should be.
        """
        if not self.properties:
            return (text,)
        value = object_in(text)
        return tuple(value.get(each) for each in self.properties)


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


def object_in(text: str) -> Mapping[str, Json]:
    """The object that an answer consists of, alone or in one code fence; empty where it is none."""
    bare = text.strip()
    if fenced := _IN_A_FENCE.fullmatch(bare):
        bare = fenced[1]
    try:
        value = msgspec.json.decode(bare)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def cell_of(value: Json) -> str:
    """Write a value into a cell: a text as it is, null as nothing, everything else as compact JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()
