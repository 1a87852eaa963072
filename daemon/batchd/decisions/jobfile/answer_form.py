"""The setting `schema`: the form of an answer, as it is sent, and as the answer is held against it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from batchd.claude.schema_cleaning import OutputSchema, clean_schema
from batchd.decisions.document import json_form
from batchd.text.strictjson import Flaw, Flawed, Json

SCHEMA: Final = "schema"
"""The setting's name."""


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """What became of a schema without flaws."""

    sent: OutputSchema
    expected: json_form.Form
    """The schema as its user wrote it, as far as an answer is checked."""

    @property
    def format(self) -> Json:
        """The value of `output_config.format`."""
        return {"type": "json_schema", "schema": self.sent.schema}

    def cautions(self) -> Iterator[Flaw]:
        """Say once of each keyword that it is not sent as such."""
        for keyword in self.sent.taken_out:
            said = "is not taken by structured output: the model is told of it in the description, and may not keep it"
            yield Flaw(SCHEMA, f"{keyword} {said}")


def check_schema(schema: Json, path: str) -> Iterator[Flaw]:
    """Check the setting `schema`.

    Args:
        schema: As the user wrote it.
        path: Where it stands.
    """
    cleaned = clean_schema(schema, path)
    if isinstance(cleaned, list):
        yield from cleaned


def answer_form(schema: Json) -> AnswerForm:
    """Read a schema that was checked.

    Raises:
        Flawed: It is wrong after all.
    """
    cleaned = clean_schema(schema)
    if isinstance(cleaned, list):
        raise Flawed(cleaned)
    return AnswerForm(cleaned, json_form.form_of(schema))
