"""What was left out of a job, to be put right and given back: `rejects.jsonl`, and `rejects.csv` of a table."""

import csv
import io
import re
from collections.abc import Collection, Container, Iterable, Iterator
from pathlib import PurePosixPath
from typing import Final

import msgspec

from batchd.decisions.rows.table import read_table
from batchd.model import Problem, Reject, RowsForm
from batchd.text import typed

REJECTS: Final = "rejects.jsonl"
TABLE: Final = "rejects.csv"
_ERROR: Final = "error"
_NUMBER: Final = re.compile(r"\s*row ([\d,]{1,20})\b")
"""By this a row that comes back is known, whatever was changed in it."""


def line_of(rejected: Reject) -> bytes:
    """Write a line of `rejects.jsonl` (docs/bundles.md)."""
    told = {
        "row": rejected.row or None,
        "line": rejected.line,
        "custom_id": rejected.custom_id or None,
        "request" if rejected.is_request else "row_data": _data(rejected),
        "errors": [_error(problem) for problem in rejected.problems],
    }
    return msgspec.json.encode(told) + b"\n"


def header_of(rejected: Reject) -> bytes:
    """Write the header of `rejects.csv`: the table's own columns, and one for what is wrong."""
    columns = (*rejected.columns, error_column(rejected.columns))
    return _written(columns, rejected.delimiter, rejected.line_end)


def row_of(rejected: Reject) -> bytes:
    """Write a row of `rejects.csv`: its cells as they came, and what is wrong."""
    width = len(rejected.columns)
    cells = (*rejected.cells[:width], *("" for _ in range(width - len(rejected.cells))))
    said = "; ".join(f"{each.field}: {each.message}" if each.field else each.message for each in rejected.problems)
    where = f"row {rejected.row:,}"
    if rejected.row and not said.startswith(f"{where} "):
        said = f"{where}: {said}"
    return _written((*cells, said), rejected.delimiter, rejected.line_end)


def error_column(columns: Collection[str]) -> str:
    """What the column of `rejects.csv` is called that says what is wrong.

    Args:
        columns: Of the job's table.
    """
    return f"batchd_{_ERROR}" if _ERROR in columns else _ERROR


def row_meant(error: str) -> int:
    """Read which row of the table an error of `rejects.csv` tells of; 0 where it does not say so (any more)."""
    found = _NUMBER.match(error)
    return int(found[1].replace(",", "") or 0) if found else 0


def place_of(line: bytes) -> int:
    """Read for which row, or line, a line of `rejects.jsonl` stands; 0 where that cannot be read."""
    try:
        told = typed.decode(line, _Place)
    except msgspec.MsgspecError:
        return 0
    return told.row or told.line


class _Place(msgspec.Struct):
    line: int = 0
    row: int | None = None


def without(table: Iterable[bytes], places: Container[int], form: RowsForm) -> Iterator[bytes]:
    """Write `rejects.csv` without some of its rows.

    Args:
        table: As it is.
        places: Of the rows that go.
        form: How the rows of the job stand in their own file.

    Raises:
        Broken: It is no such table any more.
    """
    tabs = PurePosixPath(form.file).suffix.lower() == ".tsv"
    found = read_table(table, ".csv", form.delimiter or ("\t" if tabs else None))
    line_end, delimiter = found.form.line_end, found.form.delimiter
    yield _written(found.form.columns, delimiter, line_end)
    for row in found.rows:
        if not row.cells or row_meant(row.cells[-1]) not in places:
            yield _written(row.cells, delimiter, line_end)


def _data(rejected: Reject) -> object:
    if rejected.said is None and rejected.columns:
        return dict(zip(rejected.columns, rejected.cells, strict=False))
    return rejected.said


def _error(problem: Problem) -> dict[str, object]:
    return {"field": problem.field, "message": problem.message}


def _written(cells: Iterable[str], delimiter: str, line_end: str) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, lineterminator=line_end).writerow(cells)
    return written.getvalue().encode(errors="replace")
