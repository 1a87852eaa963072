"""Makes a value that keeps a JSON Schema: the same for the same chance, and smaller where there is little room.

Besides the words that the API takes (`schemas.py`) it keeps those that a tool's schema may have. Unknown to it are
`not`, `if` and `dependentSchemas`.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Any, Final, NamedTuple

import msgspec

from batchd.sandbox import lengths, patterns, writer
from batchd.sandbox.combined import Combined, joined, listed

Schema = Mapping[str, Any]


class Size(NamedTuple):
    """How much is made up where a schema leaves it open."""

    items: int
    """Of a list, at most."""
    words: int
    """Of a text."""
    optional: bool
    """Whether an object has what it need not have."""


SIZES: Final = (Size(3, 12, optional=True), Size(1, 4, optional=True), Size(0, 1, optional=False))
"""From the usual one to the smallest."""

_MOST_VALUES: Final = 50_000
"""In one instance; schemas that want more get null in the rest."""
_SHALLOW: Final = 6
"""Levels below which nothing is made that need not be, so that a schema which contains itself comes to an end."""
_DEEPEST: Final = 60
_NULL_ONE_IN: Final = 4
_RANGE: Final = 100
"""Of numbers without bounds."""
_HUNDREDTH: Final = Fraction(1, 100)
_TRIES: Final = 20

_BY_WORDS: Final = (
    ("object", {"properties", "required", "additionalProperties", "minProperties", "patternProperties"}),
    ("array", {"items", "prefixItems", "minItems", "maxItems", "contains"}),
    ("number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
)
"""What a schema without a type is about, by the words in it; a text where none of these is."""


def make(schema: Schema, chance: random.Random, size: Size) -> object:
    """Make a value that keeps a schema."""
    return _Maker(schema, chance, size).value(schema, 0)


class _Maker:
    """Makes one instance."""

    def __init__(self, root: Schema, chance: random.Random, size: Size) -> None:
        self._combined = Combined(root, self._one_of)
        self._chance = chance
        self._size = size
        self._made = 0

    def value(self, schema: object, depth: int) -> object:
        """Make a value for a schema within the root."""
        self._made += 1
        if schema is False or depth > _DEEPEST or self._made > _MOST_VALUES:
            return None
        whole = self._combined.read(schema, depth)
        if "const" in whole:
            return whole["const"]
        if isinstance(values := whole.get("enum"), list) and values:
            return self._chance.choice(values)
        return _BY_KIND[self._kind(whole)](self, whole, depth)

    def _one_of(self, schemas: list[object], depth: int) -> object:
        """One alternative: null seldom, and far down whichever leads no further."""
        if depth > _SHALLOW:
            return min(schemas, key=_weight)
        others = [each for each in schemas if not (isinstance(each, Mapping) and each.get("type") == "null")]
        nullable = len(others) < len(schemas) and not self._chance.randrange(_NULL_ONE_IN)
        return {"type": "null"} if nullable or not others else self._chance.choice(others)

    def _kind(self, schema: Schema) -> str:
        kinds = [each for each in listed(schema.get("type")) if isinstance(each, str) and each in _BY_KIND]
        others = [each for each in kinds if each != "null"]
        if others and (len(others) == len(kinds) or self._chance.randrange(_NULL_ONE_IN)):
            return self._chance.choice(others)
        if kinds:
            return "null"
        return next((kind for kind, words in _BY_WORDS if words & schema.keys()), "string")

    def object_(self, schema: Schema, depth: int) -> dict[str, object]:
        known: Mapping[str, object] = schema.get("properties") or {}
        others = schema.get("additionalProperties", True)
        keys = _required(schema)
        if self._size.optional and depth < _SHALLOW:
            most = max(int(schema.get("maxProperties", len(known) + len(keys))), len(keys))
            keys = list(dict.fromkeys((*keys, *known)))[:most]
        value = {key: self.value(known.get(key, others), depth + 1) for key in keys}
        open_ended = isinstance(others, Mapping) and not known
        least = int(schema.get("minProperties", self._size.items if open_ended and depth < _SHALLOW else 0))
        for key, inner in self._others(schema):
            if len(value) >= least or self._made > _MOST_VALUES:
                break
            value.setdefault(key, self.value(inner, depth + 1))
        return value

    def _others(self, schema: Schema) -> Iterator[tuple[str, object]]:
        """Keys that an object may have besides those that are named, with what their values keep."""
        named = list((schema.get("patternProperties") or {}).items())
        names, others = schema.get("propertyNames"), schema.get("additionalProperties", True)
        for number in range(1, _MOST_VALUES):
            if named:
                pattern, inner = self._chance.choice(named)
                yield self._matching(pattern), inner
            elif isinstance(names, Mapping):
                yield str(self.value({"type": "string", **names}, 0)), others
            else:
                yield f"key_{number}", others

    def list_(self, schema: Schema, depth: int) -> list[object]:
        first = listed(schema.get("prefixItems"))
        rest = schema.get("items", True)
        if (contains := schema.get("contains")) is not None:
            inner = joined(contains, rest) if isinstance(rest, Mapping) else contains
            first += [inner] * min(int(schema.get("minContains", 1)), _MOST_VALUES)
        least = max(int(schema.get("minItems", 0)), len(first))
        most = len(first) if rest is False else int(schema.get("maxItems", max(least, self._size.items)))
        usual = self._chance.randint(1, self._size.items) if self._size.items and depth < _SHALLOW else 0
        count = min(max(least, min(usual, most)), _MOST_VALUES)
        value: list[object] = []
        seen: set[bytes] = set()
        unique = schema.get("uniqueItems") is True
        for _ in range(count * (_TRIES if unique else 1)):
            each = self.value(first[len(value)] if len(value) < len(first) else rest, depth + 1)
            if not unique or (key := msgspec.json.encode(each)) not in seen:
                value.append(each)
                if unique:
                    seen.add(key)
            if len(value) == count or self._made > _MOST_VALUES:
                break
        return value

    def text(self, schema: Schema, _depth: int) -> str:
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        if isinstance(pattern := schema.get("pattern"), str):
            return self._matching(pattern, least, most)
        if (kind := schema.get("format")) in _FORMATS:
            return _FORMATS[kind](self._chance)
        asked = lengths.words(str(schema.get("description", "")))
        text = writer.phrase(self._chance, asked or self._size.words)
        while len(text) < min(least, writer.LONGEST):
            text = f"{text} {writer.phrase(self._chance, self._size.words)}"
        return text if most is None else text[: int(most)].rstrip().ljust(min(least, int(most)), ".")

    def _matching(self, pattern: str, least: int = 0, most: int | None = None) -> str:
        """A text that matches, of the right length if one comes up; any text where the pattern cannot be read."""
        text = ""
        for _ in range(_TRIES):
            try:
                text = patterns.sample(pattern, self._chance)
            except ValueError:
                return writer.phrase(self._chance, self._size.words)
            if least <= len(text) <= (len(text) if most is None else int(most)):
                break
        return text

    def whole_number(self, schema: Schema, _depth: int) -> int:
        # A whole multiple of 5/2 is a multiple of 5.
        step = Fraction(_fraction(schema.get("multipleOf") or 1).numerator)
        return round(self._within(schema, step))

    def number(self, schema: Schema, _depth: int) -> int | float:
        found = self._within(schema, _fraction(schema.get("multipleOf") or _HUNDREDTH))
        return int(found) if found.denominator == 1 else float(found)

    def _within(self, schema: Schema, step: Fraction) -> Fraction:
        """A multiple of a step within the bounds; the middle of them where there is none."""
        least, most = _bound(schema, "minimum", "exclusiveMinimum"), _bound(schema, "maximum", "exclusiveMaximum")
        width = _RANGE * max(step, Fraction(1))
        low = least.value if least else most.value - width if most else Fraction(0)
        high = most.value if most else low + width
        first, last = ceil(low / step), floor(high / step)
        first += bool(least and least.without and first * step == low)
        last -= bool(most and most.without and last * step == high)
        return self._chance.randint(first, last) * step if first <= last else (low + high) / 2

    def truth(self, _schema: Schema, _depth: int) -> bool:
        return self._chance.random() < 1 / 2

    def nothing(self, _schema: Schema, _depth: int) -> None:
        return None


_BY_KIND: Final[Mapping[str, Callable[[_Maker, Schema, int], object]]] = {
    "object": _Maker.object_,
    "array": _Maker.list_,
    "string": _Maker.text,
    "integer": _Maker.whole_number,
    "number": _Maker.number,
    "boolean": _Maker.truth,
    "null": _Maker.nothing,
}


class _Bound(NamedTuple):
    """One end of a range."""

    value: Fraction
    without: bool
    """Whether the value itself is none of it."""


def _bound(schema: Schema, word: str, excluding: str) -> _Bound | None:
    value, bare = schema.get(word), schema.get(excluding)
    found = [_Bound(_fraction(value), bare is True)] if _number(value) else []  # draft 4 says it beside the bound
    if _number(bare):
        found.append(_Bound(_fraction(bare), without=True))
    tightest = max if word == "minimum" else min
    return tightest(found, key=lambda each: each.value) if found else None


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fraction(number: object) -> Fraction:
    return Fraction(str(number))


def _weight(schema: object) -> int:
    """How much further an alternative leads."""
    if not isinstance(schema, Mapping):
        return 1
    if schema.get("type") == "null":
        return 0
    return 1 + 2 * ("$ref" in schema) + ("properties" in schema) + ("items" in schema)


def _day(chance: random.Random) -> str:
    return f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"


def _time(chance: random.Random) -> str:
    return f"{chance.randint(0, 23):02}:{chance.randint(0, 59):02}:00Z"


def _uuid(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


_FORMATS: Final[Mapping[object, Callable[[random.Random], str]]] = {
    "date": _day,
    "time": _time,
    "date-time": lambda chance: f"{_day(chance)}T{_time(chance)}",
    "duration": lambda chance: f"P{chance.randint(1, 30)}D",
    "email": lambda chance: f"sandbox{chance.randint(1, 999)}@example.com",
    "hostname": lambda chance: f"sandbox{chance.randint(1, 999)}.example.com",
    "uri": lambda chance: f"https://example.com/sandbox/{chance.randint(1, 999)}",
    "ipv4": lambda chance: f"192.0.2.{chance.randint(1, 254)}",
    "ipv6": lambda chance: f"2001:db8::{chance.randint(1, 9999)}",
    "uuid": _uuid,
}


def _required(schema: Schema) -> list[str]:
    """The keys that an object has to have, and those that these bring with them."""
    keys = list(dict.fromkeys(each for each in listed(schema.get("required")) if isinstance(each, str)))
    for key in keys:  # which grow as it goes
        dependents = (schema.get("dependentRequired") or {}).get(key, ())
        keys += [each for each in dependents if each not in keys]
    return keys
