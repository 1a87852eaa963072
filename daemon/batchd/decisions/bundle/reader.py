"""What a bundle asks: its prompt of each row of a table, of each of some files, or once."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Final

import msgspec

from batchd.decisions.bundle.amendment import UNKNOWN, Amendable, GivenBack, file_given_back
from batchd.decisions.bundle.composing import Composer, far_pictures, with_pictures_marked
from batchd.decisions.bundle.contents import no_prompt, prompt_of
from batchd.decisions.bundle.files import Files, matching
from batchd.decisions.bundle.steps.reader import read_steps
from batchd.decisions.jobfile.attachment import Attached, wrapped
from batchd.decisions.jobfile.naming import LONGEST_ID
from batchd.decisions.jobfile.reader import Rules, Said, usable
from batchd.decisions.rows import reader as rows
from batchd.decisions.rows.prompt_file import LONGEST, PromptFile, parse_prompt_file
from batchd.decisions.rows.records import Fault, Record, names_of, rows_of
from batchd.decisions.rows.requests_of import requests_of
from batchd.decisions.rows.table import SUFFIXES as TABLES
from batchd.decisions.rows.table import read_table
from batchd.decisions.rows.template import OF_FILE, PromptTemplate
from batchd.model import Caution, Problem, Reject, RowsForm, Terms
from batchd.text.jsonscan import Broken
from batchd.text.strictjson import Flawed, Json, Malformed, decode

FOLDER: Final = "request"
"""Where a bundle lies in its job's folder."""
LISTING: Final = "files.csv"
"""The table of the files of which each was asked, in the job's folder."""
_FILE: Final = "file"
"""Its only column."""
_ROWS: Final = (*TABLES, *rows.LINES)
_SHOWN: Final = 5
"""Unused files that are named."""


def read(
    files: Files, name: str, rules: Rules, ceiling: Decimal | None = None, amended: Amendable = UNKNOWN
) -> Iterator[Said]:
    """Read a bundle; this never raises anything of its own, whatever it holds.

    Args:
        files: All of them, the prompt among them.
        name: Of the bundle, without its ending.
        rules: Defaults, limits and the catalogue of models.
        ceiling: USD that the instructions of its folder allow a job; its own budget cannot widen that.
        amended: What is known of the job that it puts right, where it does.

    Yields:
        What `jobfile.reader.read` yields.
    """
    path = prompt_of(files.sizes)
    if path is None:
        yield Problem(0, "", no_prompt(files.sizes))
        return
    try:
        data = files.read(path, LONGEST)
        text = data.decode()
    except OSError as error:
        yield Problem(0, path, f"cannot be read: {error.strerror}")
        return
    except UnicodeDecodeError:
        yield Problem(0, path, "is not UTF-8; save it as UTF-8")
        return
    if len(data) > LONGEST:
        yield Problem(
            0, path, f"is longer than {LONGEST:,} bytes, and a prompt may not be; put data into files beside it"
        )
        return
    found = parse_prompt_file(text, rules, lambda schema: _schema(files, schema), with_pictures_marked)
    if isinstance(found, list):
        yield from (replace(each, message=f"{path}: {each.message}") for each in found)
        return
    if ceiling is not None and (found.budget is None or found.budget > ceiling):
        found.settings["budget"] = float(ceiling)
    files.sizes = {other: size for other, size in files.sizes.items() if other != path}
    try:
        if found.own.amends is not None:
            yield from _amending(files, name, rules, found, amended)
        elif found.own.steps:
            yield from read_steps(found, text, path, files, rules, lambda schema: _schema(files, schema))
        else:
            yield from _asked(files, name, rules, found)
    except Broken as broken:
        yield Problem(broken.line, "", broken.message)
    yield from _far(text)
    yield from _unused(files, amended.beneath)


def _asked(files: Files, name: str, rules: Rules, prompt: PromptFile) -> Iterator[Said]:
    if prompt.template is None:
        raise Broken(0, "the prompt is empty; write what to ask below the settings")
    composer = Composer(files, prompt.attach)
    if prompt.own.rows and prompt.own.each:
        yield Problem(0, "each", "stands beside rows; a bundle asks of rows or of files, so leave one of them out")
        return
    table = None if prompt.own.each else _table(files, prompt)
    if table:
        if table not in files.sizes or not table.lower().endswith(_ROWS):
            wrong = "is no file of this bundle" if table not in files.sizes else f"does not end in {', '.join(_ROWS)}"
            yield Problem(0, "rows", f"{table!r} {wrong}")
            return
        files.used.add(table)
        try:
            next(files.pieces(table), b"")
        except OSError as error:
            yield Problem(0, table, f"cannot be read: {error.strerror}")
            return
        for each in rows.read(lambda: files.pieces(table), PurePosixPath(table), rules, prompt, composer):
            yield _in_request(each, table) if isinstance(each, Terms) else each
        return
    yield from prompt.introducing(_of_files(files, name, rules, prompt, prompt.template, composer))


def _of_files(  # noqa: PLR0913  as `_each`
    files: Files, name: str, rules: Rules, prompt: PromptFile, template: PromptTemplate, composer: Composer
) -> Iterator[Said]:
    """Ask where there is no table: of each file, or once."""
    if prompt.own.each:
        yield from _each(files, rules, prompt, template, composer)
        return
    if names := sorted(name for each in prompt.templates for name in each.names | each.keys):
        said = f"the prompt names {names[0]!r}, and this bundle has neither rows nor each to take it from"
        raise Broken(0, f"{said}; text with {{{{ }}}} in it stands between {{% raw %}} and {{% endraw %}}")
    yield from _once(usable(name), rules, prompt, template, composer)


def _once(
    custom_id: str, rules: Rules, prompt: PromptFile, template: PromptTemplate, composer: Composer
) -> Iterator[Said]:
    requests = rows.requests_with(rules, prompt, rows=False)
    yield from requests.terms()
    yield from requests_of(prompt, template, [Record(1, 0, custom_id, {})], requests, composer)


def _amending(files: Files, name: str, rules: Rules, prompt: PromptFile, of: Amendable) -> Iterator[Said]:
    """Read what puts a job right; of that nothing is left out."""
    prompt = replace(prompt, own=msgspec.structs.replace(prompt.own, on_error="refuse"))
    composer = Composer(files, prompt.attach)
    path = file_given_back(files, prompt, of)
    if path is not None and not (prompt.own.each and prompt.template):
        yield from GivenBack(files, rules, prompt, composer, of).read(path)
    elif prompt.template is None:
        raise Broken(0, "there is nothing here to put the job right with: put a file with rows or requests beside it")
    elif prompt.own.each:
        yield from _each_again(files, path, rules, prompt, prompt.template, composer, of)
    elif prompt.columns:
        raise Broken(0, "there are no rows here to put the job right with: put a table of them beside the prompt")
    else:
        yield from _once(of.only or usable(name), rules, prompt, prompt.template, composer)


def _each_again(  # noqa: PLR0913  as `_each`
    files: Files,
    path: str | None,
    rules: Rules,
    prompt: PromptFile,
    template: PromptTemplate,
    composer: Composer,
    of: Amendable,
) -> Iterator[Said]:
    """Ask again of files: those that a table names, or else those that came along."""
    if path is None:
        own = {each: size for each, size in files.sizes.items() if each not in of.beneath}
        yield from _each(replace(files, sizes=own), rules, prompt, template, composer)
        return
    files.used.add(path)
    table = read_table(files.pieces(path), PurePosixPath(path).suffix)
    named = dict.fromkeys(each.custom_id for each in rows_of(table, _FILE))
    requests = rows.requests_with(rules, prompt, rows=True)
    yield from requests_of(prompt, template, _records(files, named, template), requests, composer)


def _in_request(terms: Terms, table: str) -> Terms:
    """Say where the rows lie once the bundle was taken."""
    return replace(terms, rows=msgspec.structs.replace(terms.rows, file=f"{FOLDER}/{table}") if terms.rows else None)


def _table(files: Files, prompt: PromptFile) -> str | None:
    """The file of the rows: as said, or the only one there is at the top that nobody attaches."""
    if prompt.own.rows:
        return prompt.own.rows
    attached = {path for pattern in prompt.own.attach for path in matching(pattern, files.sizes)}
    tables = [path for path in files.sizes if "/" not in path and path.lower().endswith(_ROWS) and path not in attached]
    return tables[0] if len(tables) == 1 else None


def _each(
    files: Files, rules: Rules, prompt: PromptFile, template: PromptTemplate, composer: Composer
) -> Iterator[Said]:
    """Ask of each of some files."""
    paths: dict[str, None] = {}
    for number, pattern in enumerate(prompt.own.each_of):
        place = f"each[{number}]" if isinstance(prompt.own.each, list) else "each"
        try:
            paths |= dict.fromkeys(files.find(pattern, place))
        except Flawed as flawed:
            yield from (Problem(0, *flaw) for flaw in flawed.flaws)
    if unknown := sorted(name for each in prompt.templates for name in each.keys | each.names.difference(OF_FILE)):
        known = ", ".join(OF_FILE)
        yield Problem(0, "", f"the prompt names {unknown[0]!r}; of a file it may name {known}")
        return
    requests = rows.requests_with(rules, prompt, rows=True)
    form = RowsForm(
        file=LISTING, id=_FILE, delimiter=",", properties=prompt.form.sent.properties if prompt.form else ()
    )
    yield Terms(prompt.budget, form, listing=tuple(paths), readers=prompt.readers, turn=prompt.turn)
    for said in requests_of(prompt, template, _records(files, paths, template), requests, composer):
        yield said._replace(columns=(_FILE,), cells=(said.custom_id,)) if isinstance(said, Reject) else said


def _records(files: Files, paths: Iterable[str], template: PromptTemplate) -> Iterator[Record | Fault]:
    """A record of each file: its block in front, or its text where the prompt says."""
    for number, path in enumerate(paths, start=2):  # as in their table, behind its header
        if len(path) > LONGEST_ID:
            said = f"a path of {len(path):,} characters; it is the request's custom_id, which has at most {LONGEST_ID}"
            yield Fault(0, number, path[:LONGEST_ID], (Problem(0, path, said),), (path,))
            continue
        try:
            loaded = files.load(path, again=False)
        except Flawed as flawed:
            yield Fault(0, number, path, tuple(Problem(0, *flaw) for flaw in flawed.flaws), (path,))
            continue
        of_file = names_of(PurePosixPath(path))
        if loaded.block is not None:
            yield Record(0, number, path, {}, of_file, (loaded.block,))
        elif "text" in template.names:
            yield Record(0, number, path, {}, {**of_file, "text": loaded.text})
        else:
            block = {"type": "text", "text": wrapped([Attached(path, loaded.text)])}
            yield Record(0, number, path, {}, of_file, (block,))


def listing(paths: Iterable[str]) -> Iterator[bytes]:
    """The table of the files of which each was asked."""
    for path in (_FILE, *paths):
        yield (
            f'"{path.replace(chr(34), 2 * chr(34))}"\n'.encode() if set(path) & set('",\r\n') else f"{path}\n".encode()
        )


def _schema(files: Files, path: str) -> Json:
    """The schema in a file of the bundle.

    Raises:
        ValueError: There is none; says why.
    """
    if path not in files.sizes:
        raise ValueError(f"{path!r} is no file of this bundle; write the schema here, or the path of its file")
    files.used.add(path)
    try:
        text = files.read(path, LONGEST).decode().strip()
        value, end = decode(text)
    except (OSError, UnicodeDecodeError, Malformed, Flawed) as error:
        raise ValueError(f"{path!r} is not JSON: {error}") from None
    if end < len(text):
        raise ValueError(f"{path!r} is not JSON: something follows after the schema")
    return value


def _far(text: str) -> Iterator[Caution]:
    if far := next(far_pictures(text), None):
        shown = far if len(far) < LONGEST_ID else f"{far[:LONGEST_ID]}…"
        yield Caution(0, "", f"the picture {shown} is not fetched, and is sent as text; put its file into the bundle")


def _unused(files: Files, beneath: Container[str]) -> Iterator[Caution]:
    unused = [path for path in files.sizes if path not in files.used and path not in beneath]
    if unused:
        more = f" and {len(unused) - _SHOWN:,} more" if len(unused) > _SHOWN else ""
        yield Caution(0, "", f"nothing uses {', '.join(map(repr, unused[:_SHOWN]))}{more}")
