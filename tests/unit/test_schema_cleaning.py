"""A JSON Schema as people have it becomes one that structured output takes."""

from typing import Any

import pytest
from batchd.claude.schema_cleaning import OutputSchema, clean_schema
from pydantic import BaseModel, Field


class Part(BaseModel):
    name: str = Field(min_length=1)
    share: float = Field(ge=0, le=1)


class Ticket(BaseModel):
    """As a user of pydantic has it."""

    label: str | None = None
    parts: list[Part] = Field(min_length=2, description="All of them.")


def cleaned(schema: Any) -> dict[str, Any]:
    found = clean_schema(schema)
    assert isinstance(found, OutputSchema), found
    return found.schema


def test_what_pydantic_prints_is_taken() -> None:
    found = clean_schema(Ticket.model_json_schema())
    assert isinstance(found, OutputSchema), found
    assert found.taken_out == ("maximum", "minItems", "minLength", "minimum")
    assert found.properties == ("label", "parts")
    schema: Any = found.schema
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Part"]["additionalProperties"] is False
    assert schema["$defs"]["Part"]["properties"]["share"]["description"] == "{maximum: 1, minimum: 0}"
    assert schema["properties"]["parts"]["description"] == "All of them.\n\n{minItems: 2}"


def test_a_property_may_be_called_as_a_keyword_is() -> None:
    schema = {"type": "object", "properties": {"minimum": {"type": "number"}, "$ref": {"type": "string"}}}
    assert set(cleaned(schema)["properties"]) == {"minimum", "$ref"}


def test_a_list_of_types_and_nested_objects_are_taken() -> None:
    inner = {"type": ["object", "null"], "properties": {"b": {"type": ["string", "null"]}}}
    found = cleaned(
        {"type": "object", "properties": {"a": inner, "c": {"anyOf": [{"type": "object", "properties": {}}]}}}
    )
    assert found["properties"]["a"]["additionalProperties"] is False
    assert found["properties"]["c"]["anyOf"][0]["additionalProperties"] is False


def test_cleaning_twice_changes_nothing() -> None:
    once = cleaned(Ticket.model_json_schema())
    assert cleaned(once) == once


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("text", "must be a JSON Schema"),
        ({"type": "array", "items": {"type": "string"}}, "object with properties"),
        ({"type": "object", "properties": {}}, "object with properties"),
        ({"name": "x", "schema": {"type": "object"}}, "the schema itself"),
        (
            {"type": "object", "properties": {"a": {"$ref": "https://example.com/x"}}},
            "must refer to a part of this schema",
        ),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/X"}}}, "there is nothing at"),
        (
            {
                "type": "object",
                "properties": {"a": {"$ref": "#/$defs/X"}},
                "$defs": {"X": {"type": "object", "properties": {"y": {"$ref": "#/$defs/X"}}}},
            },
            "refers to itself",
        ),
        ({"type": "object", "properties": {"a": "string"}}, "a schema"),
    ],
)
def test_what_no_cleaning_mends_is_refused(schema: Any, said: str) -> None:
    flaws = clean_schema(schema)
    assert isinstance(flaws, list)
    assert any(said in flaw.message for flaw in flaws), flaws
