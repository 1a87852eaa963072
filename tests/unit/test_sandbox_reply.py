"""What the sandbox answers where the form of an answer is asked for: a directive, else a tool, else a schema."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from batchd.claude.result_line import read as read_line
from batchd.decisions.document.data import data_of_calls
from batchd.sandbox import answer, writer
from batchd.sandbox.answer import Request
from batchd.sandbox.batch import Batch
from batchd.sandbox.checks import Terms, refusal
from batchd.sandbox.conversation import weigh
from batchd.sandbox.examiner import NOTHING_CACHED

from tests.support.schema_judge import lacks

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "label": {"type": "string", "enum": ["billing", "bug", "other"]},
        "urgent": {"type": "boolean"},
        "why": {"type": ["string", "null"]},
        "parts": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    },
    "required": ["label", "urgent", "why", "parts"],
}
SENT = json.loads(json.dumps(SCHEMA).replace('"properties"', '"additionalProperties": false, "properties"'))
TOOLS = [
    {"name": "classify", "input_schema": SCHEMA},
    {"name": "count", "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
]
FORM: dict[str, Any] = {"output_config": {"format": {"type": "json_schema", "schema": SENT}}}
FORCED: dict[str, Any] = {"tools": TOOLS, "tool_choice": {"type": "tool", "name": "classify"}}


def ask(prompt: str, *more: Mapping[str, Any], max_tokens: int = 4_000, **params: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "model": "claude-haiku-4-5",
        "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": prompt}, *more],
        **params,
    }
    terms = Terms("2026-10-21")
    assert refusal(whole, terms) is None
    batch = Batch(1, "msgbatch_1", 1, 0, 0, 9, 0, None, 0, None, terms)
    request = Request("a", "succeeded", None, b"", weigh(whole).tokens, NOTHING_CACHED)
    message = answer.message(request, batch, msgspec.json.encode(whole), seed=0)
    return msgspec.json.decode(msgspec.json.encode(message), type=dict[str, Any])


def text_of(message: Mapping[str, Any]) -> str:
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


def call_of(message: Mapping[str, Any]) -> Any:
    (block,) = message["content"]
    assert block["type"] == "tool_use"
    return block


def test_a_forced_tool_is_called_with_input_that_keeps_its_schema() -> None:
    message = ask("Classify this.", **FORCED)
    assert message["stop_reason"] == "tool_use"
    call = call_of(message)
    assert call["name"] == "classify"
    assert list(lacks(call["input"], SCHEMA)) == []
    result = read_line(msgspec.json.encode({"custom_id": "a", "result": {"type": "succeeded", "message": message}}))
    assert json.loads(data_of_calls(result.result.calls)) == call["input"]


def test_of_several_tools_that_may_be_called_one_is() -> None:
    names = {call_of(ask(f"Ticket {n}", tools=TOOLS, tool_choice={"type": "any"}))["name"] for n in range(30)}
    assert names == {"classify", "count"}


def test_a_tool_that_need_not_be_called_is_not() -> None:
    message = ask("Hello", tools=TOOLS)
    assert (message["stop_reason"], text_of(message)[:20]) == ("end_turn", writer.OPENING[:20])


def test_a_schema_is_kept_and_differs_from_prompt_to_prompt() -> None:
    answers = [json.loads(text_of(ask(f"Ticket {n}", **FORM))) for n in range(40)]
    assert [list(lacks(each, SENT)) for each in answers] == [[]] * 40
    assert {each["label"] for each in answers} == {"billing", "bug", "other"}
    assert text_of(ask("Ticket 1", **FORM)) == text_of(ask("Ticket 1", **FORM))


@pytest.mark.parametrize("max_tokens", [20, 30, 100])
def test_data_fits_where_there_is_little_room(max_tokens: int) -> None:
    for number in range(50):
        message = ask(f"Ticket {number}", max_tokens=max_tokens, **FORM)
        assert message["stop_reason"] == "end_turn"
        assert list(lacks(json.loads(text_of(message)), SENT)) == []
        assert message["usage"]["output_tokens"] <= max_tokens


def test_data_for_which_there_is_no_room_is_cut() -> None:
    message = ask("Ticket", max_tokens=3, **FORM)
    assert (message["stop_reason"], len(text_of(message))) == ("max_tokens", 12)
    called = ask("Ticket", max_tokens=3, **FORCED)
    assert (called["stop_reason"], call_of(called)["input"]) == ("max_tokens", {})


def test_a_directive_comes_before_tool_and_schema() -> None:
    assert text_of(ask("[sandbox: answer Not [quite] JSON]", **FORM)) == "Not [quite] JSON"
    assert text_of(ask("[sandbox: answer No.]", **FORCED)) == "No."
    assert text_of(ask('[sandbox: json {"a": [1, "]"],\n"b": {}} ]', **FORM)) == '{"a": [1, "]"],\n"b": {}}'
    assert call_of(ask('[sandbox: json {"label": 7}]', **FORCED))["input"] == {"label": 7}
    assert ask("[sandbox: refuse]", **FORCED)["stop_reason"] == "refusal"


def test_data_that_was_cut_is_continued() -> None:
    prompt = "Ticket [sandbox: truncate at 10]"
    whole = text_of(ask("Ticket", **FORM))
    cut = ask(prompt, **FORM)
    assert (cut["stop_reason"], text_of(cut)) == ("max_tokens", whole[:10])
    more = ask(prompt, {"role": "assistant", "content": text_of(cut)}, {"role": "user", "content": "Go on."}, **FORM)
    assert (more["stop_reason"], text_of(cut) + text_of(more)) == ("end_turn", whole)


def test_examples_in_the_conversation_are_not_continued() -> None:
    shown = text_of(ask("Ticket 2", **FORM))
    few = [{"role": "assistant", "content": shown}, {"role": "user", "content": "Ticket 3"}]
    assert json.loads(text_of(ask("Ticket 1", *few, **FORM))) == json.loads(text_of(ask("Ticket 3", **FORM)))
