"""What a file holds: rows or texts, of which instructions say what to ask; or requests as ever (`jobfile.reader`)."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from batchd.decisions.jobfile import reader as jobfile
from batchd.decisions.jobfile.other_forms import NOT_UTF8
from batchd.decisions.jobfile.reader import Rules, Said, Source, parse_line, usable
from batchd.decisions.jobfile.request import Requests
from batchd.decisions.jobfile.settings_check import ON_ERROR
from batchd.decisions.rows.media import MEDIA, MOST_MEDIUM_BYTES, load, of_office
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.decisions.rows.records import OTHER_KINDS, Record, id_column, names_of, objects_of, rows_of, text_record
from batchd.decisions.rows.requests_of import Compose, plain, requests_of
from batchd.decisions.rows.table import SUFFIXES as TABLES
from batchd.decisions.rows.table import Form, read_table
from batchd.decisions.rows.template import OF_ROWS, PromptTemplate
from batchd.model import Caution, Problem, Reject, RowsForm, Terms
from batchd.text.characters import is_blank
from batchd.text.jsonscan import Broken, split_lines
from batchd.text.strictjson import Flaw, Flawed, Json

LINES: Final = (".jsonl", ".ndjson")
TEXTS: Final = (".md", ".txt")
SUFFIXES: Final = (*jobfile.SUFFIXES, *TABLES, *MEDIA)
"""The kinds of file that are taken by themselves."""

_BOM: Final = b"\xef\xbb\xbf"
_REQUESTS: Final = frozenset({"custom_id", "params", "job", "requests", "messages", "model", "body", "method", "url"})
"""Keys of which a line has one that was meant as a request, however wrong."""
_SAY: Final = "say what to ask of it: write a .batchd.md into its folder of the inbox, or put it into a bundle"
_UNUSED: Final = "the prompt of this folder's .batchd.md is not used: this file says itself what it asks"


def read(
    source: Source, path: PurePosixPath, rules: Rules, prompt: PromptFile | None, compose: Compose = plain
) -> Iterator[Said]:
    """Read a file; this never raises anything of its own, whatever the bytes.

    Args:
        source: Opens it at its first byte, each time it is called.
        path: Below the inbox.
        rules: Defaults, limits and the catalogue of models.
        prompt: What is to be done with it; None where nobody has said.
        compose: Puts together what each request says.

    Yields:
        What `jobfile.reader.read` yields, in the order of the file.
    """
    try:
        if prompt is None:
            yield from _by_itself(source, path, rules)
        elif not prompt.wants(path.name):
            takes = ", ".join(prompt.own.takes)
            yield Problem(0, "", f"this folder takes files named {takes} alone (takes of its .batchd.md)")
        else:
            yield from prompt.introducing(_instructed(source, path, rules, prompt, compose))
    except Broken as broken:
        yield Problem(broken.line, "", broken.message)


def _by_itself(source: Source, path: PurePosixPath, rules: Rules) -> Iterator[Said]:
    suffix = path.suffix.lower()
    if suffix in (*TABLES, *MEDIA):
        yield Problem(0, "", f"a {'table' if suffix in TABLES else 'picture or PDF'} is no prompt; {_SAY}")
    elif office := of_office(suffix):
        yield Problem(0, "", f"this {office}")
    elif suffix in LINES and (row := first_request(source, rules)) and not _REQUESTS & row.keys():
        yield Problem(1, "", f"these lines are data, no requests; {_SAY}")
    else:
        yield from jobfile.read(source, path.suffix, path.stem, rules)


def _instructed(
    source: Source, path: PurePosixPath, rules: Rules, prompt: PromptFile, compose: Compose
) -> Iterator[Said]:
    template, suffix = prompt.template, path.suffix.lower()
    if suffix in TABLES:
        yield from _table(source, path, rules, prompt, compose)
    elif suffix in LINES and (first := first_request(source, rules)) and not is_request(first):
        yield from _objects(source, path, rules, prompt, first, compose)
    elif suffix in MEDIA:
        yield from _medium(source, path, rules, prompt)
    elif template and (suffix in TEXTS or (prompt.names(path.name) and suffix not in jobfile.SUFFIXES)):
        yield from _text(source, path, rules, prompt, template)
    else:
        if template:
            yield Caution(0, "", _UNUSED)
        settings = {**prompt.settings, **({ON_ERROR: "skip"} if prompt.own.on_error == "skip" else {})}
        yield from jobfile.read(source, path.suffix, path.stem, rules, settings)


def _table(source: Source, path: PurePosixPath, rules: Rules, prompt: PromptFile, compose: Compose) -> Iterator[Said]:
    table = read_table(source(), path.suffix, prompt.own.delimiter, prompt.own.encoding)
    columns = table.form.columns
    flaws = column_flaws(prompt, columns)
    yield from (Problem(1, *flaw) for flaw in flaws)
    yield from _hidden(columns, prompt)
    if prompt.template and not flaws:
        requests = requests_with(rules, prompt, rows=True)
        yield terms_of(prompt, f"request{path.suffix}")
        records = rows_of(table, prompt.own.id, names_of(path))
        for said in requests_of(prompt, prompt.template, records, requests, compose):
            yield _of_table(said, table.form) if isinstance(said, Reject) else said


def _objects(  # noqa: PLR0913  as `_table`, and the first of them
    source: Source,
    path: PurePosixPath,
    rules: Rules,
    prompt: PromptFile,
    first: Mapping[str, Json],
    compose: Compose,
) -> Iterator[Said]:
    if prompt.template is None or not prompt.columns:
        yield from (Problem(1, *flaw) for flaw in column_flaws(prompt, tuple(first)))
        return
    requests = requests_with(rules, prompt, rows=True)
    yield terms_of(prompt, f"request{path.suffix}", objects=True)
    records = objects_of(source, prompt.own.id, rules.max_request_bytes, rules.max_requests, names_of(path))
    yield from requests_of(prompt, prompt.template, records, requests, compose)


def _of_table(rejected: Reject, form: Form) -> Reject:
    return rejected._replace(columns=form.columns, delimiter=form.delimiter, line_end=form.line_end)


def _medium(source: Source, path: PurePosixPath, rules: Rules, prompt: PromptFile) -> Iterator[Said]:
    """Ask of a picture or a PDF, which goes in front of the prompt."""
    if prompt.template is None:
        raise Broken(0, "there is nothing to ask of this file: write a prompt below the settings of .batchd.md")
    if unknown := sorted(prompt.columns | prompt.template.names.difference(OF_ROWS)):
        raise Broken(0, f"the prompt names {unknown[0]!r}; of a picture or a PDF it may name {', '.join(OF_ROWS)}")
    if rules.count_pages is None:
        raise Broken(0, "pictures and PDFs are not read here")
    data = _whole(source, MOST_MEDIUM_BYTES)
    loaded = load(str(path), data, rules.count_pages)
    if loaded.wrong or loaded.block is None:
        raise Broken(0, loaded.wrong or "is neither a picture nor a PDF")
    if loaded.caution:
        yield Caution(0, "", loaded.caution)
    requests = requests_with(rules, prompt, rows=False)
    yield from requests.terms()
    record = Record(0, 0, usable(path.stem), {}, names_of(path), (loaded.block,))
    yield from requests_of(prompt, prompt.template, [record], requests)


def _whole(source: Source, most: int) -> bytes:
    """All of a file, or little more than the most."""
    pieces: list[bytes] = []
    size = 0
    for piece in source():
        pieces.append(piece)
        size += len(piece)
        if size > most:
            break
    return b"".join(pieces)


def _text(
    source: Source, path: PurePosixPath, rules: Rules, prompt: PromptFile, template: PromptTemplate
) -> Iterator[Said]:
    pieces: list[bytes] = []
    size = 0
    for chunk in source():
        size += len(chunk)
        if size > rules.max_request_bytes:
            raise Broken(0, f"a text of more than {rules.max_request_bytes:,} bytes; one request must be shorter")
        pieces.append(chunk)
    try:
        text = b"".join(pieces).removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        raise Broken(1 + error.object.count(b"\n", 0, error.start), NOT_UTF8) from None
    if is_blank(text):
        raise Broken(1, "there is no text in this file, so nothing to ask about")
    requests = requests_with(rules, prompt, rows=False)
    yield from requests.terms()
    yield from requests_of(prompt, template, [text_record(path, usable(path.stem), text, prompt)], requests)


def column_flaws(prompt: PromptFile, columns: tuple[str, ...]) -> list[Flaw]:
    """Tell what a table lacks that its prompt names, and whether the prompt would be the same for every row."""
    if prompt.template is None:
        return [Flaw("", "there is nothing to ask of these rows: write a prompt below the settings of .batchd.md")]
    flaws = [flaw for each in prompt.templates for flaw in each.unknown(columns)]
    if not flaws and not prompt.columns:
        flaws.append(Flaw("", "the prompt names no column, so every row would get the same; write {{ a column }}"))
    named = id_column(prompt.own.id, columns)
    if named is not None and named not in columns:
        flaws.append(Flaw("id", f"there is no column {named!r}"))
    return flaws


def _hidden(columns: tuple[str, ...], prompt: PromptFile) -> Iterator[Caution]:
    """Say which columns a prompt cannot name plainly, since the file has things of that name."""
    for name in OF_ROWS:
        if prompt.template and name in prompt.template.names and name in columns:
            yield Caution(1, name, f'{{{{ {name} }}}} is the file\'s; the column is written {{{{ row["{name}"] }}}}')


def requests_with(rules: Rules, prompt: PromptFile, *, rows: bool) -> Requests:
    """Begin the requests of a prompt: those of rows are short, and their answers lie in a table."""
    if not rows:
        return Requests(rules, prompt.settings)
    beneath = {"documents": "continued", **prompt.settings}
    beneath["params"] = {"max_tokens": rules.rows_max_tokens, **_params(prompt)}
    return Requests(rules, beneath)


def terms_of(prompt: PromptFile, file: str, *, objects: bool = False) -> Terms:
    """What holds for a job of rows as a whole.

    Args:
        prompt: What is asked of them.
        file: In which they lie, in the job's folder.
        objects: Whether each line of it is an object.
    """
    rows = RowsForm(
        file=file,
        objects=objects,
        id=prompt.own.id,
        delimiter=prompt.own.delimiter,
        encoding=prompt.own.encoding,
        properties=prompt.form.sent.properties if prompt.form else (),
    )
    return Terms(prompt.budget, rows, readers=prompt.readers, turn=prompt.turn)


def _params(prompt: PromptFile) -> dict[str, Json]:
    shortcut: dict[str, Json] = {"max_tokens": prompt.settings["max_tokens"]} if "max_tokens" in prompt.settings else {}
    params = prompt.settings.get("params")
    return {**shortcut, **params} if isinstance(params, dict) else shortcut


def is_request(line: Mapping[str, Json]) -> bool:
    """Whether a line is of requests, or of their job, and no row."""
    return "job" in line or any(keys <= line.keys() for keys in OTHER_KINDS)


def first_request(source: Source, rules: Rules) -> dict[str, Json] | None:
    """Read the first line that is not empty, if it is an object."""
    for number, line in enumerate(split_lines(source(), rules.max_request_bytes)):
        bare = line.removeprefix(_BOM) if line and not number else line
        if bare is not None and not bare.strip():
            continue
        try:
            value = parse_line(bare, rules.max_request_bytes)
        except (UnicodeDecodeError, Flawed):
            return None
        return value if isinstance(value, dict) else None
    return None
