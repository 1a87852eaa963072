"""What a user expects of a document: the setting `expect`, read strictly before anything is spent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import Final

import msgspec

from batchd.claude.params_check import Check, text, whole_number, yes_or_no
from batchd.decisions.document import json_form
from batchd.text import typed
from batchd.text.sections import MARKER, TITLE
from batchd.text.strictjson import Flaw, Flawed, Json, Malformed, decode, encode, member
from batchd.text.titles import plain

_MOST_SECTIONS: Final = 2_000
_LONGEST_TITLE: Final = 200


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a whole document has; all that is None or false is not asked for."""

    words: int | None = None
    """At least, as `text.length` counts them."""
    tokens: int | None = None
    """At least, of `usage.output_tokens` without the thinking."""
    titles: tuple[str, ...] = ()
    """Of the sections it has, in order."""
    count: int | None = None
    """How many sections it has at least, where no titles are given."""
    marker: str = MARKER
    """How a section begins; a Markdown heading serves as well."""
    ends_with: str | None = None
    """Its last words; blanks behind them do not count."""
    json: bool = False
    """Whether it is JSON, alone or in one code fence."""
    form: json_form.Form | None = None
    """Of the JSON: what `jsonform` can check."""
    closed: bool = False
    """Whether no code fence, and no bracket outside of code, may be left open."""
    characters: int | None = None
    """At least."""
    unreadable: str = ""
    """Why nobody can tell what was expected, which is then never met; empty where all is well."""


NOTHING: Final = Expectation()
"""What every document meets."""


class _Setting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The setting as a job file spells it."""

    words: int | None = None
    characters: int | None = None
    tokens: int | None = None
    sections: list[str] | int | None = None
    marker: str = MARKER
    ends_with: str | None = None
    json: bool | dict[str, Json] = False
    closed: bool = False


def check(value: Json, path: str) -> Iterator[Flaw]:
    """Check the setting `expect`.

    Args:
        value: As the user wrote it.
        path: Where it stands.
    """
    if not isinstance(value, dict) or not value:
        yield Flaw(path, 'must be an object such as {"words": 2000, "sections": ["Scope", "Terms"]}')
        return
    for key, each in value.items():
        place = member(path, key)
        if key in _CHECKS:
            yield from _CHECKS[key](each, place)
        else:
            yield Flaw(place, f"nothing that can be expected; known are {', '.join(_CHECKS)}")
    if "marker" in value and "sections" not in value:
        yield Flaw(member(path, "marker"), "says how sections are marked; say in sections which are expected")
    try:
        encode(value)
    except Flawed as unwritable:
        yield from (Flaw(f"{path}.{flaw.field}", flaw.message) for flaw in unwritable.flaws)


def stored(setting: msgspec.Raw) -> Expectation:
    """Read an expectation that was checked before its job was accepted, and has been stored since.

    Args:
        setting: As JSON; empty where nothing is expected.

    Returns:
        What is expected. Where a setting cannot be read any more, the expectation says so, and is never met.
    """
    return _stored(bytes(setting))


@lru_cache(maxsize=256)
def _stored(setting: bytes) -> Expectation:
    if not setting:
        return NOTHING
    try:
        value, _ = decode(setting.decode())
        return _expectation(typed.convert(value, _Setting))
    except (Malformed, Flawed, msgspec.ValidationError) as error:
        return Expectation(unreadable=f"what was expected of it cannot be read ({type(error).__name__})")


def expectation_of(setting: Json, path: str = "expect") -> Expectation | tuple[Flaw, ...]:
    """Read the setting `expect` of a job file, which stands at a path; or tell everything that is wrong with it."""
    flaws = tuple(check(setting, path))
    return flaws or _expectation(typed.convert(setting, _Setting))


def _expectation(setting: _Setting) -> Expectation:
    sections, json = setting.sections, setting.json
    return Expectation(
        words=setting.words,
        tokens=setting.tokens,
        titles=tuple(sections) if isinstance(sections, list) else (),
        count=sections if isinstance(sections, int) else None,
        marker=setting.marker,
        ends_with=setting.ends_with,
        json=json is not False,
        form=json_form.form_of(json) if isinstance(json, dict) else None,
        closed=setting.closed,
        characters=setting.characters,
    )


def _sections_asked(value: Json, path: str) -> Iterator[Flaw]:
    if isinstance(value, list) and value:
        if len(value) > _MOST_SECTIONS:
            yield Flaw(path, f"{len(value):,} titles; at most {_MOST_SECTIONS:,} are taken")
        for index, title in enumerate(islice(value, _MOST_SECTIONS)):
            yield from _title(title, f"{path}[{index}]")
    elif isinstance(value, list):
        yield Flaw(path, "must have at least one title")
    elif type(value) is int:
        yield from whole_number(value, path)
    else:
        yield Flaw(path, "must be a list of titles, or how many sections there are at least")


def _title(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, str) or not plain(value):
        yield Flaw(path, "must be a title, a text that is not empty")
    elif "\n" in value or len(value) > _LONGEST_TITLE:
        yield Flaw(path, f"must be one line of at most {_LONGEST_TITLE} characters")


def _marker(value: Json, path: str) -> Iterator[Flaw]:
    if (
        not isinstance(value, str)
        or "\n" in value
        or len(value) > _LONGEST_TITLE
        or value.count(TITLE) != 1
        or not value.split(TITLE)[0].strip()
    ):
        yield Flaw(path, f'must be one line with {TITLE} in it and something before that, such as "{MARKER}"')


def _json_asked(value: Json, path: str) -> Iterator[Flaw]:
    if isinstance(value, dict):
        yield from json_form.flaws_of(value, path)
    elif not isinstance(value, bool):
        yield Flaw(path, "must be true or false, or the form that is expected")


_CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "words": whole_number,
        "characters": whole_number,
        "tokens": whole_number,
        "sections": _sections_asked,
        "marker": _marker,
        "ends_with": text,
        "json": _json_asked,
        "closed": yes_or_no,
    }
)
