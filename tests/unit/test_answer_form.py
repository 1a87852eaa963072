"""The setting `schema`: what is sent, what is expected, what is said."""

import json
from typing import Any

from batchd.decisions.jobfile.reader import Rules, read
from batchd.model import Caution, Entry, Problem

SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1}, "why": {"type": ["string", "null"], "minLength": 5}},
    "required": ["score"],
}


def said(*lines: Any) -> list[Any]:
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    return list(read(lambda: [text], ".jsonl", "x", Rules()))


def request(custom_id: str = "a", **settings: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "params": {"messages": [{"role": "user", "content": "Hi"}]}, **settings}


def test_a_schema_is_sent_cleaned_and_expected_as_it_was_written() -> None:
    found = said({"job": {"schema": SCHEMA, "expect": {"words": 1}}}, request("a"), request("b"))
    entries = [each for each in found if isinstance(each, Entry)]
    assert len(entries) == 2
    sent = json.loads(entries[1].params)["output_config"]["format"]
    assert sent["type"] == "json_schema"
    assert sent["schema"]["additionalProperties"] is False
    assert sent["schema"]["properties"]["score"] == {"type": "integer", "description": "{minimum: 1}"}
    expected = json.loads(bytes(entries[1].wishes.expect))
    assert expected["words"] == 1
    assert expected["json"]["properties"]["why"] == {"type": ["string", "null"], "minLength": 5}
    assert expected["json"]["properties"]["score"] == {"type": "integer"}
    cautions = [each for each in found if isinstance(each, Caution)]
    assert [(each.field, each.message.split()[0]) for each in cautions] == [
        ("job.schema", "minLength"),
        ("job.schema", "minimum"),
    ]


def test_what_output_config_says_beside_stays() -> None:
    config = {"output_config": {"effort": "low"}}
    (entry, *_) = (
        each for each in said({"job": {"schema": SCHEMA, "params": config}}, request()) if isinstance(each, Entry)
    )
    assert json.loads(entry.params)["output_config"]["effort"] == "low"


def test_two_forms_of_one_answer_are_refused() -> None:
    beside = {"format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}}
    (problem,) = said({"job": {"schema": SCHEMA, "params": {"output_config": beside}}}, request())
    assert (problem.field, "stands beside schema" in problem.message) == ("job.params.output_config.format", True)
    (problem,) = said(request(schema=SCHEMA, expect={"json": True}))
    assert isinstance(problem, Problem)
    assert (problem.field, "stands beside schema" in problem.message) == ("expect.json", True)


def test_a_wrong_schema_is_told_at_its_place() -> None:
    (problem,) = said(request(schema={"type": "object", "properties": {"a": {"type": "text"}}}))
    assert problem.field == "schema.properties.a.type"
