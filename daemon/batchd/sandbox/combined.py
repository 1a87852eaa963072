"""Reads a schema as one: with what it refers to, one of its alternatives, and what its description says.

Words that the API does not take are said in a schema's `description` instead, as `{minimum: 1, maxItems: 3}`: that is
how the API's own SDKs write them. They hold here like any other.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

_SAID: Final = re.compile(
    r"\b(minimum|maximum|exclusiveMinimum|exclusiveMaximum|multipleOf|minLength|maxLength|pattern|format|minItems|maxItems"
    r"|uniqueItems|contains|minContains|maxContains|minProperties|maxProperties|propertyNames|prefixItems"
    r"|dependentRequired|patternProperties)\"?: "
)
_VALUE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d(?:[\d.eE+-]*\d)?|true|false')
_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')
_OPENING: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
_DEEPEST: Final = 60
_LONGEST: Final = 10_000
"""Characters of a description that are looked at."""

Choice = Callable[[list[object], int], object]
"""Chooses one of several schemas, at a depth."""


class Combined:
    """The schemas within one."""

    def __init__(self, root: Mapping[str, Any], choose: Choice) -> None:
        self._root = root
        self._choose = choose

    def read(self, schema: object, depth: int) -> dict[str, Any]:
        """Put together what holds for one value."""
        if not isinstance(schema, Mapping):
            return {}
        whole = {**said(schema.get("description")), **schema}
        if depth > _DEEPEST:
            return whole
        parts: list[object] = []
        if isinstance(ref := whole.pop("$ref", None), str):
            parts.append(self._target(ref))
        parts += listed(whole.pop("allOf", None))
        for word in ("anyOf", "oneOf"):
            if each := listed(whole.pop(word, None)):
                parts.append(self._choose(each, depth))
        for part in parts:
            whole = joined(self.read(part, depth + 1), whole)
        return whole

    def _target(self, ref: str) -> object:
        node: object = self._root
        for step in ref.removeprefix("#").split("/")[1:]:
            node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
        return node


def said(description: object) -> dict[str, Any]:
    """The words of JSON Schema that a description says, with their values."""
    found: dict[str, Any] = {}
    text = description[:_LONGEST] if isinstance(description, str) else ""
    for word in _SAID.finditer(text):
        try:
            found[word[1]] = msgspec.json.decode(text[word.end() : _end(text, word.end())])
        except (msgspec.DecodeError, RecursionError):
            continue
    return found


def _end(text: str, at: int) -> int:
    """Where a JSON value ends that begins here."""
    if text[at : at + 1] not in _OPENING:
        value = _VALUE.match(text, at)
        return value.end() if value else at
    depth = 0
    for sign in _BRACKETS.finditer(text, at):
        depth += _OPENING.get(sign[0], 0)
        if depth == 0:
            return sign.end()
    return at


def listed(value: object) -> list[Any]:
    """A list as it is; anything else as the only one in it, and nothing as none."""
    return [] if value is None else list(value) if isinstance(value, list) else [value]


def joined(schema: object, other: object) -> dict[str, Any]:
    """A schema that keeps two: the other's words, but the properties of both, and the narrower of two bounds."""
    one, two = (dict(each) if isinstance(each, Mapping) else {} for each in (schema, other))
    return {**one, **two, **{word: _both(word, one[word], two[word]) for word in one.keys() & two.keys()}}


def _both(word: str, one: object, two: object) -> object:
    """What holds where two schemas have the same word."""
    if word == "properties" and isinstance(one, Mapping) and isinstance(two, Mapping):
        return {**one, **{key: joined(one.get(key), two[key]) for key in two}}
    if word == "required":
        return [*listed(one), *listed(two)]
    if word in {"enum", "type"}:
        return [each for each in listed(one) if each in listed(two)] or two
    if isinstance(one, int | float) and isinstance(two, int | float):
        if word.startswith(("min", "exclusiveMin")):
            return max(one, two)
        if word.startswith(("max", "exclusiveMax")):
            return min(one, two)
    return two
