"""A spreadsheet is dropped by `submit`, as a table; the inbox takes none."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from batchd.client.dropping import submit
from batchd.errors import Unusable

from tests.acceptance.installation import Installation

NUMBER, TEXT, TRUTH, DATE = "n", "inlineStr", "b", "date"
NAMES = {
    "[Content_Types].xml": """<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
        <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
        <Default Extension="xml" ContentType="application/xml"/></Types>""",
    "_rels/.rels": """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
        <Relationship Id="r1" Target="xl/workbook.xml"
        Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>""",
    "xl/styles.xml": """<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">
        <cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>""",
}
Cell = tuple[str, object] | None


def workbook(to: Path, *sheets: Sequence[Sequence[Cell]]) -> Path:
    """Write a workbook as a spreadsheet program does, as small as can be."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    numbers = range(1, len(sheets) + 1)
    with zipfile.ZipFile(to, "w") as file:
        for name, text in NAMES.items():
            file.writestr(name, text)
        named = "".join(f'<sheet name="Sheet{n}" sheetId="{n}" r:id="s{n}"/>' for n in numbers)
        file.writestr("xl/workbook.xml", f'<workbook {main} xmlns:r="{office}"><sheets>{named}</sheets></workbook>')
        led = "".join(
            f'<Relationship Id="s{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
        )
        led += f'<Relationship Id="st" Type="{office}/styles" Target="styles.xml"/>'
        rels = (
            f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{led}</Relationships>'
        )
        file.writestr("xl/_rels/workbook.xml.rels", rels)
        for n, rows in zip(numbers, sheets, strict=True):
            body = "".join(
                f'<row r="{y}">{"".join(map(_cell, row, "ABCDEF", [y] * 6))}</row>' for y, row in enumerate(rows, 1)
            )
            file.writestr(f"xl/worksheets/sheet{n}.xml", f"<worksheet {main}><sheetData>{body}</sheetData></worksheet>")
    return to


def _cell(cell: Cell, column: str, row: int) -> str:
    if cell is None:
        return ""
    kind, value = cell
    if kind == TEXT:
        return f'<c r="{column}{row}" t="inlineStr"><is><t>{value}</t></is></c>'
    if kind == DATE:
        return f'<c r="{column}{row}" s="1"><v>{value}</v></c>'
    return f'<c r="{column}{row}" t="{kind}"><v>{value}</v></c>'


ROWS: list[list[Cell]] = [
    [(TEXT, "Ticket ID"), (TEXT, "subject"), (TEXT, "paid"), (TEXT, "on")],
    [(TEXT, "007"), (TEXT, "Refund, please"), (TRUTH, 1), (DATE, 46353)],
    [],
    [(NUMBER, 12.0), (TEXT, "Crash"), (TRUTH, 0), (NUMBER, 1.5)],
]
TABLE = 'Ticket ID,subject,paid,on\n007,"Refund, please",true,2026-11-27\n\n12,Crash,false,1.5\n'


def test_a_spreadsheet_is_submitted_as_a_table(batchd: Installation) -> None:
    workbook(batchd.home / "tickets.xlsx", ROWS, [])
    (batchd.home / "classify.md").write_text("---\nid: Ticket ID\n---\nClassify {{ subject }}")
    batchd.inbox.mkdir()
    done = batchd.call("submit", "tickets.xlsx", "--prompt", "classify.md", "--accept", "0")
    assert done.returncode == 0, done.stderr
    assert "2 requests, at most $" in done.stderr
    (bundle,) = batchd.inbox.iterdir()
    assert (bundle / "tickets.csv").read_text().replace("\r\n", "\n") == TABLE
    assert sorted(path.name for path in bundle.iterdir()) == ["prompt.md", "tickets.csv"]


def test_in_the_inbox_one_is_refused_with_what_to_do(batchd: Installation) -> None:
    workbook(batchd.home / "tickets.xlsx", ROWS)
    checked = batchd.call("check", "tickets.xlsx")
    assert checked.returncode == 1
    assert "batchd submit" in checked.stdout


def test_of_several_sheets_none_is_guessed(tmp_path: Path) -> None:
    workbook(tmp_path / "two.xlsx", ROWS, ROWS)
    workbook(tmp_path / "none.xlsx", [])
    (tmp_path / "broken.xlsx").write_text("no zip")
    for name, said in (("two", "has 2 sheets"), ("none", "is empty"), ("broken", "cannot be read")):
        with pytest.raises(Unusable, match=said):
            submit(tmp_path / f"{name}.xlsx", inbox=tmp_path, outbox=tmp_path)
    assert not list(tmp_path.glob("*.csv"))


def test_without_the_extra_it_says_what_to_install(batchd: Installation) -> None:
    workbook(batchd.home / "tickets.xlsx", ROWS)
    batchd.inbox.mkdir()
    without = (
        "import sys; sys.modules['python_calamine'] = None; from batchd.cli import commands; sys.exit(commands.main())"
    )
    done = batchd.python("-c", without, "submit", "tickets.xlsx")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "batchd[xlsx]" in done.stderr
    assert not list(batchd.inbox.iterdir())
