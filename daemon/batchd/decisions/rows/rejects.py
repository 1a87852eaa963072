"""What was left out of a job, to be put right and given back: `rejects.jsonl`, and `rejects.csv` of a table."""

import csv
import io
from typing import Final

import msgspec

from batchd.model import Problem, Reject

REJECTS: Final = "rejects.jsonl"
TABLE: Final = "rejects.csv"
_ERROR: Final = "error"


def line_of(rejected: Reject) -> bytes:
    """Write a line of `rejects.jsonl` (docs/formats.md)."""
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
    return _row((*rejected.columns, f"batchd_{_ERROR}" if _ERROR in rejected.columns else _ERROR), rejected)


def row_of(rejected: Reject) -> bytes:
    """Write a row of `rejects.csv`: its cells as they came, and what is wrong."""
    width = len(rejected.columns)
    cells = (*rejected.cells[:width], *("" for _ in range(width - len(rejected.cells))))
    said = "; ".join(f"{each.field}: {each.message}" if each.field else each.message for each in rejected.problems)
    return _row((*cells, said), rejected)


def _data(rejected: Reject) -> object:
    if rejected.said is None and rejected.columns:
        return dict(zip(rejected.columns, rejected.cells, strict=False))
    return rejected.said


def _error(problem: Problem) -> dict[str, object]:
    return {"field": problem.field, "message": problem.message}


def _row(cells: tuple[str, ...], rejected: Reject) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=rejected.delimiter, lineterminator=rejected.line_end).writerow(cells)
    return written.getvalue().encode(errors="replace")
