"""The rows of a job as they came, each with its answer: `results.csv`, `results.tsv`, `rows.jsonl`."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Final, NamedTuple, TypeAlias

import msgspec

from batchd.claude import result_line
from batchd.claude.verdict import AGAIN
from batchd.decisions.document.data import data_of_calls
from batchd.decisions.rows.columns import LONGEST_CELL, AnswerColumns, cell_of, guarded
from batchd.decisions.rows.records import Fault, Record
from batchd.decisions.rows.table import Form
from batchd.delivery import ReportRow
from batchd.errors import Garbled
from batchd.model import RowsForm
from batchd.text.strictjson import Json

REJECTED: Final = "rejected"
"""What is said of a row that was left out, in the place of a verdict."""
_OBJECTS: Final = "rows.jsonl"
ANSWERS: Final = ("results.csv", "results.tsv", _OBJECTS)
"""All names of a file with rows and answers."""
_LEFT_OUT: Final = "left out when the file was taken"
_PIECE: Final = 1 << 18

Answer: TypeAlias = Callable[[ReportRow], str]
"""Reads the text of a request's answer, or the JSON that it consists of; empty where there is none."""


@dataclass(slots=True)
class Remarks:
    """What a user should know of the rows that were written."""

    beyond_a_cell: int = 0
    """Answers longer than a spreadsheet shows."""
    rejected: int = 0


def file_of(form: RowsForm) -> str:
    """What the file with the answers is called."""
    return _OBJECTS if form.objects else f"results{PurePosixPath(form.file).suffix.lower()}"


def answer_in(line: bytes) -> str:
    """Read the answer in a line of results: its text, or the input of the tool that was called in its place."""
    try:
        result = result_line.read(line).result
    except Garbled:
        return ""
    return data_of_calls(result.calls) or result.text


class LeftOut(NamedTuple):
    """A row that became no request."""

    row: int
    reason: str


Beside: TypeAlias = ReportRow | LeftOut | None
"""What became of a row; None where nobody knows more than that it became no request."""


def beside(
    records: Iterable[Record | Fault],
    reports: Iterator[ReportRow],
    left_out: Iterator[LeftOut],
    late: Iterable[ReportRow] = (),
) -> Iterator[tuple[Record | Fault, Beside]]:
    """Lay what became of requests beside their rows.

    Args:
        records: All of them, in the order of the file.
        reports: Of those that became requests when the file was taken, in the same order.
        left_out: Of those that became none, in the same order.
        late: Of those that became requests later, in the order of their places; the last of them are new rows.
    """
    later = iter(late)
    report, left, behind = next(reports, None), next(left_out, None), next(later, None)
    for record in records:
        if left is not None and record.row == left.row:
            yield record, left
            left = next(left_out, None)
        elif behind is not None and record.row == behind.place:
            yield record, behind
            behind = next(later, None)
        elif isinstance(record, Record) and report is not None and report.custom_id == record.custom_id:
            yield record, report
            report = next(reports, None)
        else:
            yield record, None
    while behind is not None:
        yield Record(0, behind.place or 0, behind.custom_id, {}), behind
        behind = next(later, None)


def table_of(  # noqa: PLR0913  what a table is made of
    rows: Iterable[tuple[Record | Fault, Beside]],
    form: Form,
    columns: AnswerColumns,
    answer: Answer,
    remarks: Remarks,
    *,
    guard: bool,
) -> Iterator[bytes]:
    """Write a table as the one that came, with the columns of the answers behind its own.

    Args:
        rows: In order, each with what became of it.
        form: How the table was written.
        columns: That are added.
        answer: Reads the answers.
        remarks: Takes up what is to be said of them.
        guard: Whether to keep spreadsheets from taking an answer for a formula.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=form.delimiter, lineterminator=form.line_end)
    buffer.write("\ufeff" * form.marked)
    if form.separated:
        buffer.write(f"sep={form.delimiter}{form.line_end}")
    writer.writerow((*form.columns, *columns.names))
    width = len(form.columns)
    for record, report in rows:
        cells = _cells(record, report)
        answers = [cell_of(value) for value in _values(columns, report, answer, remarks)]
        verdict, reason, cost = _about(record, report, remarks)
        ours = (*answers, verdict, reason)
        writer.writerow(
            (
                *cells[:width],
                *("" for _ in range(width - len(cells))),
                *(map(guarded, ours) if guard else ours),
                "" if cost is None else format(cost.normalize(), "f"),
            )
        )
        if buffer.tell() >= _PIECE:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def lines_of(
    rows: Iterable[tuple[Record | Fault, Beside]], columns: AnswerColumns, answer: Answer, remarks: Remarks
) -> Iterator[bytes]:
    """Write objects as they came, byte for byte, each with the keys of the answer behind its own.

    Args:
        rows: In order, each with what became of it.
        columns: The keys that are added.
        answer: Reads the answers.
        remarks: Takes up what is to be said of them.
    """
    for record, report in rows:
        values = _values(columns, report, answer, remarks)
        verdict, reason, cost = _about(record, report, remarks)
        said = (*values, verdict, reason, None if cost is None else float(cost))
        added = msgspec.json.encode(dict(zip(columns.names, said, strict=True)))
        own = _members(record, report)
        yield b"{%b%b}\n" % (own + b"," if own else b"", added[1:-1])


def _cells(record: Record | Fault, report: Beside) -> Sequence[Json]:
    """The cells of a row: as it was put right, or as it came."""
    if isinstance(report, ReportRow) and report.record is not None:
        return msgspec.json.decode(report.record, type=list[str])
    return tuple(record.values.values()) if isinstance(record, Record) else record.cells


def _members(record: Record | Fault, report: Beside) -> bytes:
    """What stands between the braces of an object, as it was put right or came; nothing of a line that is none."""
    if isinstance(report, ReportRow) and report.record is not None:
        return report.record.encode().strip()[1:-1].rstrip()
    if isinstance(record, Record):
        return record.written.strip()[1:-1].rstrip()
    return b'"row":%d' % record.row


def _values(columns: AnswerColumns, report: Beside, answer: Answer, remarks: Remarks) -> tuple[Json, ...]:
    text = "" if not isinstance(report, ReportRow) or report.verdict in AGAIN else answer(report)
    if len(text) > LONGEST_CELL and not columns.properties:
        remarks.beyond_a_cell += 1
    return columns.values(text)


def _about(record: Record | Fault, report: Beside, remarks: Remarks) -> tuple[str, str, Decimal | None]:
    if isinstance(report, ReportRow):
        return str(report.verdict), report.reason, report.cost.charged
    remarks.rejected += 1
    if report is not None:
        return REJECTED, report.reason, None
    told = "; ".join(each.message for each in record.problems) if isinstance(record, Fault) else _LEFT_OUT
    return REJECTED, told, None
