"""What puts a job right: rows or requests that come back, each known by its id, or by the row that was left out."""

import codecs
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final, TypeAlias

from batchd.decisions.bundle.composing import Composer
from batchd.decisions.bundle.files import Files
from batchd.decisions.jobfile.other_forms import NOT_UTF8
from batchd.decisions.jobfile.reader import SUFFIXES, Rules, Said, filled, parse_line
from batchd.decisions.jobfile.request import Requests
from batchd.decisions.rows import reader as rows
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.decisions.rows.records import Fault, Record, id_column, names_of, objects_of, rows_of
from batchd.decisions.rows.rejects import error_column, row_meant
from batchd.decisions.rows.requests_of import requests_of
from batchd.decisions.rows.table import SUFFIXES as TABLES
from batchd.decisions.rows.table import Table, read_table
from batchd.model import Amended, Caution, Entry, Problem
from batchd.text.jsonscan import Broken, split_lines
from batchd.text.strictjson import Flawed, Json, encode

_KINDS: Final = (*TABLES, *SUFFIXES)
_ONLY: Final = "the only one"
_SHOWN: Final = 5
"""Columns that are named."""

_Asked: TypeAlias = tuple[Record | Fault, Amended]


@dataclass(frozen=True, slots=True)
class Amendable:
    """What must be known of a job to read what puts it right."""

    columns: tuple[str, ...] = ()
    """Of its table; none where that is not known, or its requests are no rows of one."""
    called: PurePosixPath | None = None
    """What the file of its rows was called, to a prompt that names it."""
    only: str | None = None
    """The custom_id of its request, where it has but one."""
    beneath: frozenset[str] = frozenset()
    """Files of the job's own bundle: they may go along, and nothing is asked of them again."""


UNKNOWN: Final = Amendable()
"""A job of which nothing is known."""


def file_given_back(files: Files, prompt: PromptFile, of: Amendable) -> str | None:
    """Find the file that holds what comes back; None where there is none.

    Raises:
        Broken: There are several.
    """
    own = [path for path in files.sizes if path not in of.beneath]
    if prompt.own.rows in own:
        return prompt.own.rows
    found = [path for path in own if "/" not in path and path.lower().endswith(_KINDS)]
    if len(found) > 1:
        raise Broken(0, f"{len(found)} files that may be meant: {', '.join(sorted(found)[:_SHOWN])}; give one")
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Rows or requests that come back, read as the job's own were."""

    files: Files
    rules: Rules
    prompt: PromptFile
    composer: Composer
    of: Amendable
    """The job that they are of."""

    def read(self, path: str) -> Iterator[Said]:
        """Read rows or requests that come back.

        Args:
            path: Of the file that holds them.

        Yields:
            What a bundle yields; an Entry of a row says which.

        Raises:
            Broken: The file cannot be read on.
        """
        self.files.used.add(path)
        named = PurePosixPath(path)
        suffix = named.suffix.lower()
        first = rows.first_request(lambda: self.files.pieces(path), self.rules) if suffix in rows.LINES else None
        if suffix in TABLES:
            yield from self._table(path)
        elif first is not None and _is_left_out(first):
            yield from self._left_out(path)
        elif first is not None and not rows.is_request(first) and self.prompt.template:
            yield from self._objects(path)
        else:
            # A prompt has no id but its file's name, which may be another now: it is the only one that there is.
            called = named if self.of.only is None else named.with_stem(_ONLY)
            for said in rows.read(lambda: self.files.pieces(path), called, self.rules, self.prompt, self.composer):
                if isinstance(said, Entry) and self.of.only is not None and said.custom_id == _ONLY:
                    yield said._replace(custom_id=self.of.only)
                else:
                    yield said

    def _table(self, path: str) -> Iterator[Said]:
        # What we have written is UTF-8, whatever the job's own file was.
        encoding = None if _is_utf8(self.files.pieces(path)) else self.prompt.own.encoding
        table = read_table(self.files.pieces(path), PurePosixPath(path).suffix, self.prompt.own.delimiter, encoding)
        columns = table.form.columns
        error = error_column(self.of.columns)
        flaws = list(rows.column_flaws(self.prompt, columns))
        yield from (Problem(1, *flaw) for flaw in flaws)
        for lacking in (each for each in self.of.columns if each not in columns):
            yield Problem(1, lacking, "the table of the job has this column; give it back with its rows")
        if self.of.columns and (strange := [each for each in columns if each not in self.of.columns and each != error]):
            more = f" and {len(strange) - _SHOWN:,} more" if len(strange) > _SHOWN else ""
            yield Caution(1, "", f"no columns of the job's table, so not used: {', '.join(strange[:_SHOWN])}{more}")
        if self.prompt.template and not flaws:
            numbered = id_column(self.prompt.own.id, columns) is None
            yield from self._ask(self._rows(table, error, numbered=numbered))

    def _rows(self, table: Table, error: str, *, numbered: bool) -> Iterator[_Asked]:
        for record in rows_of(table, self.prompt.own.id, names_of(self.of.called or PurePosixPath())):
            if isinstance(record, Fault):
                yield record, Amended()
                continue
            row = row_meant(str(record.values.get(error, "")))
            values = {name: value for name, value in record.values.items() if name != error}
            yield (replace(record, custom_id=f"row-{row}") if row and numbered else record), Amended(row, values)

    def _objects(self, path: str) -> Iterator[Said]:
        flaws = [] if self.prompt.columns else list(rows.column_flaws(self.prompt, ()))
        yield from (Problem(1, *flaw) for flaw in flaws)
        names = names_of(self.of.called or PurePosixPath())
        found = objects_of(
            lambda: self.files.pieces(path),
            self.prompt.own.id,
            self.rules.max_request_bytes,
            self.rules.max_requests,
            names,
        )
        asked = (
            (each, Amended() if isinstance(each, Fault) else Amended(0, each.values, each.written.strip()))
            for each in found
        )
        if not flaws:
            yield from self._ask(asked)

    def _ask(self, records: Iterable[_Asked]) -> Iterator[Said]:
        if self.prompt.template is None:
            return
        requests = rows.requests_with(self.rules, self.prompt, rows=True)
        for record, amended in records:
            for said in requests_of(self.prompt, self.prompt.template, [record], requests, self.composer):
                yield said._replace(amended=amended) if isinstance(said, Entry) else said

    def _left_out(self, path: str) -> Iterator[Said]:
        """Read lines of `rejects.jsonl` that were put right."""
        requests = Requests(self.rules, self.prompt.settings)
        lines = filled(split_lines(self.files.pieces(path), self.rules.max_request_bytes), 10 * self.rules.max_requests)
        of_rows: list[_Asked] = []
        for number, line in lines:
            try:
                value = parse_line(line, self.rules.max_request_bytes)
            except UnicodeDecodeError:
                yield Problem(number, "", NOT_UTF8)
                continue
            except Flawed as flawed:
                yield from (Problem(number, *flaw) for flaw in flawed.flaws)
                continue
            if not isinstance(value, dict) or not _is_left_out(value):
                yield Problem(number, "", "no line of rejects.jsonl among such lines; give them in files of their own")
                continue
            meant = value.get("row") or value.get("line")
            row = meant if isinstance(meant, int) and not isinstance(meant, bool) and meant > 0 else 0
            if "request" in value:
                for said in requests.offer(number, value["request"]):
                    yield said._replace(amended=Amended(row)) if isinstance(said, Entry) else said
            elif isinstance(value["row_data"], dict) and value["row_data"]:
                of_rows.append(self._row_left_out(number, row, value["row_data"]))
            else:
                yield Problem(number, "row_data", "empty; write the row here, as an object with its columns")
        if of_rows and self.prompt.template is None:
            yield Problem(0, "", "there is nothing to ask of these rows: the prompt of the job is missing")
        yield from self._ask(of_rows)

    def _row_left_out(self, number: int, row: int, data: Mapping[str, Json]) -> _Asked:
        line = encode(data)
        [record] = objects_of(
            lambda: [line], self.prompt.own.id, len(line) + 1, 1, names_of(self.of.called or PurePosixPath())
        )
        if isinstance(record, Fault):
            problems = tuple(replace(each, line=number) for each in record.problems)
            return record._replace(line=number, row=row, problems=problems), Amended()
        named = record.custom_id if id_column(self.prompt.own.id, data) else f"row-{row or number}"
        return replace(record, line=number, row=row, custom_id=named), Amended(row, data, line)


def _is_left_out(line: Mapping[str, Json]) -> bool:
    return "errors" in line and bool({"request", "row_data"} & line.keys())


def _is_utf8(pieces: Iterable[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in pieces:
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
