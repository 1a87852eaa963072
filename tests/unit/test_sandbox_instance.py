"""What the sandbox makes up by a schema, held against a judge of its own."""

import random
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from batchd.sandbox import instance, patterns
from batchd.sandbox.combined import said
from hypothesis import given
from hypothesis import strategies as st

from tests.support.schema_judge import lacks

TEXT = {"type": "string"}
TREE = {
    "type": "object",
    "properties": {"name": TEXT, "children": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["name", "children"],
}
CHAIN = {
    "type": "object",
    "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    "required": ["next"],
}

CHANCE = random.Random(1)  # noqa: S311  nothing here is secret


def made(schema: Mapping[str, Any], seed: int, size: instance.Size = instance.SIZES[0]) -> object:
    return instance.make(schema, random.Random(seed), size)  # noqa: S311  same


SCHEMAS: list[dict[str, Any]] = [
    {"enum": ["billing", "bug", 3, None]},
    {"const": {"a": [1]}},
    {"type": ["string", "null"]},
    {"type": ["object", "null"], "properties": {"a": TEXT}, "required": ["a"], "additionalProperties": False},
    {"type": "integer", "minimum": 5, "maximum": 5},
    {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 2},
    {"type": "integer", "minimum": 7, "multipleOf": 5, "maximum": 11},
    {"type": "integer", "multipleOf": 2.5, "minimum": 1, "maximum": 7},
    {"type": "number", "minimum": 0, "maximum": 1},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
    {"type": "number", "multipleOf": 0.25, "maximum": -3},
    {"type": "string", "minLength": 300, "maxLength": 301},
    {"type": "string", "maxLength": 3},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "format": "email"},
    {"type": "string", "pattern": r"^[A-Z]{2}\d{4,6}-(?:a|b|c\.)?$", "minLength": 7},
    {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 3},
    {"type": "array", "prefixItems": [TEXT, {"type": "integer"}], "items": False},
    {"type": "array", "contains": {"const": 7}, "items": {"type": "integer"}, "maxItems": 2},
    {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2, "maxProperties": 3},
    {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a"], "dependentRequired": {"a": ["b"]}},
    {"type": "object", "properties": {"a": {"allOf": [{"minimum": 3}, {"type": "integer", "maximum": 4}]}}},
    {"oneOf": [{"type": "object", "properties": {"kind": {"const": "x"}}, "required": ["kind"]}, {"type": "integer"}]},
    {"$ref": "#/$defs/a~1b", "$defs": {"a/b": TEXT}},
    {"properties": {"a": {"$ref": "#/$defs/Part"}}, "$defs": {"Part": {"type": "integer", "minimum": 9}}},
    TREE,
    CHAIN,
]


@pytest.mark.parametrize("schema", [each for each in SCHEMAS if "a~1b" not in str(each)], ids=str)
@pytest.mark.parametrize("size", instance.SIZES, ids=["usual", "small", "smallest"])
def test_what_is_made_keeps_the_schema(schema: dict[str, Any], size: instance.Size) -> None:
    for seed in range(30):
        value = made(schema, seed, size)
        assert list(lacks(value, schema)) == [], value
        assert value == made(schema, seed, size)


def test_a_pointer_with_a_slash_in_it_is_followed() -> None:
    (schema,) = [each for each in SCHEMAS if "a~1b" in str(each)]
    assert isinstance(made(schema, 1), str)


def test_enumerations_and_truths_differ_from_one_answer_to_the_next() -> None:
    schema = {"type": "object", "properties": {"label": {"enum": ["a", "b", "c"]}, "urgent": {"type": "boolean"}}}
    values = {str(made(schema, seed)) for seed in range(60)}
    assert len(values) == 6


def test_what_may_be_null_is_so_at_times() -> None:
    values = [made({"type": ["string", "null"]}, seed) for seed in range(60)]
    assert 3 < values.count(None) < 40


def test_words_that_a_description_says_hold() -> None:
    bounds = {"minimum": 3, "maximum": 4, "multipleOf": 1}
    items = {"minItems": 5, "uniqueItems": True}
    stated = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "description": "How many.\n\n{minimum: 3, maximum: 4, multipleOf: 1}"},
            "list": {"type": "array", "items": {"type": "integer"}, "description": "{minItems: 5, uniqueItems: true}"},
            "code": {"type": "string", "description": r'{pattern: "^[a-c]{3}[\"}]$", minLength: 4}'},
        },
        "required": ["n", "list", "code"],
    }
    meant = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", **bounds},
            "list": {"type": "array", "items": {"type": "integer"}, **items},
            "code": {"type": "string", "pattern": r'^[a-c]{3}["}]$', "minLength": 4},
        },
        "required": ["n", "list", "code"],
    }
    for seed in range(30):
        assert list(lacks(made(stated, seed), meant)) == []


def test_a_description_may_speak_of_words_without_saying_them() -> None:
    assert said("The minimum: of all. pattern: see below. maximum: {") == {}
    assert said('{"minimum": 3, enum: [1]}') == {"minimum": 3}
    assert said(None) == {}


def test_a_length_that_a_description_asks_for_is_there() -> None:
    schema = {"type": "string", "description": "A summary of at least 50 words."}
    assert len(str(made(schema, 1)).split()) >= 50


def test_schemas_without_end_come_to_one() -> None:
    twice = {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]}
    assert len(msgspec.json.encode(made(twice, 1))) < 10_000_000
    huge = {"type": "array", "items": TEXT, "minItems": 10**12}
    assert isinstance(made(huge, 1), list)


def test_a_small_one_is_smaller() -> None:
    schema = {"type": "object", "properties": {"a": TEXT, "b": {"type": "array", "items": TEXT}}, "required": ["a"]}
    sizes = [len(str(made(schema, 1, size))) for size in instance.SIZES]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)


@pytest.mark.parametrize("pattern", ["(", "[a", "a{99999999}", "\\", "(?<n", "x{2"])
def test_a_pattern_that_cannot_be_read_is_passed_over(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a pattern"):
        patterns.sample(pattern, CHANCE)
    assert isinstance(made({"type": "string", "pattern": pattern}, 1), str)


def ranges(kind: str, least: str, most: str, *, lowest: int) -> st.SearchStrategy[dict[str, Any]]:
    bounds = st.tuples(st.integers(lowest, 40), st.integers(0, 9))
    return bounds.map(lambda each: {"type": kind, least: each[0], most: sum(each)})


LEAVES = st.one_of(
    ranges("integer", "minimum", "maximum", lowest=-9),
    ranges("string", "minLength", "maxLength", lowest=0),
    st.lists(st.one_of(st.none(), st.booleans(), st.integers(), st.text()), min_size=1).map(
        lambda all_: {"enum": all_}
    ),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["number", "null"]}]),
)


def around(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.dictionaries(st.text(max_size=4), inner, max_size=4).map(
        lambda each: {"type": "object", "properties": each, "required": list(each)[::2], "additionalProperties": False}
    )
    lists = st.tuples(inner, ranges("array", "minItems", "maxItems", lowest=0)).map(
        lambda each: {"items": each[0], **each[1]}
    )
    either = st.lists(inner, min_size=1, max_size=3).map(lambda each: {"anyOf": each})
    return st.one_of(objects, lists, either)


@given(
    schema=st.recursive(LEAVES, around, max_leaves=6), seed=st.integers(0, 2**32), size=st.sampled_from(instance.SIZES)
)
def test_any_schema_is_kept(schema: Mapping[str, Any], seed: int, size: instance.Size) -> None:
    assert list(lacks(made(schema, seed, size), schema)) == []
