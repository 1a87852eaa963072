"""The JSON Schema of an answer: what the API can hold a model to, and what it refuses.

Source: docs "structured outputs" ("JSON Schema limitations"); `lib/_parse/_transform.py` of the anthropic SDK 2.14,
which takes out of a Pydantic schema what the API does not take. The same rules hold for the `input_schema` of a tool
with `strict`; that of any other tool may say what it likes, as long as it is a schema.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchd.claude.shapes import Look, Path
from batchd.text.strictjson import shown

TYPES: Final = ("object", "array", "string", "integer", "number", "boolean", "null")

_WITHOUT: Final = "is not taken in the schema of an answer; leave it out, and say it in the description"
REFUSED: Final = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
)
_ONE: Final = ("items", "not", "if", "then", "else", "contains", "additionalItems", "propertyNames")
_MANY: Final = ("anyOf", "allOf", "oneOf", "prefixItems")
_NAMED: Final = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_DEEPEST: Final = 60
_SAID: Final = 20
"""Flaws of one schema: behind so many its author knows."""


def check_answer(schema: dict[str, Any], path: Path, look: Look) -> None:
    """Check the schema of an answer, or of a strict tool's input, in all its parts."""
    check_words(schema, path, look)
    before = len(look.flaws)
    for part, place in _parts(schema, path):
        if len(look.flaws) - before >= _SAID:
            return
        _part(part, place, look)
        if (ref := part.get("$ref")) is not None:
            _reference(ref, schema, (place, "$ref"), look)
    if len(look.flaws) == before and _recursive(schema):
        look.say(path, "refers to itself ($ref), which is not taken; spell out as many levels as are needed")


def check_words(schema: dict[str, Any], path: Path, look: Look) -> None:
    """Check that it is a schema at all: types that JSON Schema has, properties that are schemas."""
    for part, place in _parts(schema, path):
        kind = part.get("type")
        kinds = kind if isinstance(kind, list) else [kind]
        for each in kinds:
            if each is not None and each not in TYPES:
                look.say((place, "type"), f"is no type of JSON Schema; use one of {', '.join(TYPES)}")
        for word in _NAMED:
            inside = part.get(word)
            if isinstance(inside, dict):
                for key, inner in inside.items():
                    if not isinstance(inner, (dict, bool)):
                        look.say(((place, word), key), 'must be a schema, such as {"type": "string"}')
            elif inside is not None:
                look.say((place, word), "must be an object of schemas by their names")


def _part(part: Mapping[str, Any], path: Path, look: Look) -> None:
    _closed(part, path, look)
    for word in REFUSED:
        if word in part:
            look.say((path, word), _WITHOUT)
    if part.get("minItems") not in (None, 0, 1):
        look.say((path, "minItems"), "may be 0 or 1 only; say the number in the description")
    values = part.get("enum")
    if isinstance(values, list) and any(isinstance(each, (dict, list)) for each in values):
        look.say((path, "enum"), "may hold texts, numbers, true, false and null only")
    if any(isinstance(each, dict) and "$ref" in each for each in part.get("allOf") or ()):
        look.say((path, "allOf"), "may not hold a $ref; put the $ref itself in its place")


def _closed(part: Mapping[str, Any], path: Path, look: Look) -> None:
    """Ask of every object that it takes no keys but its own."""
    kinds = part.get("type")
    is_object = kinds == "object" or (isinstance(kinds, list) and "object" in kinds) or "properties" in part
    closed = part.get("additionalProperties")
    if (is_object or closed is not None) and closed is not False:
        said = "missing" if "additionalProperties" not in part else "must be false"
        said = f'{said}; every object of the schema needs "additionalProperties": false'
        look.say((path, "additionalProperties"), said)


def _reference(ref: object, schema: Mapping[str, Any], path: Path, look: Look) -> None:
    if not isinstance(ref, str) or not ref.startswith("#"):
        look.say(path, 'must refer to a part of this schema, such as "#/$defs/line"; copy what is elsewhere into it')
    elif _target(ref, schema) is None:
        look.say(path, f"there is nothing at {shown(ref)} in this schema")


def _target(ref: str, schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found: object = schema
    for step in ref.removeprefix("#").split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _recursive(schema: dict[str, Any]) -> bool:
    """Whether following references comes to where it has been."""
    reached: dict[str, set[str]] = {"#": set()}
    ahead = ["#"]
    while ahead:
        name = ahead.pop()
        target = _target(name, schema)
        parts = _parts(target or {}, None, through_definitions=name != "#")
        reached[name] = {part["$ref"] for part, _ in parts if isinstance(part.get("$ref"), str)}
        ahead += [each for each in reached[name] if each not in reached]
    return any(name in _closure(name, reached) for name in reached)


def _closure(name: str, reached: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(reached[name])
    while ahead:
        each = ahead.pop()
        if each not in found:
            found.add(each)
            ahead += reached.get(each, ())
    return found


def _parts(
    schema: object, path: Path, depth: int = 0, *, through_definitions: bool = True
) -> Iterator[tuple[dict[str, Any], Path]]:
    """A schema and all schemas in it; values such as `enum` and `default` hold none."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return
    yield schema, path
    for word in _ONE:
        yield from _parts(schema.get(word), (path, word), depth + 1)
    if isinstance(closed := schema.get("additionalProperties"), dict):
        yield from _parts(closed, (path, "additionalProperties"), depth + 1)
    for word in _MANY:
        if isinstance(inside := schema.get(word), list):
            for index, each in enumerate(inside):
                yield from _parts(each, ((path, word), index), depth + 1)
    for word in _NAMED:
        if isinstance(inside := schema.get(word), dict) and (through_definitions or "efs" not in word):
            for key, each in inside.items():
                yield from _parts(each, ((path, word), key), depth + 1)
