"""Lines of another vendor's batch file: each field becomes what it means here, or is refused, or is told."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.decisions.jobfile.openai_line import CHAT, RESPONSES, convert, is_theirs
from batchd.decisions.jobfile.openai_turns import Converted
from batchd.decisions.jobfile.reader import Rules, read
from batchd.model import Caution, Entry, Problem, Reject
from hypothesis import given
from hypothesis import strategies as st


def chat(**body: Any) -> Converted:
    return line(CHAT, {"model": "m", "messages": [{"role": "user", "content": "Hi."}], **body})


def line(url: str, body: Any) -> Converted:
    return convert({"custom_id": "a", "method": "POST", "url": url, "body": body})


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
PNG = "data:image/png;base64,iVBORw0KGgo="

PARAMS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_tokens": 5}, {"max_tokens": 5}),
    ({"max_completion_tokens": 5}, {"max_tokens": 5}),
    ({"stop": "x"}, {"stop_sequences": ["x"]}),
    ({"stop": ["x", "y"]}, {"stop_sequences": ["x", "y"]}),
    ({"reasoning_effort": "minimal"}, {"output_config": {"effort": "low"}}),
    ({"tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
    (
        {"tool_choice": "required", "parallel_tool_calls": False},
        {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
    ),
    (
        {"parallel_tool_calls": False, "tool_choice": "auto", "tools": [FUNCTION]},
        {
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            "tools": [{"name": "f", "input_schema": SCHEMA}],
        },
    ),
    ({"parallel_tool_calls": False}, {}),
    (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tool_choice": {"type": "tool", "name": "f"}},
    ),
    ({"tool_choice": "auto", "parallel_tool_calls": True}, {}),
    (
        {"reasoning_effort": "high", "logprobs": False, "response_format": {"type": "text"}},
        {"output_config": {"effort": "high"}},
    ),
    (
        {
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True},
                }
            ]
        },
        {"tools": [{"name": "f", "description": "d", "input_schema": SCHEMA, "strict": True}]},
    ),
    ({"n": 1, "stream": False, "modalities": ["text"]}, {}),
]


@pytest.mark.parametrize(("body", "params"), PARAMS)
def test_each_field_becomes_what_it_means_here(body: dict[str, Any], params: dict[str, Any]) -> None:
    done = chat(**body)
    assert (done.flaws, done.dropped) == ([], {})
    assert done.params == {"model": "m", "messages": [{"role": "user", "content": "Hi."}], **params}


@pytest.mark.parametrize("body", [{"temperature": 0}, {"seed": 1}, {"user": "u"}, {"logit_bias": {"1": 2}}])
def test_what_changes_no_meaning_is_dropped_and_told(body: dict[str, Any]) -> None:
    done = chat(**body)
    assert done.flaws == []
    assert [*done.dropped] == [f"body.{key}" for key in body]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"n": 2}, "body.n"),
        ({"stream": True}, "body.stream"),
        ({"audio": {"voice": "a"}}, "body.audio"),
        ({"functions": []}, "body.functions"),
        ({"modalities": ["audio"]}, "body.modalities"),
        ({"unheard_of": 1}, "body.unheard_of"),
        ({"tools": [{"type": "web_search"}]}, "body.tools[0]"),
        ({"web_search_options": {}}, "body.web_search_options"),
        ({"function_call": "auto"}, "body.function_call"),
        ({"reasoning_effort": "vast"}, "body.reasoning_effort"),
        ({"tool_choice": {"type": "allowed_tools"}}, "body.tool_choice"),
        ({"messages": [{"role": "user", "content": "x", "heed": 1}]}, "body.messages[0].heed"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "body.messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
            "body.messages[0].content[0]",
        ),
        ({"messages": [{"role": "robot", "content": "x"}]}, "body.messages[0].role"),
        ({"messages": []}, "body.messages"),
        ({"response_format": {"type": "grammar"}}, "body.response_format"),
    ],
)
def test_what_changes_the_meaning_is_refused_at_its_place(body: dict[str, Any], field: str) -> None:
    assert [flaw.field for flaw in chat(**body).flaws] == [field]


def test_system_messages_go_first() -> None:
    messages = [
        {"role": "system", "content": "One."},
        {"role": "developer", "content": [{"type": "text", "text": "Two."}]},
        {"role": "user", "content": "Hi."},
        {"role": "system", "content": "Three."},
    ]
    done = chat(messages=messages)
    assert done.params["system"] == "One.\n\nTwo.\n\nThree."
    assert len(done.dropped) == 1


def test_calls_and_their_results_are_turns_and_text_behind_a_result_shares_its_turn() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    messages = [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "7"},
        {"role": "user", "content": "Go on."},
    ]
    done = chat(messages=messages)
    assert done.flaws == []
    turns: Any = done.params["messages"]
    assert turns[1:] == [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "7"},
                {"type": "text", "text": "Go on."},
            ],
        },
    ]


def test_arguments_that_are_no_json_are_refused() -> None:
    call = {"id": "c1", "function": {"name": "f", "arguments": "{x"}}
    done = chat(messages=[{"role": "assistant", "tool_calls": [call]}])
    assert [flaw.field for flaw in done.flaws] == ["body.messages[0].tool_calls[0]"]


def test_pictures_and_files_become_blocks() -> None:
    content = [
        {"type": "text", "text": "See"},
        {"type": "image_url", "image_url": {"url": PNG}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}},
    ]
    done = chat(messages=[{"role": "user", "content": content}])
    assert done.flaws == []
    turns: Any = done.params["messages"]
    assert [block.get("source", {}).get("type") for block in turns[0]["content"]] == [
        None,
        "base64",
        "url",
        "base64",
    ]


def test_a_schema_and_plain_json_are_expected() -> None:
    done = chat(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}})
    assert done.schema == SCHEMA
    loose = chat(response_format={"type": "json_object"})
    assert (loose.expects_json, len(loose.dropped)) == (True, 1)


def test_a_line_for_responses() -> None:
    body = {
        "model": "m",
        "input": "Hi.",
        "instructions": "Be brief.",
        "max_output_tokens": 9,
        "reasoning": {"effort": "high"},
    }
    done = line(RESPONSES, body)
    assert done.flaws == []
    assert done.params == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi."}],
        "system": "Be brief.",
        "max_tokens": 9,
        "output_config": {"effort": "high"},
    }


def test_instructions_come_first_and_a_schema_of_responses_is_found() -> None:
    text = {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}, "verbosity": "low"}
    body = {
        "input": [
            {"role": "developer", "content": "Two."},
            {"role": "user", "content": [{"type": "input_text", "text": "Hi."}]},
        ],
        "instructions": "One.",
        "text": text,
    }
    done = line(RESPONSES, body)
    assert done.flaws == []
    assert done.params["system"] == "One.\n\nTwo."
    assert done.params["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi."}]}]
    assert (done.schema, done.schema_at) == (SCHEMA, "body.text.format.schema")
    assert [*done.dropped] == ["body.text.verbosity"]
    assert [flaw.field for flaw in line(RESPONSES, {"input": [{"type": "function_call"}]}).flaws] == [
        "body.input[0].type"
    ]


def test_other_endpoints_and_other_keys_are_refused() -> None:
    assert [flaw.field for flaw in line("/v1/embeddings", {}).flaws] == ["url"]
    found = convert({"custom_id": "a", "method": "GET", "url": CHAT, "body": {}, "params": {}})
    assert {flaw.field for flaw in found.flaws} == {"method", "params"}


def test_a_line_of_ours_is_none_of_theirs() -> None:
    assert is_theirs({"custom_id": "a", "method": "POST", "url": CHAT, "body": {}})
    assert not is_theirs({"custom_id": "a", "params": {}})
    assert not is_theirs([])


# A whole file


HI = [{"role": "user", "content": "Hi."}]
RULES = Rules(catalogue=Catalogue().with_aliases({"gpt-4o-mini": "claude-haiku-5-5", "house": "opus"}))


def theirs(number: int, **body: Any) -> dict[str, Any]:
    whole = {"model": "gpt-4o-mini", "messages": HI, **body}
    return {"custom_id": f"r{number}", "method": "POST", "url": CHAT, "body": whole}


def told(lines: Iterable[Any], rules: Rules = RULES) -> tuple[list[Entry], list[Problem], list[Caution]]:
    data = "\n".join(map(json.dumps, lines)).encode()
    said = list(read(lambda: [data], ".jsonl", "x", rules))
    kinds = (Entry, Problem, Caution)
    entries, problems, cautions = ([each for each in said if isinstance(each, kind)] for kind in kinds)
    return entries, problems, cautions  # type: ignore[return-value]  # sorted by their kinds


def params_of(entry: Entry) -> Any:
    return json.loads(entry.params)


def test_five_thousand_lines_have_one_caution_a_kind() -> None:
    entries, problems, cautions = told(theirs(n, temperature=0, **({"user": "u"} if n else {})) for n in range(5_000))
    assert problems == []
    assert len(entries) == 5_000
    assert params_of(entries[-1]) == {"model": "claude-haiku-5-5", "max_tokens": 64_000, "messages": HI}
    said = {each.field: (each.line, each.message) for each in cautions}
    assert said["body.temperature"] == (1, "has no counterpart: dropped in 5,000 lines")
    assert said["body.user"] == (2, "has no counterpart: dropped in 4,999 lines")
    assert said["body.model"] == (1, '"gpt-4o-mini" is claude-haiku-5-5 here')
    assert len(cautions) == 3


def test_what_changes_the_meaning_is_refused_once_a_file() -> None:
    parts = [{"role": "user", "content": [{"type": "input_audio"}] * 3}]
    entries, problems, _ = told([theirs(0), *(theirs(n, n=2) for n in range(1, 50)), theirs(50, messages=parts)])
    assert len(entries) == 1
    assert [(each.line, each.field) for each in problems] == [(2, "body.n"), (51, "body.messages[…].content[…].type")]
    assert "in 49 lines" in problems[0].message


def test_a_model_of_theirs_without_a_name_for_it_is_one_mistake_that_says_what_to_set() -> None:
    _, (problem,), _ = told((theirs(n, model="gpt-4o") for n in range(5_000)), Rules())
    assert (problem.line, problem.field) == (1, "body.model")
    assert '[models.alias] "gpt-4o" = "claude-haiku-5-5"' in problem.message
    assert "in 5,000 lines" in problem.message


def test_a_line_of_both_forms_and_one_of_the_other_are_errors_at_their_lines() -> None:
    ours = {"custom_id": "o", "params": {"messages": HI}}
    _, problems, _ = told([theirs(0), {**theirs(1), "params": {}}, ours, {"label": "row"}, theirs(4)])
    assert [(each.line, each.field) for each in problems] == [(2, ""), (3, ""), (4, "")]
    _, problems, _ = told([ours, theirs(1), {**ours, "custom_id": "p"}])
    assert [each.line for each in problems] == [2]


def test_a_schema_is_cleaned_as_the_setting_is_and_its_faults_stand_where_they_were_written() -> None:
    bounded = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": bounded}}
    (entry,), problems, cautions = told([theirs(0, response_format=form)])
    sent = params_of(entry)["output_config"]["format"]["schema"]
    assert problems == []
    assert sent["additionalProperties"] is False
    assert "minimum" not in sent["properties"]["a"]
    assert [each.field for each in cautions if "minimum" in each.message] == ["body.response_format.json_schema.schema"]
    wrong = {"type": "json_schema", "json_schema": {"schema": {"type": "array", "items": {}}}}
    _, (problem,), _ = told([theirs(0, response_format=wrong)])
    assert problem.field.startswith("body.response_format.json_schema.schema")
    (entry,), _, cautions = told([theirs(0, response_format={"type": "json_object"})])
    assert entry.wishes.expect is not None
    assert any("expect.json" in each.message for each in cautions)


def test_pictures_are_checked_like_all_others() -> None:
    content = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    _, problems, _ = told([theirs(0, messages=[{"role": "user", "content": content}])])
    assert problems
    assert problems[0].field.startswith("body.messages[0].content[0]")


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("opus", "claude-opus-5-5"),
        ("sonnet", "claude-sonnet-5-5"),
        ("haiku", "claude-haiku-5-5"),
        ("house", "claude-opus-5-5"),
    ],
)
def test_names_stand_for_models_everywhere(name: str, model: str) -> None:
    ours = {"custom_id": "o", "params": {"model": name, "messages": HI}}
    texts = (
        f"---\nmodel: {name}\n---\nHi.",
        json.dumps(ours),
        json.dumps({"job": {"model": name}}) + "\n" + json.dumps({**ours, "params": {"messages": HI}}),
    )
    for text, suffix in zip(texts, (".md", ".jsonl", ".jsonl"), strict=True):
        said = list(read(lambda text=text: [text.encode()], suffix, "x", RULES))  # type: ignore[misc]
        (entry,) = [each for each in said if isinstance(each, Entry)]
        assert (entry.model, params_of(entry)["model"]) == (model, model)
        assert [each.message for each in said if isinstance(each, Caution)] == [f'"{name}" is {model} here']
    default = Rules(model=name, catalogue=RULES.catalogue)
    assert next(each for each in read(lambda: [b"Hi."], ".txt", "x", default) if isinstance(each, Entry)).model == model


JSONS: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["user", "text", "data:"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "name", "function", "arguments", "id", "url"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)
KEYS = [
    "model",
    "messages",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "n",
]
OF_RESPONSES = ["input", "instructions", "reasoning", "text", "max_output_tokens", "tools", "tool_choice"]


@given(
    url=st.one_of(st.sampled_from([CHAT, RESPONSES]), JSONS),
    body=st.one_of(JSONS, st.dictionaries(st.sampled_from(KEYS + OF_RESPONSES), JSONS)),
    calls=JSONS,
)
def test_no_line_upsets_the_conversion(url: Any, body: Any, calls: Any) -> None:
    if isinstance(body, dict) and isinstance(calls, list):
        body = {**body, "messages": [{"role": "assistant", "tool_calls": calls}, *calls]}
    found = {"custom_id": "a", "method": "POST", "url": url, "body": body}
    told([found, found, theirs(1)])


def test_arguments_of_a_call_may_be_nested_without_end() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": "[" * 100_000}}
    _, problems, _ = told([theirs(0, messages=[{"role": "assistant", "tool_calls": [call]}])])
    assert [each.field for each in problems] == ["body.messages[…].tool_calls[…]"]


def test_a_line_that_cannot_be_converted_is_left_out_where_the_file_says_so() -> None:
    head = {"job": {"on_error": "skip"}}
    both = {**theirs(3), "params": {}}
    data = "\n".join(map(json.dumps, (head, theirs(1), theirs(2, n=2), both, theirs(4, messages=3)))).encode()
    said = list(read(lambda: [data], ".jsonl", "x", RULES))
    assert [each.custom_id for each in said if isinstance(each, Entry)] == ["r1"]
    rejected = {each.custom_id: each.problems[0].field for each in said if isinstance(each, Reject)}
    assert rejected == {"r2": "body.n", "r3": "", "r4": "body.messages"}
    assert [each for each in said if isinstance(each, Problem)] == []
