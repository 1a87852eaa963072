"""What a value lacks of a JSON Schema, by an implementation of its own: the judge of what the sandbox makes up."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

TYPES: dict[str, Any] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
FORMATS = {
    "date": r"\d{4}-\d\d-\d\d",
    "email": r"[^@\s]+@[^@\s]+",
    "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
}


def lacks(value: Any, schema: Any, root: Any = None, path: str = "$") -> Iterator[str]:
    """Tell each word of a schema that a value does not keep."""
    root = schema if root is None else root
    if schema is False:
        yield f"{path}: nothing may be here"
    if isinstance(schema, Mapping):
        yield from of_any(value, schema, path)
        yield from of_parts(value, schema, root, path)
        yield from of_its_type(value, schema, root, path)


def of_any(value: Any, schema: Any, path: str) -> Iterator[str]:
    kinds = schema.get("type", list(TYPES))
    if not any(TYPES[kind](value) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        yield f"{path}: {value!r} is no {kinds}"
    if value not in schema.get("enum", [value]):
        yield f"{path}: {value!r} is not in enum"
    if value != schema.get("const", value):
        yield f"{path}: {value!r} is not const"


def of_parts(value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if "$ref" in schema:
        target = root
        for step in schema["$ref"].removeprefix("#").split("/")[1:]:
            target = target[step]
        yield from lacks(value, target, root, path)
    for part in schema.get("allOf", ()):
        yield from lacks(value, part, root, path)
    for word in ("anyOf", "oneOf"):
        if word in schema and not any(not list(lacks(value, part, root, path)) for part in schema[word]):
            yield f"{path}: none of {word}"


def of_its_type(value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from of_object(value, schema, root, path)
    elif isinstance(value, list):
        yield from of_list(value, schema, root, path)
    elif isinstance(value, str):
        yield from of_text(value, schema, path)
    elif TYPES["number"](value):
        yield from of_number(value, schema, path)


def of_object(value: Mapping[str, Any], schema: Any, root: Any, path: str) -> Iterator[str]:
    yield from (f"{path}.{key} is missing" for key in schema.get("required", ()) if key not in value)
    for key in value:
        for needed in schema.get("dependentRequired", {}).get(key, ()):
            if needed not in value:
                yield f"{path}.{needed} is missing beside {key}"
    for key, each in value.items():
        known = schema.get("properties", {})
        inner = known.get(key, schema.get("additionalProperties", True))
        yield from lacks(each, inner, root, f"{path}.{key}")
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", 10**9):
        yield f"{path}: {len(value)} properties"


def of_list(value: list[Any], schema: Any, root: Any, path: str) -> Iterator[str]:
    first = schema.get("prefixItems", [])
    for index, each in enumerate(value):
        inner = first[index] if index < len(first) else schema.get("items", True)
        yield from lacks(each, inner, root, f"{path}[{index}]")
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9):
        yield f"{path}: {len(value)} items"
    if schema.get("uniqueItems") and any(each in value[:index] for index, each in enumerate(value)):
        yield f"{path}: an item twice"
    if "contains" in schema:
        found = sum(not list(lacks(each, schema["contains"], root, path)) for each in value)
        if found < schema.get("minContains", 1):
            yield f"{path}: contains {found}"


def of_text(value: str, schema: Any, path: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9):
        yield f"{path}: {len(value)} characters"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"
    if schema.get("format") in FORMATS and not re.fullmatch(FORMATS[schema["format"]], value):
        yield f"{path}: {value!r} is no {schema['format']}"


def of_number(value: float, schema: Any, path: str) -> Iterator[str]:
    wrong: dict[str, Callable[[Any], bool]] = {
        "minimum": lambda bound: value < bound,
        "maximum": lambda bound: value > bound,
        "exclusiveMinimum": lambda bound: value <= bound,
        "exclusiveMaximum": lambda bound: value >= bound,
        "multipleOf": lambda step: abs(value / step - round(value / step)) > 1e-9,
    }
    yield from (
        f"{path}: {value!r} against {word}"
        for word, is_wrong in wrong.items()
        if word in schema and is_wrong(schema[word])
    )
