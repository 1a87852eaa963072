"""Cache breakpoints: where they count, how many there may be, in which order."""

from typing import Any

import pytest
from batchd.claude import breakpoints
from batchd.claude.params_check import look_at

SHORT, LONG = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
HI = {"role": "user", "content": "Hi"}


def block(control: dict[str, str] | None = None) -> dict[str, Any]:
    return {"type": "text", "text": "x"} | ({"cache_control": control} if control else {})


def tool(control: dict[str, str] | None = None) -> dict[str, Any]:
    return {"name": "t", "input_schema": {"type": "object"}} | ({"cache_control": control} if control else {})


def flaws(**params: Any) -> list[str]:
    params = {"messages": [HI]} | params
    looks = {key: look_at(key, value, (None, key)) for key, value in params.items()}
    assert [flaw for look in looks.values() for flaw in look.flaws] == []
    return [flaw.field for flaw in breakpoints.check({key: look.breakpoints for key, look in looks.items()}, params)]


def test_words_that_only_look_like_breakpoints_do_not_count() -> None:
    schema = {
        "type": "object",
        "properties": {"cache_control": {"type": "string"}},
        "default": {"cache_control": SHORT},
    }
    used = {"type": "tool_use", "id": "a", "name": "t", "input": {"cache_control": SHORT}}
    calls = [HI, {"role": "assistant", "content": [used]}]
    tools = [{"name": f"t{n}", "input_schema": schema, "input_examples": [{"cache_control": SHORT}]} for n in range(9)]
    assert flaws(messages=calls * 3, tools=tools) == []


@pytest.mark.parametrize("more", [0, 1])
def test_four_are_possible_wherever_they_stand(more: int) -> None:
    within = {"type": "tool_result", "tool_use_id": "a", "content": [block(SHORT)]}
    messages = [{"role": "user", "content": [within, block(SHORT), block()]}]
    found = flaws(tools=[tool(SHORT)], system=[block(SHORT)] * (1 + more), messages=messages)
    assert found == [""] * more


def test_the_automatic_one_counts_but_where_it_falls_together_with_the_last_block() -> None:
    four = [block(SHORT)] * 4
    assert flaws(system=four, cache_control=SHORT) == [""]
    last = [{"role": "user", "content": [block(SHORT)]}]
    assert flaws(system=four[:3], messages=last, cache_control=SHORT) == []
    assert flaws(messages=last, cache_control=LONG) == ["cache_control"]


def test_an_hour_comes_before_five_minutes_in_the_order_of_the_api() -> None:
    late = [{"role": "user", "content": [block(LONG), block()]}]
    assert flaws(messages=late, system=[block(SHORT)]) == ["messages[0].content[0].cache_control"]
    assert flaws(messages=late, system=[block(LONG)], tools=[tool(LONG)]) == []
    assert flaws(system=[block(SHORT)], tools=[tool(LONG)]) == []
    assert flaws(system=[block(SHORT)], cache_control=LONG) == ["cache_control"]
