"""Rows beside their answers: each its own, in the order of the file, those that were left out among them."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal

from batchd.decisions.rows.answered import Remarks, beside, lines_of, table_of
from batchd.decisions.rows.columns import answer_columns
from batchd.decisions.rows.records import Fault, Record, objects_of, rows_of
from batchd.decisions.rows.table import read_table
from batchd.delivery import ReportRow
from batchd.model import Cost, Usage, Verdict


def report(custom_id: str, verdict: Verdict = Verdict.COMPLETE, reason: str = "") -> ReportRow:
    return ReportRow(
        custom_id=custom_id,
        model="claude-haiku-5-5",
        verdict=verdict,
        stop_reason=None,
        reason=reason,
        usage=Usage(),
        cost=Cost(Decimal("0.00001"), None),
        attempts=1,
        rounds=1,
        batches=(),
        document=None,
        sections=(),
        chain=(),
        cached=False,
        settings={},
        offset=0,
        size=0,
    )


def reports() -> Iterator[ReportRow]:
    yield report("a")
    yield report("c", Verdict.ERRORED, "=no")
    yield report("d", Verdict.TRUNCATED, "cut")


TABLE = b"custom_id,x\na,1\nb\na,again\nc,3\nd,4\n"


def test_each_row_gets_its_own_answer_and_those_left_out_are_there() -> None:
    table = read_table([TABLE], ".csv")
    remarks = Remarks()
    rows = beside(rows_of(table, None), reports(), iter(()))
    columns = answer_columns(table.form.columns, ())
    text = b"".join(table_of(rows, table.form, columns, lambda row: f"={row.custom_id}", remarks, guard=True)).decode()
    found = list(csv.reader(io.StringIO(text, newline="")))
    assert [row[:2] for row in found[1:]] == [["a", "1"], ["b", ""], ["a", "again"], ["c", "3"], ["d", "4"]]
    assert [row[2] for row in found[1:]] == ["'=a", "", "", "", "'=d"]
    assert [row[3] for row in found[1:]] == ["complete", "rejected", "rejected", "errored", "truncated"]
    assert found[2][4].startswith("row 3 has 1 cell")
    assert (found[4][4], found[1][5], found[2][5]) == ("'=no", "0.00001", "")
    assert remarks.rejected == 2


def test_objects_stay_as_they_were_written() -> None:
    lines = b'{"custom_id": "a", "n": 1.50}\n{"n": }\n{ "custom_id":"c" }\n'
    records = list(objects_of(lambda: [lines], None, 1_000, 10))
    assert [type(each) for each in records] == [Record, Fault, Record]
    columns = answer_columns([], ())
    found = (
        b"".join(lines_of(beside(records, reports(), iter(())), columns, lambda _: "yes", Remarks()))
        .decode()
        .splitlines()
    )
    assert (
        found[0] == '{"custom_id": "a", "n": 1.50,"answer":"yes","verdict":"complete","reason":"","cost_usd":0.00001}'
    )
    assert json.loads(found[1])["verdict"] == "rejected"
    assert found[2].startswith('{ "custom_id":"c","answer":""')


def test_an_answer_longer_than_a_cell_is_whole_and_told() -> None:
    table = read_table([b"custom_id\na\n"], ".csv")
    remarks = Remarks()
    rows = beside(rows_of(table, None), reports(), iter(()))
    text = b"".join(
        table_of(rows, table.form, answer_columns(["custom_id"], ()), lambda _: "x" * 40_000, remarks, guard=True)
    )
    assert b"x" * 40_000 in text
    assert remarks.beyond_a_cell == 1
