"""A prompt asked of each record: requests as `jobfile.request` checks them, every fault at its row."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

import msgspec

from batchd.decisions.jobfile.request import Requests, Said, apart
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.decisions.rows.records import Fault, Record
from batchd.decisions.rows.template import PromptTemplate
from batchd.model import Caution, Problem, Reject
from batchd.text.characters import is_blank
from batchd.text.strictjson import Flaw, Flawed, Json

_CONTENT: Final = "params.messages[0].content"
_BLOCK: Final = re.compile(r"\[\d+\]")
_SHARED: Final = ("job.", "defaults.", "api.")
_encode = msgspec.json.Encoder().encode


class Composed(NamedTuple):
    """What a request says."""

    content: Json
    """Of its message."""
    places: Mapping[str, str] = MappingProxyType({})
    """What its user calls the blocks of the content, by `[0]`, `[1]`, …"""
    cautions: Sequence[Caution] = ()


Compose: TypeAlias = Callable[[Record, str], Composed]
"""Makes what a request says of a record and its prompt, or raises a `Flawed` of what the record is told."""


def plain(record: Record, text: str) -> Composed:
    """The prompt behind what goes along with its record."""
    if not record.blocks:
        return Composed(text)
    shown = record.of_file.get("file", "")
    places = {f"[{number}]": shown for number in range(len(record.blocks))}
    return Composed([*record.blocks, {"type": "text", "text": text}], places)


def requests_of(
    prompt: PromptFile,
    template: PromptTemplate,
    records: Iterable[Record | Fault],
    requests: Requests,
    compose: Compose = plain,
) -> Iterator[Said]:
    """Ask a prompt of records, one after the other; nothing of them is kept.

    Args:
        prompt: Whose settings the requests have been given already.
        template: Its own, or another.
        records: In the order of their file.
        requests: What checks them.
        compose: Puts together what each of them says.

    Raises:
        Broken: They are more than one file may hold.
    """
    for record in records:
        said = _asked(prompt, template, record, requests, compose)
        yield from apart(said, _rejected(record)) if prompt.own.on_error == "skip" else said


def _rejected(record: Record | Fault) -> Reject:
    """What is known of a record that is left out, without what is wrong with it."""
    told: Mapping[str, Json] | Sequence[str] = record.values if isinstance(record, Record) else record.cells
    if isinstance(record, Record) and not record.values:
        told = {name: value for name, value in record.of_file.items() if name == "file"}
    said, cells = (told, tuple(map(str, told.values()))) if isinstance(told, Mapping) else (None, tuple(told))
    return Reject(record.line, record.row, record.custom_id, (), said, cells)


def _asked(
    prompt: PromptFile,
    template: PromptTemplate,
    record: Record | Fault,
    requests: Requests,
    compose: Compose,
) -> Iterator[Said]:
    if isinstance(record, Fault):
        requests.count(record.line)
        yield from record.problems
        return
    try:
        composed = compose(record, template.render(record.values, record.of_file))
    except (ValueError, Flawed) as error:
        requests.count(record.line)
        flaws = error.flaws if isinstance(error, Flawed) else [Flaw("", str(error))]
        yield from (Problem(record.line, *flaw, record.row) for flaw in flaws)
        return
    if isinstance(composed.content, str) and is_blank(composed.content):
        requests.count(record.line)
        yield Problem(record.line, "", "the prompt of this row is empty", record.row)
        return
    yield from composed.cautions
    for said in _offered(record, composed.content, requests):
        yield _placed(said, record, composed.places, prompt) if isinstance(said, Problem) else said


def _offered(record: Record, content: Json, requests: Requests) -> Iterator[Said]:
    written = b'{"custom_id":%b,"params":{"messages":[{"role":"user","content":%b}]}}' % (
        _encode(record.custom_id),
        _encode(content),
    )
    if known := requests.recognize(record.line, written):
        yield known
        return
    found = {"custom_id": record.custom_id, "params": {"messages": [{"role": "user", "content": content}]}}
    yield from requests.offer(record.line, found, written=written)


def _placed(problem: Problem, record: Record, places: Mapping[str, str], prompt: PromptFile) -> Problem:
    """Tell a problem by what the user wrote: a row, its columns and files, none of which is a param."""
    if problem.field.startswith(_SHARED):
        return problem
    place = problem.field.removeprefix(_CONTENT)
    if (block := _BLOCK.match(place)) and block[0] in places:
        place = places[block[0]]
    if place == "custom_id":
        place = prompt.own.id or "custom_id"
    return replace(problem, row=record.row, field=place)
