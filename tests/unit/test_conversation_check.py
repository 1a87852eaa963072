"""What holds between turns."""

from typing import Any

import pytest
from batchd.claude import conversation_check as check

HI, BYE = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Bye"}
SYSTEM = {"role": "system", "content": "Be brief."}
EFFORT = {"role": "system", "content": [], "output_config": {"effort": "low"}}


def call(*names: str) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": each, "name": "t", "input": {}} for each in names],
    }


def result(*names: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": each} for each in names]}


def text(role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": "x"}]}


@pytest.mark.parametrize(
    ("messages", "fields"),
    [
        ([HI, call("a"), result("a")], []),
        ([HI, call("a", "b"), result("b", "a"), text()], []),
        ([HI, call("a"), result("a"), call("b"), result("b")], []),
        ([HI, call("a"), call("b"), result("a"), result("b")], []),
        ([HI, call("a"), HI], ["messages[1].content[0]"]),
        ([HI, call("a", "b"), result("a")], ["messages[1].content[1]"]),
        ([HI, call("a"), SYSTEM, result("a")], ["messages[1].content[0]", "messages[3].content[0].tool_use_id"]),
        ([HI, BYE, result("a")], ["messages[2].content[0].tool_use_id"]),
        ([result("a"), BYE, HI], ["messages[0].content[0].tool_use_id"]),
        ([HI, call("a"), result("a", "a")], ["messages[2].content[1].tool_use_id"]),
        ([HI, call("a"), text(), result("a")], ["messages[3].content[0]"]),
        ([HI, call("a"), HI, result("a")], ["messages[3].content[0]"]),
        ([HI, call("a", "a"), result("a")], ["messages[1].content[1].id"]),
        ([HI, call("a")], ["messages[1]"]),
        ([HI, {**call("a"), "role": "user"}, BYE], ["messages[1].content[0].type"]),
        ([HI, {**result("a"), "role": "assistant"}, HI], ["messages[1].content[0].type"]),
    ],
)
def test_every_call_has_its_result_and_every_result_its_call(messages: list[dict[str, Any]], fields: list[str]) -> None:
    assert [flaw.field for flaw in check.calls(messages)] == fields


SERVED = {"role": "assistant", "content": [{"type": "web_search_tool_result", "tool_use_id": "a", "content": []}]}


@pytest.mark.parametrize(
    ("messages", "places"),
    [
        ([HI, SYSTEM], []),
        ([HI, SYSTEM, BYE, HI], []),
        ([HI, SERVED, SYSTEM], []),
        ([EFFORT, HI, EFFORT, BYE, EFFORT], []),
        ([SYSTEM, HI], [0]),
        ([HI, BYE, SYSTEM], [2]),
        ([HI, SYSTEM, HI], [1]),
        ([HI, SYSTEM, SYSTEM], [1, 2]),
    ],
)
def test_a_system_turn_has_its_places(messages: list[dict[str, Any]], places: list[int]) -> None:
    found = [flaw.field for flaw in check.system_turns(messages, "m", taken=True)]
    assert found == [f"messages[{place}].role" for place in places]


def test_a_model_may_take_no_system_turns_but_those_that_set_the_effort() -> None:
    assert [flaw.field for flaw in check.system_turns([HI, SYSTEM, EFFORT], "m", taken=False)] == ["messages[1].role"]


TEXT, SPACED = "{", "{ "
THOUGHT = [{"type": "thinking", "thinking": "x", "signature": "y"}]
SEARCH = [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}]


@pytest.mark.parametrize(
    ("content", "how", "fields"),
    [
        (TEXT, {"taken": True, "thinks": False}, []),
        (SPACED, {"taken": True, "thinks": False}, ["messages[1].content"]),
        (TEXT, {"taken": False, "thinks": False}, ["messages[1]"]),
        (TEXT, {"taken": True, "thinks": True}, ["messages[1]"]),
        (THOUGHT, {"taken": True, "thinks": True}, []),
        (SEARCH, {"taken": False, "thinks": False}, []),
    ],
)
def test_an_answer_may_be_begun_where_the_model_takes_that(
    content: Any, how: dict[str, bool], fields: list[str]
) -> None:
    messages = [HI, {"role": "assistant", "content": content}]
    assert [flaw.field for flaw in check.prefill(messages, "m", **how)] == fields
