"""Tables of settings: what each holds, and how it is read, with every mistake told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from msgspec import Struct

from batchd.settings.rules import OfPart, Rule, unless_text


class Table(Struct, frozen=True):
    """A table of the settings file: each field annotated with its rule and what people are told of it.

    A table whose values contradict each other raises ValueError when it is made.
    """


T = TypeVar("T", bound=Table)


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something that cannot be a setting."""

    path: tuple[str, ...]
    """Where it stands, as in TOML."""
    value: object = field(repr=False)
    message: str
    """What would do; names the settings by itself where it is about several."""
    of_several: bool = False
    unknown: bool = False
    """Whether there is no such setting."""


class Mistakes(Exception):
    """All that is wrong with a table and those in it."""

    def __init__(self, found: Iterable[Mistake]) -> None:
        super().__init__()
        self.found = tuple(found)


class Within(NamedTuple):
    """A place in another table, among the names of which it has tables."""

    table: str
    key: str


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of a table, or a table in it."""

    default: Any
    description: str
    rule: Rule | None
    """None for tables."""
    table: type[Table] | None = None
    by_id: bool = False
    """Whether it holds a table for each of any number of names."""
    within: "Within | None" = None
    """Where it stands, if not under its own name."""


@lru_cache
def fields_of(table: type[Table]) -> Mapping[str, Field]:
    """Tell the settings of a table by name, in reading order."""
    hints, defaults = get_type_hints(table, include_extras=True), table()
    return {name: _field(hints[name], getattr(defaults, name)) for name in table.__struct_fields__}


def _field(hint: Any, default: object) -> Field:  # noqa: ANN401  an annotation
    if get_origin(hint) is Annotated:
        _, *told = get_args(hint)
        rule = next((each for each in reversed(told) if callable(each)), None)
        within = next((each for each in told if isinstance(each, Within)), None)
        return Field(default, next(each for each in told if isinstance(each, str)), rule, within=within)
    if get_origin(hint) is dict:
        return Field(default, "", None, get_args(hint)[1], by_id=True)
    return Field(default, "", None, hint)


def read_table(table: type[T], said: Mapping[str, object]) -> T:
    """Make a table of what was said; what was not said has its default.

    Raises:
        Mistakes: Something is unknown, malformed or contradictory.
    """
    mistakes: list[Mistake] = []
    made = _read(table, said, (), mistakes)
    if made is None:
        raise Mistakes(mistakes)
    return made


def _read(table: type[T], said: object, path: tuple[str, ...], mistakes: list[Mistake]) -> T | None:
    if not isinstance(said, Mapping):
        mistakes.append(Mistake(path, unless_text(said), "should be a table"))
        return None
    before, known = len(mistakes), fields_of(table)
    said, elsewhere = _parted(said, known)
    values = {
        name: _value(each, said[name], (*path, name), mistakes)
        for name, each in known.items()
        if name in said and each.within is None
    }
    for name, (place, value) in elsewhere.items():
        values[name] = _value(known[name], value, (*path, *place), mistakes)
    strange = [name for name in said if name not in known or known[name].within]
    mistakes += [Mistake((*path, name), said[name], "", unknown=True) for name in strange]
    if len(mistakes) > before:
        return None
    try:
        return table(**values)
    except ValueError as error:
        mistakes.append(Mistake(path, said, str(error), of_several=True))
        return None


def _parted(
    said: Mapping[str, Any], known: Mapping[str, Field]
) -> tuple[dict[str, Any], dict[str, tuple[Within, object]]]:
    """Part what was said from the settings that stand within other tables, which are given with their places."""
    rest, elsewhere = dict(said), dict[str, tuple[Within, object]]()
    for name, each in known.items():
        if each.within and isinstance(around := rest.get(each.within.table), Mapping) and each.within.key in around:
            elsewhere[name] = (each.within, around[each.within.key])
            rest[each.within.table] = {key: value for key, value in around.items() if key != each.within.key}
    return rest, elsewhere


def _value(of: Field, said: object, path: tuple[str, ...], mistakes: list[Mistake]) -> object:
    if of.table is not None and not of.by_id:
        return _read(of.table, said, path, mistakes)
    if of.table is not None:
        if isinstance(said, Mapping):
            return {name: _read(of.table, each, (*path, name), mistakes) for name, each in said.items()}
        mistakes.append(Mistake(path, unless_text(said), "should be a table"))
        return None
    try:
        return of.rule(said) if of.rule else said
    except OfPart as part:
        mistakes.append(Mistake(path, part.value, str(part)))
    except ValueError as error:
        mistakes.append(Mistake(path, said, str(error)))
    return None
