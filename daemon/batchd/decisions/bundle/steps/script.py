"""What the steps of a job ask, kept as one value from the door to the last of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import msgspec

from batchd.decisions.bundle.composing import Composer
from batchd.decisions.bundle.files import Files
from batchd.decisions.jobfile.request import Requests, Said
from batchd.decisions.jobfile.rules import Rules
from batchd.decisions.rows.media import Loaded
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.decisions.rows.records import Record
from batchd.decisions.rows.requests_of import requests_of
from batchd.decisions.rows.template import PromptTemplate, parse_template
from batchd.model import Problem
from batchd.text import typed
from batchd.text.strictjson import Json

ITEM: Final = "item"
"""What an entry of a list is called in a prompt."""


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a step asks."""

    prompt: str
    """A template, in which the pictures that it shows are marked."""
    settings: dict[str, Json]
    """Of a job, with the model and the length of an answer said."""
    attach: tuple[str, ...] = ()
    """Paths of files that go along."""
    properties: tuple[str, ...] = ()
    """Of each entry, where its list is one of objects."""

    def template(self) -> PromptTemplate:
        """Read the prompt, which was checked."""
        return parse_template(self.prompt, answers=True)


class Script(msgspec.Struct, frozen=True, omit_defaults=True):
    """What all steps ask, and the files that go along."""

    asked: dict[str, Asked]
    files: dict[str, Loaded] = {}


_DECODER: Final = typed.decoder(Script)


def read_script(written: bytes) -> Script:
    """Read what was kept of a job.

    Raises:
        msgspec.DecodeError: It is none.
    """
    return _DECODER.decode(written)


def records_of(asked: Asked, name: str, items: Mapping[int, Json], answers: Mapping[str, Json]) -> Iterator[Record]:
    """Make what a step is asked of: each entry by its number from 1, or one thing without a number.

    Args:
        name: Of the step.
        items: By their numbers; a single one of number 0 where it is asked once.
        answers: As its template names them.
    """
    for number, item in items.items():
        entry = item if isinstance(item, dict) else {}
        own = {property_: entry.get(property_) for property_ in asked.properties}
        custom_id = f"{name}/{number}" if number else name
        yield Record(0, 0, custom_id, {ITEM: item, **own, **answers} if number else dict(answers))


def requests_for(
    script: Script, name: str, items: Mapping[int, Json], answers: Mapping[str, Json], rules: Rules
) -> Iterator[Said]:
    """Write the requests of a step, checked as those of rows are.

    Args:
        items: As `records_of` takes them.
        answers: What its prompt may name.
        rules: By which requests are checked; what lies in files was checked at the door.

    Yields:
        An Entry for each item, or what is wrong with it.
    """
    asked = script.asked[name]
    template = asked.template()
    prompt = PromptFile(asked.settings, template, attach=asked.attach)
    composer = Composer(_kept(script.files), asked.attach)
    requests = Requests(replace(rules, count_pages=None), asked.settings)
    for record in records_of(asked, name, items, answers):
        for said in requests_of(prompt, template, [record], requests, composer):
            yield replace(said, field=record.custom_id) if isinstance(said, Problem) else said


def _kept(files: Mapping[str, Loaded]) -> Files:
    """Files that were read when the job was taken."""
    kept = Files(dict.fromkeys(files, 0), _gone, lambda _: iter(()), lambda _, most: most)
    kept.keep(files)
    return kept


def _gone(path: str, _: int) -> bytes:
    raise FileNotFoundError(2, "it was not kept", path)
