"""What lies where in an answer that keeps a schema, and what an answer of the least length would be."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from batchd.text.strictjson import Json

Form: TypeAlias = Mapping[str, Json]
_DEEPEST: Final = 60
_SHORTEST: Final = "?"
"""A text that is not empty."""


def part_at(schema: Form, path: Sequence[str | int]) -> Form | None:
    """Find the form of a part of an answer; None where the schema has no such part.

    Args:
        schema: A sound one.
        path: Names of properties, and numbers of entries.
    """
    part: Form = _followed(schema, schema)
    for key in path:
        inside = part.get("items") if isinstance(key, int) else _properties(part).get(key)
        if not isinstance(inside, Mapping):
            return None
        part = _followed(inside, schema)
    return part


def properties_of(part: Form) -> tuple[str, ...]:
    """The names of what lies in an object."""
    return tuple(_properties(part))


def _properties(part: Form) -> Mapping[str, Json]:
    found = part.get("properties")
    return found if isinstance(found, dict) else {}


def is_of(part: Form, kind: str) -> bool:
    """Whether values of a form are of a type of JSON Schema, and of no other."""
    return part.get("type") == kind or ("type" not in part and kind == "object" and "properties" in part)


def shortest(part: Form, schema: Form, depth: int = 0) -> Json:
    """Make a value of a form, as short as it may be: each list has one entry, so that it can be named."""
    part = _followed(part, schema)
    kind = part.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if depth > _DEEPEST:
        return _SHORTEST
    if is_of(part, "object"):
        return {
            name: shortest(inner, schema, depth + 1) if isinstance(inner, Mapping) else _SHORTEST
            for name, inner in _properties(part).items()
        }
    if kind == "array":
        items = part.get("items")
        return [shortest(items, schema, depth + 1) if isinstance(items, Mapping) else _SHORTEST]
    if isinstance(values := part.get("enum"), list) and values:
        return values[0]
    return {"integer": 1, "number": 1.0, "boolean": True, "null": None}.get(str(kind), _SHORTEST)


def _followed(part: Form, schema: Form) -> Form:
    """Follow references within a schema."""
    for _ in range(_DEEPEST):
        ref = part.get("$ref")
        if not isinstance(ref, str) or not ref.startswith("#/"):
            break
        found: Json = schema
        for step in ref.removeprefix("#/").split("/"):
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            break
        part = found
    return part
