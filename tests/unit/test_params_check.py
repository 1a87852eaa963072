"""The parameters of a request, whatever its model: what the API surely refuses, and nothing else."""

from typing import Any

import pytest
from batchd.claude.params_check import PARAMETERS, checked, look_at, mapping, text, whole_number, yes_or_no
from batchd.decisions.jobfile.settings_check import SETTINGS

USER = {"role": "user", "content": "Hi"}


def flaws(key: str, value: object) -> list[tuple[str, str]]:
    return [(flaw.field, flaw.message) for flaw in look_at(key, value, (None, key)).flaws]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "any-model-of-tomorrow"),
        ("max_tokens", 1),
        ("max_tokens", 300_000),
        ("messages", [USER, {"role": "assistant", "content": ""}]),
        (
            "tools",
            [{"name": "a", "input_schema": {"type": "object"}}, {"name": "b", "input_schema": {"type": "object"}}],
        ),
        ("stop_sequences", ["END"]),
        ("temperature", 0),
        ("top_p", 1.0),
        ("top_k", 0),
        ("stream", False),
        ("speed", None),
    ],
)
def test_what_the_api_takes_is_taken(key: str, value: object) -> None:
    assert flaws(key, value) == []


@pytest.mark.parametrize(
    ("key", "value", "field", "said"),
    [
        ("model", " ", "model", "not empty"),
        ("max_tokens", 0, "max_tokens", "use 1 or more"),
        ("max_tokens", -1, "max_tokens", "at least 1"),
        ("max_tokens", 10**6, "max_tokens", "no model writes more"),
        ("max_tokens", True, "max_tokens", "whole number"),
        ("messages", [], "messages", "at least one message"),
        ("messages", [USER, {"role": "user", "content": " "}], "messages[1].content", "not empty"),
        ("messages", [{"role": "assistant", "content": []}, USER], "messages[0].content", "not empty"),
        ("tools", [{"name": "a", "input_schema": {"type": "object"}}] * 2, "tools[1].name", "rename one"),
        ("stop_sequences", ["END", "\n"], "stop_sequences[1]", "not empty"),
        ("temperature", 1.5, "temperature", "from 0 to 1"),
        ("top_k", -1, "top_k", "at least 0"),
        ("stream", True, "stream", "cannot be streamed"),
        ("speed", "fast", "speed", "not possible in a batch"),
        ("temprature", 1, "temprature", "did you mean temperature?"),
        ("response_format", {}, "response_format", "output_config"),
        ("colour", 1, "colour", "leave it out"),
    ],
)
def test_what_it_refuses_is_told_where_and_with_what_would_do(key: str, value: Any, field: str, said: str) -> None:
    ((place, message),) = flaws(key, value)
    assert place == field
    assert said in message


def test_a_setting_among_the_parameters_is_told_to_stand_beside_them() -> None:
    for setting in SETTINGS.keys() - PARAMETERS.keys() - {"params"}:
        assert f"{setting} stands beside params" in flaws(setting, 1)[0][1]


def test_no_count_of_messages_or_flaws_is_without_end() -> None:
    assert flaws("messages", [USER] * 100_001)[0][1].startswith("100,001 messages; at most 100,000")
    assert len(list(checked("stop_sequences")([""] * 5_000, "stop_sequences"))) == 1_000


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (whole_number, [1, 10**6], [0, True, 1.0, "1", None]),
        (text, ["a"], ["", " \n", 1, None]),
        (yes_or_no, [True, False], [0, 1, "true", None]),
        (mapping, [{}], [[], "{}", None]),
    ],
)
def test_plain_values_are_of_their_type_alone(check: Any, good: list[object], bad: list[object]) -> None:
    assert [list(check(value, "x")) for value in good] == [[]] * len(good)
    assert [[flaw.field for flaw in check(value, "x")] for value in bad] == [["x"]] * len(bad)
