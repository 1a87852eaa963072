"""OpenAI's batch lines in a file: what is dropped, or cannot be converted, is told once a kind, with how often."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from batchd.claude.catalogue import Catalogue
from batchd.decisions.jobfile.answer_form import SCHEMA
from batchd.decisions.jobfile.openai_line import convert, is_theirs
from batchd.model import Caution, Problem
from batchd.text.strictjson import Flaw, Json, shown

BODY: Final = "body"
"""What such a line calls its params."""
_SERIES: Final = re.compile(r"\[\d+\]")
_MOST_KINDS: Final = 100
_LONGEST_NAME: Final = 100
_BOTH: Final = "holds params and body: say one request in one form"
_MIXED: Final = "another form than that of the first request; give each form a file of its own"
_CLAUDE: Final = "claude"


@dataclass(slots=True)
class _Kind:
    """One thing that is to be told of a file."""

    line: int
    """The first on which it stands."""
    lines: int = 1

    @property
    def where(self) -> str:
        """In how many lines it is so."""
        return f"in {self.lines:,} line{'s' if self.lines > 1 else ''}"


class _Request(NamedTuple):
    """What a line comes to."""

    said: dict[str, Json]
    flaws: tuple[Flaw, ...]
    """Why it cannot be converted."""
    schema_at: str
    """Where the line has the schema of its answer."""

    def place(self, field: str) -> str:
        """Where a fault stands in the line, as far as that can be told."""
        return self.schema_at + field.removeprefix(SCHEMA) if field.partition(".")[0] == SCHEMA else field


class OpenAiFile:
    """The lines of a file, of which the first request says whether they are another vendor's."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._theirs: bool | None = None
        self._dropped: dict[Flaw, _Kind] = {}
        self._wrong: dict[Flaw, _Kind] = {}

    def objection(self, value: Json) -> str:
        """Say of a line that it is none of this file's form; nothing where it is, or is no request at all."""
        if not isinstance(value, dict):
            return ""
        theirs = is_theirs(value)
        if theirs and "params" in value:
            return _BOTH
        self._theirs = theirs if self._theirs is None else self._theirs
        return _MIXED if theirs is not self._theirs else ""

    @property
    def theirs(self) -> bool:
        """Whether the file is another vendor's."""
        return self._theirs is True

    def converted(self, number: int, line: Mapping[str, Json]) -> _Request:
        """Say a line as a request of ours, as far as it can be; what is dropped is told at the end."""
        done = convert(line)
        flaws = (*done.flaws, *self._of_model(done.params.get("model")))
        for place, message in () if flaws else done.dropped.items():
            self._note(self._dropped, number, Flaw(place, message))
        said: dict[str, Json] = {"custom_id": line.get("custom_id"), "params": done.params}
        if done.schema is not None:
            said[SCHEMA] = done.schema
        if done.expects_json:
            said["expect"] = {"json": True}
        return _Request(said, flaws, done.schema_at)

    def refuse(self, number: int, flaws: Iterable[Flaw]) -> None:
        """Note why a line cannot be converted: each kind is told once, at the end."""
        for flaw in dict.fromkeys(Flaw(_SERIES.sub("[…]", field), message) for field, message in flaws):
            self._note(self._wrong, number, flaw)

    def _of_model(self, model: Json) -> Iterator[Flaw]:
        """What is wrong with a name that neither is one of Claude's models nor stands for one."""
        if not isinstance(model, str) or _CLAUDE in model.lower():
            return
        if self._catalogue.find(self._catalogue.resolve(model)).known or self._catalogue.resolve(model) != model:
            return
        name = shown(model[:_LONGEST_NAME])
        said = f"{name} is no model of Claude's; say which one stands for it, in the settings"
        yield Flaw("body.model", f'{said}: [models.alias] {name} = "{self._catalogue.newest("haiku")}"')

    def _note(self, kinds: dict[Flaw, _Kind], number: int, flaw: Flaw) -> None:
        flaw = Flaw(_SERIES.sub("[…]", flaw.field), flaw.message)
        if flaw in kinds:
            kinds[flaw].lines += 1
        elif len(kinds) < _MOST_KINDS:
            kinds[flaw] = _Kind(number)

    def told(self) -> Iterator[Problem | Caution]:
        """Tell of all of it, once the file has been read."""
        for flaw, kind in self._wrong.items():
            yield Problem(kind.line, flaw.field, f"{flaw.message} ({kind.where})")
        for flaw, kind in self._dropped.items():
            yield Caution(kind.line, flaw.field, f"{flaw.message}: dropped {kind.where}")
