"""Tables in: by stated rules, every fault at its row."""

import csv
import io
from collections.abc import Iterator

import pytest
from batchd.decisions.rows.table import LONGEST_CELL, Form, Row, RowFault, Table, read_table
from batchd.text.jsonscan import Broken
from hypothesis import given
from hypothesis import strategies as st


def read(data: bytes, suffix: str = ".csv", *, delimiter: str | None = None, encoding: str | None = None) -> Table:
    pieces = (data[place : place + 3] for place in range(0, len(data), 3))
    return read_table(pieces, suffix, delimiter, encoding)


def cells(data: bytes, suffix: str = ".csv", **said: str) -> list[tuple[str, ...]]:
    return [row.cells for row in read(data, suffix, **said).rows]


@pytest.mark.parametrize(
    ("data", "suffix", "form"),
    [
        (b"a,b\n1,2\n", ".csv", Form(("a", "b"), ",", "\n", marked=False)),
        (b"\xef\xbb\xbfa;b\r\n1;2\r\n", ".csv", Form(("a", "b"), ";", "\r\n", marked=True)),
        (b"a\tb\n1\t2\n", ".TSV", Form(("a", "b"), "\t", "\n", marked=False)),
        (b"a\tb\n1\t2\n", ".csv", Form(("a", "b"), "\t", "\n", marked=False)),
        (b"a|b\r1|2\r", ".csv", Form(("a", "b"), "|", "\r", marked=False)),
        (b"a\n1\n", ".csv", Form(("a",), ",", "\n", marked=False)),
        (b'"a,x";b\n1;2\n', ".csv", Form(("a,x", "b"), ";", "\n", marked=False)),
        (b"sep=;\na,x;b\n1;2\n", ".csv", Form(("a,x", "b"), ";", "\n", marked=False, separated=True)),
        ("a;b\r\n1;2\r\n".encode("utf-16"), ".csv", Form(("a", "b"), ";", "\r\n", marked=True)),
        (b" a , b\n1,2", ".csv", Form(("a", "b"), ",", "\n", marked=False)),
    ],
)
def test_how_a_table_is_written_is_seen_from_its_header(data: bytes, suffix: str, form: Form) -> None:
    assert read(data, suffix).form == form


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    rows = list(read(b'sep=,\na,b\n1,2\n\n"x\ny",3\n4,5').rows)
    assert rows == [Row(3, 3, ("1", "2")), Row(5, 5, ("x\ny", "3")), Row(6, 7, ("4", "5"))]


def test_cells_are_texts_and_stay_as_they_are() -> None:
    assert cells(b'a,b,c,d\n007,1e5, x ,"a ""quote"""\nNA,,null,-5.00\n') == [
        ("007", "1e5", " x ", 'a "quote"'),
        ("NA", "", "null", "-5.00"),
    ]


def test_another_encoding_is_read_where_it_is_said() -> None:
    assert cells("ä,b\nö,1\n".encode("cp1252"), encoding="cp1252") == [("ö", "1")]


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (b"", 0, "no header"),
        (b"a,b\n", 0, "no row"),
        (b"\na,b\n", 1, "first row is empty"),
        (b",\n", 1, "first row is empty"),
        (b"a,,b\n", 1, "column 2 has no name"),
        (b"a,b,a\n", 1, "columns 1 and 3 are both called 'a'"),
        (b"a, a\n", 1, "columns 1 and 2"),
        (b"a\0,b\n", 1, "NUL"),
        (b'"a,b\n1,2\n', 1, "the header cannot be read"),
        (b"a,b;c\n1,2\n", 1, "a comma and a semicolon"),
        (b"," * 2_001 + b"\n", 1, "2,002 columns"),
        (b'"' + b"a" * 1_000_001 + b'"\n', 1, "1,000,000 characters"),
        (b"a,b\n\xff\xfe,1\n", 2, "not UTF-8 at byte 5"),
        (b'a,b\n1,2\n"unclosed,6\n7,8\n', 3, "row 3: a quote"),
        (b'a,b\n1,"' + b"x\n" * (LONGEST_CELL // 2 + 10) + b'"\n', 2, "row 2: a cell of more than"),
    ],
)
def test_what_makes_the_table_wrong_is_told_once_with_what_would_do(data: bytes, line: int, said: str) -> None:
    with pytest.raises(Broken) as broken:
        list(read_table([data], ".csv").rows)
    assert (broken.value.line, said in broken.value.message) == (line, True), broken.value.message


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (b"1,2,3", "row 2 has 3 cells, the header has 2"),
        (b"1", "row 2 has 1 cell, the header has 2"),
        (b"1,\0", "NUL"),
        (b'"x"y,2', "double the quotes"),
    ],
)
def test_a_row_that_is_wrong_is_told_and_the_next_one_read(row: bytes, said: str) -> None:
    fault, good = read(b"a,b\n" + row + b"\n3,4\n").rows
    assert isinstance(fault, RowFault)
    assert said in fault.message
    assert (fault.number, fault.line) == (2, 2)
    assert good == Row(3, 3, ("3", "4"))


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    def endless() -> Iterator[bytes]:
        yield b'a,b\n1,"'
        while True:
            yield b"x" * 1_000_000

    with pytest.raises(Broken, match="is this a table"):
        list(read_table(endless(), ".csv").rows)


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(
    st.lists(st.tuples(CELL, CELL), min_size=1), st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["\n", "\r\n"])
)
def test_whatever_pythons_csv_writes_is_read_as_it_was(rows: list[tuple[str, str]], delimiter: str, end: str) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *rows])
    assert cells(written.getvalue().encode(), delimiter=delimiter) == rows
