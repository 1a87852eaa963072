"""A prompt file: settings in front, what is asked below, as `.batchd.md` of a folder, or in a bundle."""

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import msgspec

from batchd.decisions.jobfile.answer_form import SCHEMA, AnswerForm, answer_form
from batchd.decisions.jobfile.request import Requests, Said
from batchd.decisions.jobfile.rules import Rules
from batchd.decisions.jobfile.settings_check import RESULTS, check_dollars, check_readers, readers_of, turn_of
from batchd.decisions.rows.table import DELIMITERS, ENCODINGS
from batchd.decisions.rows.template import PromptTemplate, parse_template
from batchd.model import Caution, Problem, Readers, Turn
from batchd.text import typed
from batchd.text.characters import is_blank
from batchd.text.globs import objection
from batchd.text.jsonscan import Broken
from batchd.text.strictjson import Flaw, Json

OnError: TypeAlias = Literal["refuse", "skip"]

LONGEST: Final = 1_000_000
"""Bytes of a prompt file."""
AMENDS: Final = "amends"
"""Names the job that a bundle puts right; the others say what else of a job it may do."""
OF_AMENDMENTS: Final = (AMENDS, "add", "replace")
_MOST_PATTERNS: Final = 100
_KEY: Final = re.compile(r"[.\[]")


class Own(msgspec.Struct, frozen=True):
    """The settings that only a prompt file has; the job's own stand beside them."""

    id: str | None = None
    on_error: OnError = "refuse"
    delimiter: str | None = None
    encoding: str | None = None
    takes: list[str] = []
    budget_day: int | float | None = None
    rows: str | None = None
    each: list[str] | str = []
    attach: list[str] = []
    steps: dict[str, Json] = {}
    amends: str | None = None
    add: bool = False
    replace: bool = False

    @property
    def each_of(self) -> list[str]:
        """The patterns of the files of which each is asked."""
        return [self.each] if isinstance(self.each, str) else self.each


_OF_BUNDLES: Final = frozenset({"rows", "each", "attach", "steps", *OF_AMENDMENTS})
_OF_FOLDERS: Final = frozenset({"takes", "budget_day"})


@dataclass(frozen=True, slots=True)
class PromptFile:
    """What to do with rows and files, free of errors."""

    settings: dict[str, Json] = field(default_factory=dict)
    """Of the job, as its first line would say them."""
    template: PromptTemplate | None = None
    """None where the file only gives settings."""
    own: Own = field(default_factory=Own)
    attach: tuple[str | PromptTemplate, ...] = ()
    """Patterns of files; those with places are templates, which each row fills in."""
    cautions: tuple[Caution, ...] = ()

    @property
    def templates(self) -> tuple[PromptTemplate, ...]:
        """All that a row fills in."""
        own = (self.template,) if self.template else ()
        return (*own, *(each for each in self.attach if isinstance(each, PromptTemplate)))

    @property
    def columns(self) -> frozenset[str]:
        """All that is asked of a row."""
        return frozenset().union(*(each.columns for each in self.templates))

    @property
    def form(self) -> AnswerForm | None:
        """Of each answer; None where it may be any text."""
        return answer_form(self.settings[SCHEMA]) if SCHEMA in self.settings else None

    @property
    def budget(self) -> Decimal | None:
        """USD that a job may cost."""
        return Decimal(str(self.settings["budget"])) if "budget" in self.settings else None

    @property
    def readers(self) -> Readers | None:
        """Who may read what comes of it; None where it does not say."""
        return readers_of(self.settings)

    @property
    def turn(self) -> Turn:
        """Before whom its requests go, and when."""
        return turn_of(self.settings)

    @property
    def budget_day(self) -> Decimal | None:
        """USD that all jobs of these instructions may cost in a day, together."""
        return None if self.own.budget_day is None else Decimal(str(self.own.budget_day))

    def has_told(self, caution: Caution) -> bool:
        """Whether a caution about a request is one about the settings here, told before there was any request."""
        field = caution.field.removeprefix("job.")
        return any((each.field, each.message) == (field, caution.message) for each in self.cautions)

    def introducing(self, said: Iterable[Said]) -> Iterator[Said]:
        """Tell what is to be said of the settings, once, before what is said of requests with them."""
        yield from self.cautions
        yield from (each for each in said if not (isinstance(each, Caution) and self.has_told(each)))

    def wants(self, name: str) -> bool:
        """Tell whether a file of that name is meant; without `takes` all are."""
        return not self.own.takes or self.names(name)

    def names(self, name: str) -> bool:
        """Tell whether `takes` names a file of that name."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.own.takes)


def parse_prompt_file(
    text: str,
    rules: Rules,
    load: Callable[[str], Json] | None = None,
    prepare: Callable[[str], str] = lambda prompt: prompt,
) -> PromptFile | list[Problem]:
    """Read a prompt file, and hold it against all that can be known before there is a row.

    Args:
        text: All of it.
        rules: By which requests are checked.
        load: Returns the schema in a file that `schema` names, or raises a ValueError that says why not; None where a
            schema stands in the prompt file itself, which then is that of a folder, and of no bundle.
        prepare: Changes the prompt before it is read as a template.

    Returns:
        What it says; or everything that is wrong with it, each with its line.
    """
    from batchd.decisions.jobfile.front_matter import read_prose  # noqa: PLC0415  YAML, which other files never need

    try:
        prose = read_prose(text)
    except Broken as broken:
        return [Problem(broken.line, "", broken.message)]
    settings = dict(prose.settings)
    flaws = [*_put_schema(settings, load), *prose.flaws]
    said = {name: settings.pop(name) for name in Own.__struct_fields__ if name in settings}
    flaws += [*_flaws(said, "bundle" if load else "folder"), *_drop_messages(settings)]
    flaws += _of_readers(settings, rules, named=load is None)
    found = [Problem(line_of(text, flaw.field), *flaw) for flaw in flaws]
    template: PromptTemplate | None = None
    if not is_blank(prose.prompt):
        try:
            template = parse_template(prepare(prose.prompt), prose.line)
        except Broken as broken:
            found.append(Problem(broken.line, "", broken.message))
    own = Own() if found else typed.convert(said, Own)
    attach = [_attached(number, pattern, text) for number, pattern in enumerate(own.attach)]
    remarks = [] if prose.flaws else [replace(each, line=line_of(text, each.field)) for each in tried(settings, rules)]
    found += [each for each in (*attach, *remarks) if isinstance(each, Problem)]
    return found or PromptFile(
        settings,
        template,
        own,
        tuple(each for each in attach if not isinstance(each, Problem)),
        tuple(each for each in remarks if isinstance(each, Caution)),
    )


def _drop_messages(settings: dict[str, Json]) -> Iterator[Flaw]:
    params = settings.get("params")
    if isinstance(params, dict) and "messages" in params:
        settings["params"] = {key: value for key, value in params.items() if key != "messages"}
        yield Flaw("params.messages", "the text below the settings is the message; leave this out")


def _attached(number: int, pattern: str, text: str) -> str | PromptTemplate | Problem:
    """Read a pattern of files; one with places is a template."""
    try:
        return parse_template(pattern) if "{{" in pattern or "{%" in pattern else pattern
    except Broken as broken:
        return Problem(line_of(text, "attach"), f"attach[{number}]", broken.message)


def _of_readers(settings: Mapping[str, Json], rules: Rules, *, named: bool) -> Iterator[Flaw]:
    """What is wrong with who may read what comes of it, beyond its form.

    Args:
        named: Whether it may name a group.
    """
    said = settings.get(RESULTS)
    if not isinstance(said, dict) or any(check_readers(said, f"job.{RESULTS}")):
        return
    group = said.get("group")
    known = [each for each in (rules.readers.group, *rules.groups, *rules.folder_groups.values()) if each]
    if group is not None and not named:
        yield Flaw(f"{RESULTS}.group", "only the instructions of a folder may name a group; leave it out")
    elif group is not None and group not in known:
        allowed = f"are {', '.join(known)}" if known else "is none"
        yield Flaw(f"{RESULTS}.group", f"is no group that the settings allow; in results.groups there {allowed}")
    elif said["readers"] == "group" and group is None and rules.readers.group is None:
        yield Flaw(RESULTS, "the settings have no results.group; name one, such as {readers: group, group: legal}")


def _put_schema(settings: dict[str, Json], load: Callable[[str], Json] | None) -> Iterator[Flaw]:
    if load is not None and isinstance(path := settings.get(SCHEMA), str):
        try:
            settings[SCHEMA] = load(path)
        except ValueError as error:
            del settings[SCHEMA]
            yield Flaw(SCHEMA, str(error))


def tried(settings: dict[str, Json], rules: Rules) -> Iterator[Problem | Caution]:
    """What a request with these settings would be told: it shows a mistake before there is anything to ask."""
    requests = Requests(rules)
    told = [said for said in requests.settle(1, settings) if isinstance(said, Problem)]
    probe = {"custom_id": "probe", "params": {"messages": [{"role": "user", "content": "?"}]}}
    told_of_probe = (said for said in requests.offer(1, probe) if isinstance(said, Problem | Caution))
    for said in (*told, *told_of_probe):
        yield replace(said, field=said.field.removeprefix("job.").removeprefix("job"))


def line_of(text: str, place: str) -> int:
    """The line on which a setting stands, or that in which it stands; the first where it is not found."""
    at = 0
    for depth, key in enumerate(each for each in _KEY.split(place) if each):
        before = r"^" if not depth else r"[\s{,]"
        found = re.compile(rf"{before}[\"']?{re.escape(key.rstrip(']'))}[\"']?[ \t]*:", re.MULTILINE).search(text, at)
        if found is None:
            break
        at = found.end()
    return text.count("\n", 0, at) + 1


def _flaws(said: Mapping[str, Json], place: Literal["bundle", "folder"]) -> Iterator[Flaw]:
    """Everything that is wrong with the settings that only a prompt file has."""
    for name, check in _CHECKS.items():
        if name in said and place == "folder" and name in _OF_BUNDLES:
            yield Flaw(name, "is for bundles, and this file is for a folder; drop a folder NAME.job, or leave it out")
        elif name in said and place == "bundle" and name in _OF_FOLDERS and AMENDS not in said:
            yield Flaw(name, "is for the .batchd.md of a folder, and this is a bundle; leave it out")
        elif name in said and (wrong := check(said[name])):
            yield Flaw(name, wrong)


_Check: TypeAlias = Callable[[Json], str]
"""Says what is wrong with a value; nothing where all is well."""


def _text(value: Json) -> str:
    return "" if isinstance(value, str) and not is_blank(value) else "must be a text that is not empty"


def _yes_or_no(value: Json) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _one_of(*known: str) -> _Check:
    shown = ", ".join(repr(each) for each in known)
    return lambda value: "" if isinstance(value, str) and value in known else f"must be one of {shown}"


def _patterns(value: Json) -> str:
    right = isinstance(value, list) and value and all(isinstance(each, str) and each for each in value)
    return "" if right else 'must be a list of patterns for names, such as ["*.csv", "*.pdf"]'


def _pattern(value: str) -> str:
    return objection(value)


def _globs(value: Json) -> str:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        return 'must be a list of patterns, such as ["photos/*.jpg"]'
    if len(value) > _MOST_PATTERNS:
        return f"{len(value):,} patterns; at most {_MOST_PATTERNS} are taken"
    return next((said for each in value if (said := objection(each))), "")


def _dollars(value: Json) -> str:
    return next((flaw.message for flaw in check_dollars(value, "")), "")


_NO_STEPS: Final = "must be steps by their names, such as outline: {prompt: outline.md}"

_CHECKS: Final[Mapping[str, _Check]] = {
    "id": _text,
    "on_error": _one_of("refuse", "skip"),
    "delimiter": _one_of(*DELIMITERS),
    "encoding": _one_of(*ENCODINGS),
    "takes": _patterns,
    "budget_day": _dollars,
    "rows": _text,
    "each": lambda value: _pattern(value) if isinstance(value, str) else _globs(value),
    "attach": _globs,
    "steps": lambda value: "" if isinstance(value, dict) and value else _NO_STEPS,
    "amends": _text,
    "add": _yes_or_no,
    "replace": _yes_or_no,
}
