"""The rows of a finished job beside their answers: gathers table, reports and results, and writes one file of them.

Nothing of it is kept: it is made of what lies in the job's folder and the store, and made anew after each retry.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, NamedTuple

import msgspec

from batchd.claude import result_line
from batchd.decisions.rows.answered import LeftOut, Remarks, answer_in, beside, file_of, lines_of, table_of
from batchd.decisions.rows.columns import ABOUT, LONGEST_CELL, answer_columns
from batchd.decisions.rows.records import Fault, objects_of, rows_of
from batchd.decisions.rows.rejects import REJECTS
from batchd.decisions.rows.table import MOST_ROWS, read_table
from batchd.delivery import ReportRow
from batchd.edges import disk
from batchd.edges.line_index import SUFFIX, LineIndex, indexed
from batchd.edges.outbox import RESULTS, JobFolder
from batchd.errors import Garbled
from batchd.model import RowsForm
from batchd.text import typed
from batchd.text.jsonscan import Broken


class Reported(NamedTuple):
    """What became of the requests of a job of rows."""

    in_order: Callable[[], Iterator[ReportRow]]
    """Of those that it had from the first, in the order of the file."""
    late: Callable[[], Iterator[ReportRow]]
    """Of those that it got later, in the order of their places."""


LONGEST_LINE: Final = 32_000_000
"""Bytes of a line of objects, as at the door."""


class Lost(Exception):
    """The rows cannot be laid beside their answers; the message says why."""


def write_answers(folder: JobFolder, form: RowsForm, reports: Reported, scratch: Path, *, guard: bool) -> list[str]:
    """Write the file that has the rows as they came, with their answers.

    Args:
        folder: Of the job; its results and its rows lie in it.
        form: How its rows stand in their file.
        reports: What became of the requests.
        scratch: Where an index may lie for the moment; its name is the job's alone.
        guard: Whether to keep spreadsheets from taking an answer for a formula.

    Returns:
        What a user should know of it, in sentences.

    Raises:
        Lost: The file of the rows is gone, or another than it was.
        OSError: The disk refuses; repeat.
    """
    try:
        remarks = _write(folder, form, reports, scratch, guard=guard)
    except Broken as broken:
        said = f"{form.file} is not what it was when it was taken (line {broken.line}: {broken.message})"
        raise Lost(f"{said}, so {file_of(form)} cannot be written") from None
    return _sentences(remarks, file_of(form))


def _write(folder: JobFolder, form: RowsForm, reports: Reported, scratch: Path, *, guard: bool) -> Remarks:
    remarks = Remarks()
    with ExitStack() as opened:
        results = opened.enter_context(folder.reading(RESULTS))
        rows = opened.enter_context(folder.reading(form.file))
        if rows is None or results is None:
            missing = form.file if rows is None else RESULTS
            raise Lost(f"{missing} is gone from the job's folder, so {file_of(form)} cannot be written")
        index = opened.enter_context(indexed(scratch.with_name(scratch.name + SUFFIX), results, _places(results)))
        answer = partial(_answer, folder, index)
        source = partial(_chunks, rows)
        left_out = _left_out(opened.enter_context(folder.reading(REJECTS)))
        if form.objects:
            columns = answer_columns(_taken(source, form), form.properties)
            records = objects_of(source, form.id, LONGEST_LINE, MOST_ROWS)
            chunks = lines_of(beside(records, reports.in_order(), left_out, reports.late()), columns, answer, remarks)
        else:
            table = read_table(source(), PurePosixPath(form.file).suffix, form.delimiter, form.encoding)
            columns = answer_columns(table.form.columns, form.properties)
            records = rows_of(table, form.id)
            chunks = table_of(
                beside(records, reports.in_order(), left_out, reports.late()),
                table.form,
                columns,
                answer,
                remarks,
                guard=guard,
            )
        folder.write_whole(file_of(form), chunks)
    return remarks


def _left_out(rejects: BinaryIO | None) -> Iterator[LeftOut]:
    """The rows that became no request, each with what was wrong."""
    for line in rejects or ():
        with suppress(msgspec.MsgspecError):  # somebody has written into it
            found = typed.decode(line, _Rejected)
            yield LeftOut(found.row or 0, "; ".join(each.message for each in found.errors))


class _Told(msgspec.Struct):
    message: str


class _Rejected(msgspec.Struct):
    errors: list[_Told]
    row: int | None = None


def _taken(source: Callable[[], Iterator[bytes]], form: RowsForm) -> list[str]:
    """Which of our names the objects have already."""
    ours = {*(form.properties or ("answer",)), *ABOUT}
    found: set[str] = set()
    for record in objects_of(source, form.id, LONGEST_LINE, MOST_ROWS):
        if not isinstance(record, Fault):
            found |= ours & record.values.keys()
    return sorted(found)


def _sentences(remarks: Remarks, file: str) -> list[str]:
    if not remarks.beyond_a_cell:
        return []
    many = f"{remarks.beyond_a_cell:,} answers are" if remarks.beyond_a_cell > 1 else "1 answer is"
    return [f"{many} longer than the {LONGEST_CELL:,} characters that a spreadsheet shows of a cell; {file} has all"]


def _places(results: BinaryIO) -> Iterator[tuple[str, int, int]]:
    """Whose each line is, and where it stands; what cannot be read is nobody's."""
    offset = 0
    for line in results:
        try:
            custom_id, _ = result_line.whose(line)
        except Garbled:
            pass
        else:
            yield custom_id, offset, len(line)
        offset += len(line)


def _answer(folder: JobFolder, index: LineIndex, report: ReportRow) -> str:
    """The text of an answer; that of several rounds is whole in its document alone."""
    if report.rounds > 1 and report.document:
        with folder.reading(report.document) as document:
            if document is not None:
                return document.read().decode("utf-8", "replace")
    line = index.find(report.custom_id)
    return "" if line is None else answer_in(line)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(disk.COPY_BYTES):
        yield chunk
