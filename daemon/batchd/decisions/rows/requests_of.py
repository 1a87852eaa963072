"""A prompt asked of each record: requests as `jobfile.request` checks them, every fault at its row."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

import msgspec

from batchd.decisions.jobfile.request import Requests, Said
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.decisions.rows.records import Fault, Record
from batchd.decisions.rows.template import PromptTemplate
from batchd.model import Problem
from batchd.text.strictjson import Json

_CONTENT: Final = "params.messages[0].content"
_SHARED: Final = ("job.", "defaults.", "api.")
_encode = msgspec.json.Encoder().encode


def requests_of(
    prompt: PromptFile, template: PromptTemplate, records: Iterable[Record | Fault], requests: Requests
) -> Iterator[Said]:
    """Ask a prompt of records, one after the other; nothing of them is kept.

    Args:
        prompt: Whose settings the requests have been given already.
        template: Its own, or another.
        records: In the order of their file.
        requests: What checks them.

    Raises:
        Broken: They are more than one file may hold.
    """
    for record in records:
        if isinstance(record, Fault):
            requests.count(record.line)
            yield from record.problems
            continue
        try:
            text = template.render(record.values, record.of_file)
        except ValueError as error:
            requests.count(record.line)
            yield Problem(record.line, "", str(error), record.row)
            continue
        if not text.strip():
            requests.count(record.line)
            yield Problem(record.line, "", "the prompt of this row is empty", record.row)
            continue
        for said in _offered(record, text, requests):
            yield _placed(said, record, prompt) if isinstance(said, Problem) else said


def _offered(record: Record, text: str, requests: Requests) -> Iterator[Said]:
    content: Json = [*record.blocks, {"type": "text", "text": text}] if record.blocks else text
    written = b'{"custom_id":%b,"params":{"messages":[{"role":"user","content":%b}]}}' % (
        _encode(record.custom_id),
        _encode(content),
    )
    if known := requests.recognize(record.line, written):
        yield known
        return
    found = {"custom_id": record.custom_id, "params": {"messages": [{"role": "user", "content": content}]}}
    yield from requests.offer(record.line, found, written=written)


def _placed(problem: Problem, record: Record, prompt: PromptFile) -> Problem:
    """Tell a problem by what the user wrote: a row and its columns, none of which is a param."""
    if problem.field.startswith(_SHARED):
        return problem
    place = problem.field.removeprefix(_CONTENT)
    if place == "custom_id":
        place = prompt.own.id or "custom_id"
    return replace(problem, row=record.row, field=place)
