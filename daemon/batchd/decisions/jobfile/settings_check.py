"""What may be said of a job or a request beside the parameters of the API, and what was said.

What acts later on is described by `model.Wishes`; here is what else may be said, and what is wrong with a value.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Final, TypedDict, cast

import msgspec
from msgspec.structs import fields

from batchd.claude.params_check import PARAMETERS, Check, checked, look_at, mapping, text, whole_number, yes_or_no
from batchd.claude.shapes import Look
from batchd.decisions.document import expectation
from batchd.decisions.jobfile import lanes
from batchd.decisions.jobfile.answer_form import SCHEMA, AnswerForm, answer_form, check_schema
from batchd.decisions.jobfile.attachment import ATTACH
from batchd.model import BETA_NAME, MOST_DOLLARS, MOST_PRIORITY, READERS, Readers, Turn, Wishes
from batchd.text import hours
from batchd.text.hours import hours_of
from batchd.text.spelling import closest
from batchd.text.strictjson import MOST_FLAWS, Flaw, Json, encode, member

_BETA: Final = re.compile(BETA_NAME)
_MOST_BETAS: Final = 50
_MOST_ROUNDS: Final = 20
_MOST_SINKS: Final = 20
_SINK: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
ON_ERROR: Final = "on_error"
"""The setting's name."""
_ON_ERROR: Final = ("refuse", "skip")
RESULTS: Final = "results"
"""The setting's name."""
PRIORITY: Final = "priority"
"""The setting's name."""
HOURS: Final = "hours"
"""The setting's name."""
_OF_A_FILE: Final = "holds for a whole file; say it in the job's settings, on the first line"
_CACHE: Final = ("auto", "off")
BESIDE: Final = frozenset({"custom_id", "failure"})
"""What may stand beside a request's settings; `failure` is the outbox's remark in a request dropped again."""


def _betas(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, list):
        yield Flaw(path, 'must be a list of names, such as ["output-300k-2026-03-24"]')
        return
    if len(value) > _MOST_BETAS:
        yield Flaw(path, f"{len(value):,} betas; all of them go into one header, which holds {_MOST_BETAS} of them")
    for index, each in enumerate(value[:_MOST_BETAS]):
        if not isinstance(each, str) or not _BETA.fullmatch(each):
            yield Flaw(f"{path}[{index}]", "must be the name of a beta: up to 100 letters, digits, dots and hyphens")


def _rounds(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_ROUNDS:
        yield Flaw(path, f"must be a whole number from 0 to {_MOST_ROUNDS}: how often a cut document is continued")


def check_dollars(value: Json, path: str) -> Iterator[Flaw]:
    """Check what something may cost."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= MOST_DOLLARS:
        yield Flaw(path, f"must be an amount of USD above 0, up to {MOST_DOLLARS:,}")


def _cache(value: Json, path: str) -> Iterator[Flaw]:
    if value not in _CACHE:
        yield Flaw(path, f"must be {' or '.join(_CACHE)}: whether what requests share is to be cached where that pays")


def _notify(value: Json, path: str) -> Iterator[Flaw]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(map(_is_sink, names)) or len(names) > _MOST_SINKS:
        yield Flaw(path, f"must be the name of a sink of the daemon's settings, or a list of up to {_MOST_SINKS} names")


def _is_sink(name: Json) -> bool:
    return isinstance(name, str) and _SINK.fullmatch(name) is not None


def _documents(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, bool) and value != "continued":
        yield Flaw(path, "must be true, false or continued: whether an answer's text becomes a file of its own")


def check_on_error(value: Json, path: str) -> Iterator[Flaw]:
    """Check whether requests with errors are refused with all others, or left out."""
    if not path.startswith("job."):
        yield Flaw(path, _OF_A_FILE)
    elif value not in _ON_ERROR:
        yield Flaw(path, f"must be {' or '.join(_ON_ERROR)}: what becomes of a file in which single requests are wrong")


def check_readers(value: Json, path: str) -> Iterator[Flaw]:
    """Check who may read what comes of a job; only a folder's instructions may name a group."""
    if path == RESULTS:
        yield Flaw(path, _OF_A_FILE)
    elif not isinstance(value, dict) or value.keys() - {"readers", "group"} or "readers" not in value:
        yield Flaw(path, "must be an object such as {readers: dropper}")
    elif value["readers"] not in READERS:
        yield Flaw(f"{path}.readers", f"must be one of {', '.join(READERS)}: who may read what comes of the job")
    elif "group" in value and not (isinstance(value["group"], str) and value["group"]):
        yield Flaw(f"{path}.group", "must be the name of a group")


def readers_of(said: Mapping[str, Json]) -> Readers | None:
    """Who may read what comes of a job, as settings without flaws say it; None where they do not."""
    value = said.get(RESULTS)
    return Readers(str(value["readers"]), value.get("group")) if isinstance(value, dict) else None


def check_priority(value: Json, path: str) -> Iterator[Flaw]:
    """Check before whom a job's requests go."""
    if path == PRIORITY:
        yield Flaw(path, _OF_A_FILE)
    elif not isinstance(value, int) or isinstance(value, bool) or abs(value) > MOST_PRIORITY:
        yield Flaw(path, f"must be a whole number from -{MOST_PRIORITY} to {MOST_PRIORITY}; higher ones go first")


def check_hours(value: Json, path: str) -> Iterator[Flaw]:
    """Check in which hours a job's requests are sent."""
    if path == HOURS:
        yield Flaw(path, _OF_A_FILE)
    elif not isinstance(value, str) or hours_of(value) is None:
        yield Flaw(path, hours.WRONG)


def turn_of(said: Mapping[str, Json]) -> Turn:
    """Before whom requests of a job go, and when, as settings without flaws say it."""
    priority, when = said.get(PRIORITY), said.get(HOURS)
    return Turn(priority if isinstance(priority, int) else None, when if isinstance(when, str) else None)


_CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {"cache": _cache, "documents": _documents, "expect": expectation.check, "lane": lanes.check_lane, "notify": _notify}
)
_CHECKS_OF_TYPES: Final[Mapping[object, Check]] = MappingProxyType({bool: yes_or_no, int: whole_number, str: text})

SETTINGS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "model": checked("model"),
        "max_tokens": checked("max_tokens"),
        "system": checked("system"),
        "params": mapping,
        "betas": _betas,
        **{wish.name: _CHECKS.get(wish.name) or _CHECKS_OF_TYPES[wish.type] for wish in fields(Wishes)},
        "budget": check_dollars,
        "continue": _rounds,
        SCHEMA: check_schema,
        "needed_by": lanes.check_needed_by,
        ON_ERROR: check_on_error,
        RESULTS: check_readers,
        PRIORITY: check_priority,
        HOURS: check_hours,
    }
)
"""The settings of a job or a request, by their names in a file: what is wrong with a value of it."""

SHORTCUTS: Final = ("model", "max_tokens", "system")
"""Settings that are parameters of the API by the same name."""
_OF_THE_CALL: Final = frozenset({*SHORTCUTS, "params", "betas"})
_KEPT_AS_JSON: Final = frozenset(wish.name for wish in fields(Wishes) if wish.type is msgspec.Raw)

_HINTS: Final = {
    ATTACH: "only the front matter of a .md or .txt file may attach files; here the contents go into messages",
    "budget_day": "is for the .batchd.md of a folder, and all its jobs of a day together; budget limits one job",
    "job": "the job's settings are the first line of a file, alone",
    "requests": "a whole body of requests; save it as a .json file, or write its requests a line each",
    "prompt": 'another program\'s; here it is params: {"messages": [{"role": "user", "content": "…"}]}',
}


Said = TypedDict(
    "Said",
    {
        "budget": float,
        "continue": int,
        "expect": msgspec.Raw,
        "lane": str,
        "needed_by": str,
        "on_error": str,
        "schema": AnswerForm,
    },
    total=False,
)
"""Settings without flaws, by their names; those that only the rooms know that act on them are there as well."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one place: of the job, or of one request."""

    path: str = "job"
    """What precedes the names in `params` when something is said of them."""
    params: Mapping[str, Json] = field(default_factory=dict)
    shortcuts: Mapping[str, Json] = field(default_factory=dict)
    betas: tuple[str, ...] = ()
    said: Said = field(default_factory=Said)
    """All others that have no flaws."""
    flaws: tuple[Flaw, ...] = ()
    unsound: frozenset[str] = frozenset()
    """The parameters of the API among the flawed ones."""
    looks: Mapping[str, Look] = field(default_factory=dict)
    """What the walks through parameters noted, of those that hold anything worth a note."""

    @property
    def given(self) -> dict[str, Json]:
        """The parameters that are said here, by either way; `params` counts for more."""
        return {**self.shortcuts, **self.params}


NOTHING: Final = Settings()
"""Said nowhere."""


def read_settings(
    found: Mapping[str, Json], path: str, params_path: str = "params", beside: frozenset[str] = frozenset()
) -> Settings:
    """Check the settings of one place and take them in.

    Args:
        found: The object they stand in.
        path: What precedes their names in messages.
        params_path: The same for the names in `params`.
        beside: Keys of the object that are no settings.
    """
    if path:
        params_path = f"{path}.{params_path}"
    flaws, unsound, said = _read_beside(found, path, beside)
    params = found.get("params")
    params = params if isinstance(params, dict) else {}
    looks = {key: look_at(key, value, (None, member("", key))) for key, value in islice(params.items(), MOST_FLAWS)}
    for look in looks.values():
        flaws += (Flaw(f"{params_path}.{flaw.field}".lstrip("."), flaw.message) for flaw in look.flaws)
    looks = {**looks, **_looks_at_shortcuts(found, but=looks)}
    return Settings(
        path=params_path,
        params=params,
        shortcuts={key: found[key] for key in SHORTCUTS if key in found},
        betas=_names(found.get("betas")) if "betas" not in unsound else (),
        said=cast("Said", said),
        flaws=tuple(flaws),
        unsound=frozenset(unsound | {key for key, look in looks.items() if look.flaws}),
        looks={key: look for key, look in looks.items() if look.uses or look.breakpoints},
    )


def _names(betas: Json) -> tuple[str, ...]:
    return tuple(map(str, betas)) if isinstance(betas, list) else ()


def _looks_at_shortcuts(found: Mapping[str, Json], but: Collection[str]) -> dict[str, Look]:
    """A text or a number has nothing worth a note; a system prompt of blocks may hold breakpoints."""
    lists = [key for key in SHORTCUTS if key not in but and isinstance(found.get(key), list)]
    return {key: look_at(key, found[key], (None, key)) for key in lists}


def _read_beside(
    found: Mapping[str, Json], path: str, beside: frozenset[str]
) -> tuple[list[Flaw], set[str], dict[str, Json]]:
    """Read all but the inside of `params`: flaws, the names of what has any, and what else was said."""
    flaws: list[Flaw] = []
    unsound: set[str] = set()
    said: dict[str, Json] = {}
    for key, value in islice(found.items(), MOST_FLAWS):
        if key in beside:
            continue
        check = SETTINGS.get(key)
        if check is None:
            flaws.append(Flaw(member(path, key), stray(key)))
        elif wrong := list(islice(check(value, member(path, key)), MOST_FLAWS)):
            flaws += wrong
            unsound.add(key)
        elif key not in _OF_THE_CALL:
            said[key] = _kept(key, value)
    return flaws, unsound, said


def _kept(key: str, value: Json) -> Json:
    if key == SCHEMA:
        return answer_form(value)
    if key == "notify" and isinstance(value, str):
        return [value]
    return msgspec.Raw(encode(value)) if key in _KEPT_AS_JSON else value


def stray(key: str) -> str:
    """Say of a key that is no setting what would do."""
    if key in PARAMETERS:
        return "not a setting; parameters of the Messages API go into params"
    if key in _HINTS:
        return _HINTS[key]
    if close := likely(key):
        return f"unknown setting; did you mean {close}?"
    return f"unknown setting; known are {', '.join(SETTINGS)}"


def likely(key: str) -> str:
    """The setting that a misspelling means; nothing where it means none."""
    return closest(key, (*SETTINGS, ATTACH), 0.75)
