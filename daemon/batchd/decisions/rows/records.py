"""What a prompt is asked of: the rows of a table, the objects of a file of lines, or one file as a whole."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from batchd.decisions.jobfile.attachment import Attached, wrapped
from batchd.decisions.jobfile.other_forms import NOT_UTF8
from batchd.decisions.jobfile.reader import LINES_A_REQUEST, Source, filled, parse_line
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.decisions.rows.table import RowFault, Table
from batchd.model import Problem
from batchd.text.jsonscan import split_lines
from batchd.text.strictjson import Flawed, Json

CUSTOM_ID: Final = "custom_id"
"""The column that names each row, where the prompt file says no other."""
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
OTHER_KINDS: Final = ({"params"}, {"method", "url", "body"})
"""Keys by which a line is a request, of ours or of another vendor, and no row."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that a prompt is asked of."""

    line: int
    """Of its file, from 1."""
    row: int
    """As a spreadsheet counts; 0 for a file as a whole."""
    custom_id: str
    values: Mapping[str, Json]
    """By the names that a template has for them."""
    of_file: Mapping[str, str] = field(default_factory=dict)
    """The file's own: `OF_FILE`."""
    blocks: tuple[Json, ...] = ()
    """Of content, in front of the prompt."""
    written: bytes = b""
    """Of an object, its line."""


class Fault(NamedTuple):
    """A row that nothing can be asked of."""

    line: int
    row: int
    custom_id: str
    problems: tuple[Problem, ...]
    """At least one."""
    cells: tuple[str, ...] = ()
    """Of a table's row, as far as they could be read."""
    written: bytes = b""
    """Of an object, its line; empty where it is too long."""


def id_column(said: str | None, columns: Container[str]) -> str | None:
    """The column that names each row; None where rows are named by their numbers.

    Args:
        said: The setting `id`.
        columns: That there are.
    """
    return said or (CUSTOM_ID if CUSTOM_ID in columns else None)


def names_of(path: PurePosixPath) -> dict[str, str]:
    """What a template may know of the file that its rows stand in."""
    shown = str(path).encode("utf-8", "replace").decode()
    return {"file": shown, "stem": PurePosixPath(shown).stem}


def rows_of(table: Table, said: str | None, of_file: Mapping[str, str] = NOTHING) -> Iterator[Record | Fault]:
    """The rows of a table.

    Args:
        table: That is being read.
        said: The setting `id`.
        of_file: What a template may know of the file.

    Raises:
        Broken: The table cannot be read on.
    """
    columns = table.form.columns
    named = id_column(said, columns)
    for row in table.rows:
        values = dict(zip(columns, row.cells, strict=False))
        custom_id, wrong = _identity(values, named, row.number)
        if isinstance(row, RowFault):
            wrong = [Problem(row.line, row.column, row.message, row.number)]
        if wrong:
            problems = tuple(Problem(row.line, each.field, each.message, row.number) for each in wrong)
            yield Fault(row.line, row.number, custom_id, problems, row.cells)
        else:
            yield Record(row.line, row.number, custom_id, values, of_file)


def objects_of(
    source: Source, said: str | None, limit: int, most: int, of_file: Mapping[str, str] = NOTHING
) -> Iterator[Record | Fault]:
    """The plain objects of a file of lines.

    Args:
        source: Opens it.
        said: The setting `id`.
        limit: Bytes of the longest line.
        most: Objects that a file may have.
        of_file: What a template may know of the file.

    Raises:
        Broken: There are more lines than so many objects can have.
    """
    for number, line in filled(split_lines(source(), limit), most * LINES_A_REQUEST):
        value: Json = None
        custom_id, wrong = f"row-{number}", []
        try:
            value = parse_line(line, limit)
        except UnicodeDecodeError:
            wrong = [Problem(number, "", NOT_UTF8)]
        except Flawed as flawed:
            wrong = [Problem(number, *flaw) for flaw in flawed.flaws]
        else:
            if not isinstance(value, dict):
                wrong = [Problem(number, "", 'must be an object such as {"subject": "…"}')]
            elif any(keys <= value.keys() for keys in OTHER_KINDS):
                wrong = [Problem(number, "", "a request among rows; a file holds one kind of line: part them")]
            else:
                custom_id, wrong = _identity(value, id_column(said, value), number)
        if wrong or not isinstance(value, dict):
            problems = tuple(Problem(number, each.field, each.message) for each in wrong)
            yield Fault(number, number, custom_id, problems, written=line or b"")
        else:
            yield Record(number, number, custom_id, value, of_file, written=line or b"")


def text_record(path: PurePosixPath, stem: str, text: str, prompt: PromptFile) -> Record:
    """A text file as a whole; where the prompt does not say where its text stands, it stands in front."""
    of_file = {**names_of(path), "text": text}
    said = prompt.template is not None and "text" in prompt.template.names
    block = {"type": "text", "text": wrapped([Attached(of_file["file"], text)])}
    return Record(1, 0, stem, {}, of_file, () if said else (block,))


def _identity(values: Mapping[str, Json], named: str | None, number: int) -> tuple[str, list[Problem]]:
    numbered = f"row-{number}"
    if named is None:
        return numbered, []
    found = values.get(named)
    if isinstance(found, int | float) and not isinstance(found, bool):
        found = msgspec.json.encode(found).decode()
    if found is None or found == "":
        return numbered, [Problem(0, named, "empty; it names the row, so every row needs one")]
    if not isinstance(found, str):
        return numbered, [Problem(0, named, "must be a text or a number: it names the row")]
    return found, []
