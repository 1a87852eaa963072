"""A table as rows: CSV and TSV by stated rules, never by guessing, with every fault told by its row.

Detectors were tried: charset-normalizer calls cp1252 mac_roman, and csv.Sniffer gives up on a single column.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from batchd.text.jsonscan import Broken

SUFFIXES: Final = (".csv", ".tsv")
DELIMITERS: Final = (",", ";", "\t", "|")
ENCODINGS: Final = ("utf-8", "utf-16", "cp1252", "latin-1")
LONGEST_CELL: Final = 8_000_000
"""Characters; it bounds an unclosed quote, too."""
LONGEST_ROW: Final = 10_000_000
"""Characters of a row, all its lines and cells together: what is in memory of a table at one time."""
LONGEST_HEADER: Final = 1_000_000
MOST_COLUMNS: Final = 2_000
MOST_ROWS: Final = 1_000_000

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMES: Final = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


class Row(NamedTuple):
    """A row as it stands in the table."""

    number: int
    """As a spreadsheet shows it: the header is 1, empty lines count."""
    line: int
    """Of the file, on which it begins, from 1."""
    cells: tuple[str, ...]


class RowFault(NamedTuple):
    """A row that cannot be taken."""

    number: int
    line: int
    column: str
    """Its name; empty where the row as a whole is at fault."""
    message: str
    cells: tuple[str, ...]
    """What could be read of it."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a table is written, so that one like it can be written."""

    columns: tuple[str, ...]
    delimiter: str
    line_end: str
    marked: bool
    """Whether a byte order mark stands in front."""
    separated: bool = False
    """Whether a first line `sep=;` says what parts the cells."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is being read."""

    form: Form
    rows: Iterator[Row | RowFault]


def read_table(
    source: Iterable[bytes], suffix: str, delimiter: str | None = None, encoding: str | None = None
) -> Table:
    """Read the header of a table; its rows follow as they are asked for, in constant memory.

    Args:
        source: The file's bytes, from the first on, in pieces of any size.
        suffix: `.csv` or `.tsv`.
        delimiter: What parts cells; None for a tab in a `.tsv`, else the one of `DELIMITERS` that the header has.
        encoding: One of `ENCODINGS`; None for what the byte order mark says, else UTF-8.

    Raises:
        Broken: The header is at fault, or the bytes are of another encoding; the rows may raise it, too.
    """
    pieces = iter(source)
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= len(codecs.BOM_UTF8):
            break
    mark, named = next(((mark, named) for mark, named in _MARKS if start.startswith(mark)), (b"", "utf-8"))
    text = _Lines(_chained(start, pieces), named if mark else encoding or named)
    first = text.peek()
    if (told := _separator_told(first)) is not None:
        text.skip()
        delimiter = delimiter or told
    line_end = _line_end(text.peek())
    if delimiter is None:
        delimiter = "\t" if suffix.lower() == ".tsv" else _delimiter_of(text)
    reader = _Reader(text, delimiter, numbered=2 if told is not None else 1)
    columns = _header(reader)
    form = Form(columns, delimiter, line_end, marked=bool(mark), separated=told is not None)
    return Table(form, _rows(reader, columns))


def _chained(start: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from rest


class _Lines:
    """The text of a file, line by line, each with its end; a row of any length costs no more than `LONGEST_ROW`."""

    def __init__(self, pieces: Iterator[bytes], encoding: str) -> None:
        self._bytes = _Pieces(pieces)
        self._text = io.TextIOWrapper(self._bytes, encoding, newline="")
        self._encoding = encoding
        self._ahead: str | None = None
        self.number = 0
        """Lines read."""
        self._began, self._row = 1, 0
        """The first line of the row, and the characters of it that have been read."""

    def begin_row(self) -> None:
        """Say that the next line is the first of another row."""
        self._began, self._row = self.number + 1, 0

    def peek(self) -> str:
        """Return the next line, without taking it."""
        if self._ahead is None:
            self._ahead = self._next()
        return self._ahead

    def skip(self) -> None:
        """Take the next line."""
        next(self, None)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, self._ahead = self.peek(), None
        if not line:
            raise StopIteration
        self.number += 1
        self._row += len(line)
        self._check(self._row)
        return line

    def _check(self, characters: int) -> None:
        if characters > LONGEST_ROW:
            raise Broken(self._began, f"a row of more than {LONGEST_ROW:,} characters; is this a table?")

    def _next(self) -> str:
        try:
            line = self._text.readline(LONGEST_ROW + 1)
        except UnicodeDecodeError as error:
            behind = error.object[error.start :]
            byte = self._bytes.given - len(behind) + 1
            number = self._bytes.line_ends - behind.count(b"\n") + 1
            said = f"not {self._encoding.removesuffix('-sig').upper()} at byte {byte:,}"
            raise Broken(number, f"{said}; save it as CSV UTF-8, or say encoding: cp1252") from None
        except UnicodeError:
            raise Broken(self.number + 1, "UTF-16 with half a character; save it as CSV UTF-8") from None
        self._check(len(line))
        return line


class _Pieces(io.BufferedIOBase):
    """Bytes in pieces as a file, which knows how far it was read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")
        self.name = "a table"
        self.given = 0
        """Bytes handed out."""
        self.line_ends = 0
        """Among them."""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read1(self, size: int = -1) -> bytes:
        """Return at most so many of the bytes that come next."""
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._left = memoryview(piece)
        taken = bytes(self._left[: size if size > 0 else None])
        self._left = self._left[len(taken) :]
        self.given += len(taken)
        self.line_ends += taken.count(b"\n")
        return taken


class _Reader:
    """The records of a table, numbered as a spreadsheet does."""

    def __init__(self, lines: _Lines, delimiter: str, numbered: int) -> None:
        csv.field_size_limit(LONGEST_CELL)
        self._lines = lines
        self._csv = csv.reader(lines, delimiter=delimiter, strict=True)
        self.number = numbered - 1
        self.line = 0

    def next(self) -> list[str] | None:
        """Return the next record; empty for an empty line, None at the end.

        Raises:
            csv.Error: It cannot be read.
        """
        self._lines.begin_row()
        self.line = self._lines.number + 1
        self.number += 1
        return next(self._csv, None)

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return not self._lines.peek()


def _separator_told(line: str) -> str | None:
    """Return what a first line `sep=;` says, as Excel writes and obeys it."""
    bare = line.rstrip("\r\n")
    told = bare.removeprefix("sep=")
    return told if told != bare and len(told) == 1 else None


def _line_end(line: str) -> str:
    return "\r\n" if line.endswith("\r\n") or not line.endswith(("\n", "\r")) else line[-1]


def _delimiter_of(lines: _Lines) -> str:
    """Return the one delimiter that stands in the first line outside of quotes; a single column needs none."""
    outside: set[str] = set()
    quoted = False
    for character in lines.peek():
        if character == '"':
            quoted = not quoted
        elif not quoted and character in DELIMITERS:
            outside.add(character)
    if len(outside) > 1:
        both = " and ".join(_NAMES[each] for each in DELIMITERS if each in outside)
        raise Broken(1, f"{both} stand in the header; say which parts the columns, as in delimiter: ';'")
    return outside.pop() if outside else ","


def _header(reader: _Reader) -> tuple[str, ...]:
    try:
        found = reader.next()
    except csv.Error as error:
        raise Broken(reader.line, f"the header cannot be read: {_explained(error)}") from None
    if found is None:
        raise Broken(0, "there is no header: the first row names the columns")
    if sum(map(len, found)) > LONGEST_HEADER:
        raise Broken(reader.line, f"a header of more than {LONGEST_HEADER:,} characters; is this a table?")
    if len(found) > MOST_COLUMNS:
        raise Broken(reader.line, f"{len(found):,} columns; at most {MOST_COLUMNS:,} are taken")
    columns = tuple(name.strip() for name in found)
    if not any(columns):
        raise Broken(reader.line, "the first row is empty; it names the columns")
    seen: dict[str, int] = {}
    for place, name in enumerate(columns, start=1):
        if not name:
            raise Broken(reader.line, f"column {place} has no name; give it one, or take the column away")
        if "\0" in name:
            raise Broken(reader.line, f"the name of column {place} holds a NUL character")
        if name in seen:
            raise Broken(reader.line, f"columns {seen[name]} and {place} are both called {name!r}; rename one")
        seen[name] = place
    return columns


def _rows(reader: _Reader, columns: tuple[str, ...]) -> Iterator[Row | RowFault]:
    count = empty = 0
    while True:
        try:
            cells = reader.next()
        except csv.Error as error:
            said = _explained(error)
            if reader.ended or "limit" in str(error):
                raise Broken(reader.line, f"row {reader.number:,}: {said}") from None
            yield RowFault(reader.number, reader.line, "", f"row {reader.number:,}: {said}", ())
            continue
        if cells is None:
            break
        if not cells:
            empty += 1
            if empty > MOST_ROWS:
                raise Broken(reader.line, f"more than {MOST_ROWS:,} empty lines; is this a table?")
            continue
        count += 1
        if count > MOST_ROWS:
            raise Broken(reader.line, f"more than {MOST_ROWS:,} rows in one table; split it up")
        yield _row(reader.number, reader.line, tuple(cells), columns)
    if not count:
        raise Broken(0, "there is a header and no row; put rows below it")


def _row(number: int, line: int, cells: tuple[str, ...], columns: tuple[str, ...]) -> Row | RowFault:
    if len(cells) != len(columns):
        said = f"row {number:,} has {len(cells):,} cell{'s' * (len(cells) != 1)}, the header has {len(columns):,}"
        return RowFault(number, line, "", said, cells)
    for name, cell in zip(columns, cells, strict=True):
        if "\0" in cell:
            return RowFault(number, line, name, f"row {number:,} holds a NUL character; take it out", cells)
    return Row(number, line, cells)


def _explained(error: csv.Error) -> str:
    said = str(error)
    if "unexpected end" in said:
        return 'a quote " opens here and never closes'
    if "limit" in said:
        return f'a cell of more than {LONGEST_CELL:,} characters; does a quote " never close?'
    if "expected after" in said:
        return 'something stands between a closing quote " and the next cell; double the quotes within a cell'
    if "new-line" in said:
        return "a lone carriage return stands in a cell without quotes"
    return said
