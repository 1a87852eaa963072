"""A JSON Schema as people have it, made into one that structured output takes (`output_schema` says which do).

The API wants `additionalProperties: false` on every object, and refuses bounds such as `minimum`. What it refuses is
taken out and said in the `description`, where the model reads it. The SDK's own `transform_schema` does most of this,
but fails on `type: ["string", "null"]` and lets recursion pass.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from batchd.claude.output_schema import REFUSED, check_answer
from batchd.claude.shapes import Look, Path
from batchd.text.strictjson import Flaw, Json

_SILENT: Final = frozenset({"$schema", "$id", "$comment", "examples", "deprecated", "readOnly", "writeOnly"})
"""What says nothing that a model would have to keep: taken out without a word."""
_MOST_ITEMS_KEPT: Final = 1
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
"""Of strings, as the SDK lists them (2.14, `_transform.py`)."""
_LISTS: Final = ("anyOf", "allOf", "oneOf", "prefixItems")
_MAPS: Final = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_INNER: Final = ("items", "not", "if", "then", "else", "contains", "additionalItems", "propertyNames")
_DEEPEST: Final = 50


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """What is sent, and what was taken out on the way."""

    schema: dict[str, Json]
    taken_out: tuple[str, ...]
    """Keywords, sorted."""

    @property
    def properties(self) -> tuple[str, ...]:
        """Of the object at its top, in its order."""
        properties = self.schema["properties"]
        return tuple(properties) if isinstance(properties, dict) else ()


def clean_schema(schema: Json, name: str = "schema") -> OutputSchema | list[Flaw]:
    """Make a schema fit for `output_config.format`, or tell everything that is wrong with it.

    Args:
        schema: As the user wrote it.
        name: What it is called in what is said of it.
    """
    look = Look()
    path: Path = (None, name)
    if not isinstance(schema, dict):
        look.say(path, 'must be a JSON Schema such as {"type": "object", "properties": {…}}')
        return look.flaws
    for where, said in _top(schema, path):
        look.say(where, said)
    cleaning = _Cleaning(look)
    cleaned = {} if look.flaws else cleaning.schema(schema, path, 0)
    if not look.flaws:
        check_answer(cleaned, path, look)
    return look.flaws or OutputSchema(cleaned, tuple(sorted(cleaning.taken_out)))


def _top(schema: Mapping[str, Json], path: Path) -> Iterator[tuple[Path, str]]:
    if "json_schema" in schema or {"name", "schema"} <= schema.keys():
        yield path, "must be the schema itself, not an object that holds it under another key"
    elif schema.get("type") != "object" or not isinstance(schema.get("properties"), dict) or not schema["properties"]:
        said = 'must describe an object with properties: {"type": "object", "properties": {"label": {…}}}'
        yield (path, "type"), said


class _Cleaning:
    """One pass over a schema."""

    def __init__(self, look: Look) -> None:
        self.taken_out: set[str] = set()
        self._look = look

    def schema(self, schema: Mapping[str, Json], path: Path, depth: int) -> dict[str, Json]:
        """Return a copy that the API takes."""
        if depth > _DEEPEST:
            self._look.say(path, f"nested deeper than {_DEEPEST} levels")
            return {}
        cleaned: dict[str, Json] = {}
        words: list[str] = []
        for key, value in schema.items():
            if _is_refused(key, value):
                self.taken_out.add(key)
                words.append(f"{key}: {msgspec.json.encode(value).decode()}")
            elif key not in _SILENT:
                cleaned[key] = self._inner(key, value, path, depth)
        if _is_object(cleaned):
            if "additionalProperties" in schema and schema["additionalProperties"] is not False:
                self.taken_out.add("additionalProperties")
            cleaned["additionalProperties"] = False
            cleaned.setdefault("properties", {})
        if words:
            said, told = cleaned.get("description"), f"{{{', '.join(words)}}}"
            cleaned["description"] = f"{said}\n\n{told}" if said else told
        return cleaned

    def _nested(self, schema: Json, path: Path, depth: int) -> Json:
        if isinstance(schema, bool):
            return schema
        if isinstance(schema, dict):
            return self.schema(schema, path, depth)
        self._look.say(path, 'must be a schema, such as {"type": "string"}')
        return {}

    def _inner(self, key: str, value: Json, path: Path, depth: int) -> Json:
        place = (path, key)
        if key in _MAPS and isinstance(value, dict):
            return {name: self._nested(inner, (place, name), depth + 1) for name, inner in value.items()}
        if key in _INNER:
            return self._nested(value, place, depth + 1)
        if key in _LISTS and isinstance(value, list):
            return [self._nested(inner, (place, index), depth + 1) for index, inner in enumerate(value)]
        return value


def _is_refused(key: str, value: Json) -> bool:
    if key == "minItems":
        return value not in range(_MOST_ITEMS_KEPT + 1)
    if key == "format":
        return value not in _FORMATS
    return key in REFUSED


def _is_object(schema: Mapping[str, Json]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema
