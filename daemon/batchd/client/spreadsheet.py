"""A spreadsheet becomes a table before it is dropped, in the process of whoever drops it: the daemon opens none."""

import csv
import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from batchd.errors import Unusable

ENDING: Final = ".xlsx"


@contextmanager
def as_tables(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Give files as they are to be dropped: each spreadsheet as a table of the same name, which is gone behind it.

    Raises:
        Unusable: One cannot be read, has more than one sheet that is not empty, or what reads them is not installed.
    """
    if not any(path.suffix.lower() == ENDING for path in paths):
        yield list(paths)
        return
    with tempfile.TemporaryDirectory() as folder:
        tables: list[Path] = []
        for number, path in enumerate(paths):
            if path.suffix.lower() == ENDING:
                table = Path(folder, str(number), f"{path.stem}.csv")
                table.parent.mkdir()
                _write(_rows(path), table)
                tables.append(table)
            else:
                tables.append(path)
        yield tables


def _rows(path: Path) -> list[list[object]]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415  an extra, for spreadsheets alone
    except ImportError:
        raise Unusable(
            f"{path}: spreadsheets are read by an extra: install batchd[xlsx], or save this one as CSV UTF-8"
        ) from None
    path.stat()
    try:
        book = CalamineWorkbook.from_path(path)
        sheets = {name: book.get_sheet_by_name(name) for name in book.sheet_names}
        filled = {name: rows for name, sheet in sheets.items() if any(map(any, rows := sheet.to_python()))}
    except CalamineError:
        raise Unusable(f"{path} cannot be read as a spreadsheet; save it as CSV UTF-8") from None
    if len(filled) != 1:
        said = f"has {len(filled)} sheets with something in them ({', '.join(filled)})" if filled else "is empty"
        raise Unusable(f"{path} {said}; save the one that is meant as CSV UTF-8")
    (rows,) = filled.values()
    return [list(row) for row in rows]


def _write(rows: Sequence[Sequence[object]], to: Path) -> None:
    with to.open("w", encoding="utf-8", newline="") as written:
        table = csv.writer(written)
        for row in rows:
            cells = [_text(cell) for cell in row]
            # An empty line is no row; one of empty cells would be.
            table.writerow(cells if any(cells) else [])


def _text(cell: object) -> str:
    """Write a cell as a person reads it: numbers without a tail, dates as ISO 8601 has them."""
    match cell:
        case bool():
            return str(cell).lower()
        case float() if cell.is_integer():
            return str(int(cell))
        case dt.datetime() if cell.time() == dt.time():
            return cell.date().isoformat()
        case dt.date() | dt.time():
            return cell.isoformat()
        case _:
            return str(cell)
