"""JSON Schemas as the API takes them: any that is one for a tool, few words for an answer and for a strict tool.

Source: docs "structured outputs", "JSON Schema limitations".
"""

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}
_NOT_SUPPORTED = {
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
    "uniqueItems",
}  # fmt: skip
_SCHEMA = {"items", "not", "if", "then", "else", "contains", "additionalItems", "propertyNames", "additionalProperties"}
_LIST = {"anyOf", "allOf", "oneOf", "prefixItems"}
_MAP = {"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"}
_DEEPEST = 60


def wrong(schema: Mapping[str, Any], path: str, *, strict: bool) -> Iterator[str]:
    """What is wrong with a schema.

    Args:
        schema: As parsed.
        path: Where it stands.
        strict: Whether the model's output is held to it.
    """
    for node in _walk(schema, 0):
        for said in _malformed(node):
            yield f"{path}: JSON schema is invalid. It must match JSON Schema draft 2020-12: {said}"
        if strict:
            yield from (f"{path}: {said}" for said in _unsupported(node, schema))
    if strict and _loops(schema):
        yield f"{path}: Circular reference detected in schema definitions"


def _malformed(node: Mapping[str, Any]) -> Iterator[str]:
    kinds = node.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind is not None and (not isinstance(kind, str) or kind not in _TYPES):
            yield f"'{kind}' is not a type"
    for word in _MAP & node.keys():
        inside = {} if node[word] is None else node[word]
        if not isinstance(inside, Mapping) or not all(isinstance(each, Mapping | bool) for each in inside.values()):
            yield f"'{word}'"


def _unsupported(node: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    kinds = node.get("type")
    objects = "object" in (kinds if isinstance(kinds, list) else [kinds]) or "properties" in node
    additional = node.get("additionalProperties")
    if additional is not False and (objects or additional is not None):
        yield "For 'object' type, 'additionalProperties' must be explicitly set to false"
    if words := sorted(_NOT_SUPPORTED & node.keys()):
        yield f"For '{kinds}' type, properties {', '.join(words)} are not supported"
    if node.get("minItems") not in (None, 0, 1):
        yield f"For 'array' type, 'minItems' values other than 0 or 1 are not supported (got: {node['minItems']})"
    if isinstance(values := node.get("enum"), list) and any(isinstance(each, dict | list) for each in values):
        yield "Enum values must be strings, numbers, booleans, or null"
    yield from _wrong_references(node, root)


def _wrong_references(node: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    if any(isinstance(each, Mapping) and "$ref" in each for each in node.get("allOf") or ()):
        yield "'allOf' with '$ref' is not supported"
    ref = node.get("$ref")
    if ref is None:
        return
    if not isinstance(ref, str) or not ref.startswith("#"):
        yield f"External schema reference '{ref}' is not supported"
    elif _found(ref, root) is None:
        yield f"Invalid schema reference '{ref}'"


def _found(ref: str, root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    node: object = root
    for step in ref[1:].split("/")[1:]:
        node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
    return node if isinstance(node, Mapping) else None


def _loops(root: Mapping[str, Any]) -> bool:
    """Whether some definition leads back to itself."""

    def leads(ref: str, behind: tuple[str, ...]) -> bool:
        if ref in behind:
            return True
        if ref in done:
            return False
        node = _found(ref, root)
        inner = [] if node is None else [each["$ref"] for each in _walk(node, 0, ref == "#") if "$ref" in each]
        found = any(leads(each, (*behind, ref)) for each in inner if isinstance(each, str))
        done.add(ref)
        return found

    done: set[str] = set()
    return leads("#", ())


def _walk(node: object, depth: int, top: bool = False) -> Iterator[Mapping[str, Any]]:  # noqa: FBT001, FBT002  of `leads`
    if not isinstance(node, Mapping) or depth > _DEEPEST:
        return
    yield node
    for word, inside in node.items():
        if word in _SCHEMA:
            yield from _walk(inside, depth + 1)
        elif word in _LIST and isinstance(inside, list):
            for each in inside:
                yield from _walk(each, depth + 1)
        elif word in _MAP and isinstance(inside, Mapping) and not (top and word in {"$defs", "definitions"}):
            for each in inside.values():
                yield from _walk(each, depth + 1)
