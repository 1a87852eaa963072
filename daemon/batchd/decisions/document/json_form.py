"""The form that a JSON answer is expected to have: the few words of JSON Schema that say what must be there.

Known are `type`, `enum`, `required`, `properties`, `additionalProperties`, `items`, `minItems` and `minLength`, nested
at will. Any other word is refused when the job is read, since one that is passed over in silence would promise a check
that nobody makes. A library for the whole of JSON Schema is not worth its dependencies (jsonschema brings four, one of
them compiled), and one that writes code from a user's schema (fastjsonschema) has no place in a daemon.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypedDict, cast

from batchd.claude.params_check import Check, whole_number
from batchd.text.strictjson import Flaw, Json, member

_ANNOTATIONS: Final = frozenset({"$schema", "title", "description"})
"""Words that say nothing about the value."""


class Form(TypedDict, total=False):
    """A form without flaws."""

    type: str | list[str]
    enum: list[Json]
    required: list[str]
    properties: "dict[str, Form]"
    additionalProperties: "bool | Form"
    items: "Form"
    minItems: int
    minLength: int


def flaws_of(form: Json, path: str) -> Iterator[Flaw]:
    """Check a form itself, as the user wrote it.

    Args:
        form: The value of the setting.
        path: Where it stands.
    """
    if not isinstance(form, dict):
        yield Flaw(path, 'must be an object such as {"type": "object", "required": ["name"]}')
        return
    for word, value in form.items():
        place = member(path, word)
        if word in _WORDS:
            yield from _WORDS[word](value, place)
        elif word not in _ANNOTATIONS:
            yield Flaw(place, f"not checked here; what can be asked for is {', '.join(_WORDS)}")


def form_of(schema: Json) -> Form:
    """Leave of a JSON Schema what is known here: all that it says of itself is checked, as far as it can be.

    Args:
        schema: A sound one; what a `$ref` in it refers to is not looked up.
    """
    form: dict[str, Json] = {}
    for word, value in schema.items() if isinstance(schema, dict) else ():
        if word == "properties" and isinstance(value, dict):
            form[word] = {key: form_of(inner) for key, inner in value.items()}
        elif word in {"items", "additionalProperties"} and isinstance(value, dict):
            form[word] = form_of(value)
        elif word in _WORDS and next(_WORDS[word](value, ""), None) is None:
            form[word] = value
    return cast("Form", form)  # its words were checked, one by one


def unmet(value: Json, form: Form, path: str = "") -> Iterator[Flaw]:
    """Tell what a value lacks of its form.

    Args:
        value: What was decoded.
        form: A form without flaws.
        path: The value's own, for messages.
    """
    said = form.get("type", ())
    types = (said,) if isinstance(said, str) else tuple(said)
    if types and not any(_TYPES[each](value) for each in types):
        yield Flaw(path, f"is not of the type {' or '.join(types)}")
        return
    if "enum" in form and not any(_same(value, each) for each in form["enum"]):
        yield Flaw(path, "is none of the values asked for")
    if isinstance(value, str) and len(value) < form.get("minLength", 0):
        yield Flaw(path, f"has {len(value):,} characters of at least {form['minLength']:,}")
    if isinstance(value, dict):
        yield from _unmet_object(value, form, path)
    if isinstance(value, list):
        yield from _unmet_list(value, form, path)


def _unmet_object(value: dict[str, Json], form: Form, path: str) -> Iterator[Flaw]:
    yield from (Flaw(member(path, key), "is missing") for key in form.get("required", ()) if key not in value)
    known, others = form.get("properties", {}), form.get("additionalProperties", True)
    for key, inner in known.items():
        if key in value:
            yield from unmet(value[key], inner, member(path, key))
    for key in sorted(value.keys() - known.keys()):
        if others is False:
            yield Flaw(member(path, key), "is not asked for")
        elif others is not True:
            yield from unmet(value[key], others, member(path, key))


def _unmet_list(value: list[Json], form: Form, path: str) -> Iterator[Flaw]:
    if len(value) < form.get("minItems", 0):
        yield Flaw(path, f"has {len(value):,} items of at least {form['minItems']:,}")
    if "items" in form:
        for index, each in enumerate(value):
            yield from unmet(each, form["items"], f"{path}[{index}]")


def _same(value: Json, other: Json) -> bool:
    """JSON's own equality, for which true is not 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value // 1


_TYPES: Final[Mapping[str, Callable[[Json], bool]]] = MappingProxyType(
    {
        "object": lambda value: isinstance(value, dict),
        "array": lambda value: isinstance(value, list),
        "string": lambda value: isinstance(value, str),
        "number": _number,
        "integer": _whole,
        "boolean": lambda value: isinstance(value, bool),
        "null": lambda value: value is None,
    }
)


def _type(value: Json, path: str) -> Iterator[Flaw]:
    names = value if isinstance(value, list) and value else [value]
    if not all(isinstance(each, str) and each in _TYPES for each in names):
        yield Flaw(path, f"must be one of {', '.join(_TYPES)}, or a list of these")


def _enum(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, list) or not value:
        yield Flaw(path, "must be a list of at least one value")


def _required(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        yield Flaw(path, 'must be a list of keys, such as ["name", "age"]')


def _properties(value: Json, path: str) -> Iterator[Flaw]:
    if not isinstance(value, dict):
        yield Flaw(path, "must be an object: each key with the form of its value")
        return
    for key, form in value.items():
        yield from flaws_of(form, member(path, key))


def _others(value: Json, path: str) -> Iterator[Flaw]:
    if isinstance(value, dict):
        yield from flaws_of(value, path)
    elif not isinstance(value, bool):
        yield Flaw(path, "must be true or false, or the form of every other key's value")


def _least(value: Json, path: str) -> Iterator[Flaw]:
    yield from whole_number(value, path, 0)


_WORDS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "type": _type,
        "enum": _enum,
        "required": _required,
        "properties": _properties,
        "additionalProperties": _others,
        "items": flaws_of,
        "minItems": _least,
        "minLength": _least,
    }
)
