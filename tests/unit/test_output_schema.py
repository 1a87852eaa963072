"""Schemas: what an answer can be held to, and what every schema must be."""

from typing import Any

import pytest
from batchd.claude.output_schema import check_answer, check_words
from batchd.claude.shapes import Look

CLOSED = {"type": "object", "additionalProperties": False}


def flaws(schema: dict[str, Any], *, answer: bool = True) -> list[str]:
    look = Look()
    (check_answer if answer else check_words)(schema, None, look)
    return [flaw.field for flaw in look.flaws]


def within(part: dict[str, Any]) -> dict[str, Any]:
    return {**CLOSED, "properties": {"a": part}}


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "object"}, "additionalProperties"),
        ({"properties": {}}, "additionalProperties"),
        ({"type": ["object", "null"]}, "additionalProperties"),
        ({"type": "object", "additionalProperties": True}, "additionalProperties"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "additionalProperties"),
        *(({"type": "integer", word: 1}, word) for word in ("minimum", "maximum", "exclusiveMinimum", "multipleOf")),
        *(({"type": "string", word: 1}, word) for word in ("minLength", "maxLength")),
        *(({"type": "array", word: 2}, word) for word in ("maxItems", "minItems", "uniqueItems")),
        ({"enum": [{"a": 1}]}, "enum"),
        ({"$ref": "https://example.org/schema.json"}, "$ref"),
        ({"$ref": "#/$defs/nowhere"}, "$ref"),
        ({"type": "text"}, "type"),
        ({"type": "array", "items": {"type": "object"}}, "items.additionalProperties"),
        ({"anyOf": [{"type": "null"}, {"type": "object"}]}, "anyOf[1].additionalProperties"),
    ],
)  # fmt: skip
def test_an_answer_cannot_be_held_to_it_at_any_depth(part: dict[str, Any], field: str) -> None:
    assert [found.replace('"', "") for found in flaws(within(part))] == [f"properties.a.{field}"]
    assert flaws({**CLOSED, "$defs": {"d": within(part)}})[0].startswith("$defs.d.properties.a.")


@pytest.mark.parametrize(
    "part",
    [
        {"type": "string", "format": "date", "title": "A", "description": "x", "default": "y"},
        {"type": "array", "minItems": 1, "items": {"type": "string"}},
        {"enum": ["a", 1, None, True]},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"const": {"minimum": 1}},
        {"type": "string", "examples": [{"type": "object"}]},
        {
            **CLOSED,
            "properties": {"minimum": {"type": "integer"}, "type": {"type": "string"}, "$ref": {"type": "null"}},
        },
    ],
)
def test_words_of_values_and_of_names_are_no_words_of_the_schema(part: dict[str, Any]) -> None:
    assert flaws(within(part)) == []


def test_a_reference_is_followed_and_a_circle_is_found() -> None:
    line = {**CLOSED, "properties": {"text": {"type": "string"}}}
    assert flaws({**within({"$ref": "#/$defs/line"}), "$defs": {"line": line}}) == []
    node = {**CLOSED, "properties": {"next": {"$ref": "#/$defs/node"}}}
    assert flaws({**within({"$ref": "#/$defs/node"}), "$defs": {"node": node}}) == [""]
    assert flaws(within({"$ref": "#"})) == [""]


def test_a_tools_schema_may_say_what_it_likes_as_long_as_it_is_one() -> None:
    free = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}, "o": {"type": "object"}}}
    assert flaws(free, answer=False) == []
    assert flaws({"type": "object", "properties": {"n": "string"}}, answer=False) == ["properties.n"]
    assert flaws({"type": "object", "properties": {"n": {"type": "str"}}}, answer=False) == ["properties.n.type"]
    assert flaws({"type": "object", "properties": ["n"]}, answer=False) == ["properties"]
