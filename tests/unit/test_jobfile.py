"""What job files say, as tables: the bytes on the left, what `read` makes of them on the right."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.decisions.jobfile.naming import safe_name
from batchd.decisions.jobfile.reader import Rules, Said, read
from batchd.model import BETA_300K, Caution, Entry, Problem
from batchd.settings import ModelOverride

OLD = "claude-opus-4-5"
HARD = {"effort": "max"}
OFF = {"type": "disabled"}
EMPTY = {"type": "text", "text": ""}
TOOL = {"name": "t", "input_schema": {"type": "object"}}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
HI = [{"role": "user", "content": "Hi"}]


def said(text: str | bytes, suffix: str = ".jsonl", stem: str = "stem", rules: Rules | None = None) -> list[Said]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(read(lambda: [data], suffix, stem, rules or Rules()))


def entries(text: str | bytes, suffix: str = ".jsonl", rules: Rules | None = None) -> list[Entry]:
    found = said(text, suffix, rules=rules)
    assert not [each for each in found if isinstance(each, Problem)]
    return [each for each in found if isinstance(each, Entry)]


def problems(text: str | bytes, suffix: str = ".jsonl", rules: Rules | None = None) -> list[tuple[int, str]]:
    found = said(text, suffix, rules=rules)
    return [(each.line, each.field) for each in found if isinstance(each, Problem)]


def free(value: object) -> list[dict[str, Any]]:
    """Tools whose first one holds any value at all, where the API takes that."""
    return [{**TOOL, "input_examples": [{"x": value}]}]


def request(custom_id: str = "a", **params: Any) -> str:
    merged = {"messages": HI, **params}
    return json.dumps({"custom_id": custom_id, "params": merged}, ensure_ascii=False)


def flaws(params: dict[str, Any]) -> list[str]:
    return [field for _, field in problems(json.dumps({"custom_id": "a", "params": {"messages": HI, **params}}))]


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "suffix", "expected"),
    [
        (request("a") + "\n" + request("b"), ".jsonl", [(1, "a"), (2, "b")]),
        (request("a") + "\n" + request("b") + "\n", ".ndjson", [(1, "a"), (2, "b")]),
        ("\n\r\n" + request("a") + "\r\n \t\n" + request("b"), ".JSONL", [(3, "a"), (5, "b")]),
        ("\ufeff" + request("a"), ".jsonl", [(1, "a")]),
        ('{"job":{}}\n' + request("a"), ".jsonl", [(2, "a")]),
        (request("line\u2028separator\u0085"), ".jsonl", [(1, "line\u2028separator\u0085")]),
        (f'{{"requests":[\n{request("a")},\n\n{request("b")}]}}', ".json", [(2, "a"), (4, "b")]),
        (f'\ufeff\n{{"requests":[{request("a")}],\n"job":{{}}}}', ".json", [(2, "a")]),
        ("\n" + request("a"), ".json", [(2, "a")]),
        ('{"params":{"messages":[{"role":"user","content":"Hi"}]}}', ".json", [(1, "stem")]),
        ('{"messages":[{"role":"user","content":"Hi"}]}', ".json", [(1, "stem")]),
        ("Hi", ".txt", [(1, "stem")]),
        ("---\ncustom_id: mine\n---\nHi", ".md", [(1, "mine")]),
    ],
)
def test_every_format_gives_its_requests_with_their_lines(
    text: str, suffix: str, expected: list[tuple[int, str]]
) -> None:
    assert [(entry.line, entry.custom_id) for entry in entries(text, suffix)] == expected


@pytest.mark.parametrize(
    ("text", "suffix", "expected"),
    [
        ("", ".jsonl", [(0, "")]),
        ("\n\n", ".jsonl", [(0, "")]),
        ('{"job":{}}', ".jsonl", [(0, "")]),
        ('{"requests":[]}', ".json", [(0, "")]),
        ("Hi", ".csv", [(0, "")]),
        ("Hi", "", [(0, "")]),
        (" \n", ".txt", [(1, "")]),
        ("---\nmodel: claude-opus-5\n---\n\n", ".md", [(5, "")]),
        ("[]", ".json", [(0, "")]),
        ("{}", ".json", [(1, "messages")]),
        ('{"custom_id":"a"}', ".jsonl", [(1, "params.messages")]),
        (request("a") + " x", ".jsonl", [(1, "")]),
        (request("a") + "\n" + '{"job":{}}', ".jsonl", [(2, "custom_id"), (2, "job")]),
        ('{"job":{},"x":1}\n' + request(), ".jsonl", [(1, "")]),
        ('{"job":3}\n' + request(), ".jsonl", [(1, "job")]),
        (request() + "\n3\n[]\nnull", ".jsonl", [(2, ""), (3, ""), (4, "")]),
        (f'{{"requests":[{request()}],\n"other":1}}', ".json", [(2, "other")]),
        (f'{{"requests":[{request()}]}} {{}}', ".json", [(1, "")]),
        (f'{{"requests":[{request()},\n]}}', ".json", [(2, "")]),
        (f'{{"requests":[{request()}],\n"requests":[]}}', ".json", [(2, "requests")]),
        (f'{{"requests":[{request()}],"\\u006aob":{{"model":"claude-opus-5"}}}}', ".json", [(1, "job")]),
        ('{"requests":[\n{"custom_id":"a"\n"params":1}]}', ".json", [(3, "")]),
        ('{"requests":[\n1,\n2]}', ".json", [(2, ""), (3, "")]),
        ('{"requests":7}', ".json", [(1, "requests")]),
    ],
)
def test_what_is_no_job_is_refused_at_its_line(text: str, suffix: str, expected: list[tuple[int, str]]) -> None:
    assert problems(text, suffix) == expected


@pytest.mark.parametrize(
    ("text", "line", "field", "words"),
    [
        ('{"custom_id":"a","params":{"x":NaN}}', 1, "params.x", "NaN"),
        ('{"custom_id":"a","params":{"x":[1,-Infinity]}}', 1, "params.x[1]", "Infinity"),
        ('{"custom_id":"a","custom_id":"b"}', 1, "custom_id", "twice"),
        ('{"custom_id":"a","params":{"a":{"b c":1,"b c":2}}}', 1, 'params.a."b c"', "twice"),
        (request(metadata={"user_id": "\ud800"}).encode("utf-8", "surrogatepass"), 1, "", "UTF-8"),
        (
            '{"custom_id":"a","params":{"messages":[{"role":"user","content":"\\ud800"}]}}',
            1,
            "params.messages[0].content",
            "surrogate",
        ),
        ('{"custom_id":"\\udc00"}', 1, "custom_id", "surrogate"),
        (b'{"custom_id":"\xff"}', 1, "", "UTF-8"),
        ('{"custom_id":"a","params":{"x":' + "9" * 4301 + "}}", 1, "params.x", "4,301 digits"),
        (request(tools=free(0)).replace('"x": 0', '"x": 1e999'), 1, "params.tools[0].input_examples[0].x", "bounds"),
        ("[" * 100_000, 1, "", "deeper"),
        ("{'a': 1}", 1, "", "double quotes"),
        (request() + "\n{", 2, "", "not JSON"),
    ],
)
@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_json_is_taken_strictly(text: str | bytes, line: int, field: str, words: str, suffix: str) -> None:
    found = [each for each in said(text, suffix) if isinstance(each, Problem)]
    assert (found[0].line, found[0].field) == (line, field)
    if suffix == ".jsonl":
        assert words in found[0].message


@pytest.mark.parametrize(("depth", "count"), [(150, 0), (300, 1), (2_000, 1), (200_000, 1)])
@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_nesting_has_an_end(depth: int, count: int, suffix: str) -> None:
    nested = "[" * depth + '"]{"' + "]" * depth
    assert len(problems(request(tools=free(0)).replace(": 0", f": {nested}"), suffix)) == count


def test_many_brackets_side_by_side_are_no_nesting() -> None:
    assert entries(request(tools=[{**TOOL, "name": f"t{each}"} for each in range(300)]))


def test_numbers_and_characters_survive() -> None:
    value = {"big": 2**200, "float": 0.1, "word": "“né” 🦀\u2028"}
    text = request(tools=free(value))
    (entry,) = entries(text)
    assert json.loads(entry.params)["tools"] == free(value)
    assert "“né” 🦀\u2028".encode() in entry.params
    assert b": " not in entry.params


def test_every_error_of_a_file_is_told() -> None:
    text = "\n".join([request(temperature=1), "{", request("b", max_tokens=0), request("b")])
    assert problems(text) == [
        (1, "params.temperature"),
        (2, ""),
        (3, "params.max_tokens"),
        (4, "custom_id"),
    ]


def test_the_limits_hold() -> None:
    rules = Rules(max_request_bytes=200, max_requests=2)
    assert problems(request(system="x" * 300), rules=rules) == [(1, "")]
    assert problems(request("a", system="x" * 300), ".json", rules) == [(1, "")]
    assert problems("x" * 300, ".txt", rules) == [(0, "")]
    assert problems("\n".join(request(each) for each in "abc"), rules=rules) == [(3, "")]
    assert problems('{"job":{"system":"' + "x" * 150 + '"}}\n' + request("a"), rules=rules) == [(2, "params")]


# --- settings --------------------------------------------------------------------------------------------------------


def test_a_key_that_cannot_be_shown_is_told_all_the_same() -> None:
    told = [each for each in said('{"requests": [], "\\u001f": null, "a b": 1}', ".json") if isinstance(each, Problem)]
    assert [problem.field for problem in told] == ['"\\u001f"', '"a b"']


def test_the_request_counts_for_more_than_the_job_and_the_job_for_more_than_the_rules() -> None:
    rules = Rules(model="claude-opus-5", max_tokens=1, betas=("z-rules",))
    job = {"job": {"model": "claude-opus-4-8", "params": {"max_tokens": 2}, "betas": ["a-job"], "documents": False}}
    lines = [
        job,
        {"custom_id": "bare", "params": {"messages": HI}},
        {"custom_id": "beside", "params": {"messages": HI}, "max_tokens": 3, "documents": True},
        {"custom_id": "within", "params": {"messages": HI, "max_tokens": 4}, "max_tokens": 3, "betas": ["m", "a-job"]},
    ]
    found = entries("\n".join(map(json.dumps, lines)), rules=rules)
    assert [(each.custom_id, each.model, each.max_tokens, each.betas, each.wishes.documents) for each in found] == [
        ("bare", "claude-opus-4-8", 2, ("a-job", "z-rules"), False),
        ("beside", "claude-opus-4-8", 3, ("a-job", "z-rules"), True),
        ("within", "claude-opus-4-8", 4, ("a-job", "m", "z-rules"), False),
    ]


def test_files_are_wanted_where_somebody_says_so_the_request_before_its_job() -> None:
    lines = [
        {"job": {"files": True}},
        {"custom_id": "a", "params": {"messages": HI}},
        {"custom_id": "b", "params": {"messages": HI}, "files": False},
    ]
    assert [entry.wishes.files for entry in entries("\n".join(map(json.dumps, lines)))] == [True, False]
    assert [entry.wishes.files for entry in entries(request())] == [False]


def test_the_users_keys_keep_their_order_and_the_rest_follows() -> None:
    (entry,) = entries('{"custom_id":"a","params":{"max_tokens":5,"messages":[{"content":"Hi","role":"user"}]}}')
    assert entry.params == (b'{"max_tokens":5,"messages":[{"content":"Hi","role":"user"}],"model":"claude-sonnet-5-5"}')


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_job_may_stand_on_either_side_of_its_requests(order: str) -> None:
    job, requests = '"job":{"max_tokens":7}', f'"requests":[{request()}]'
    text = f"{{{job},{requests}}}" if order == "before" else f"{{{requests},{job}}}"
    assert [entry.max_tokens for entry in entries(text, ".json")] == [7]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"colour": 1}, ["colour"]),
        ({"temperature": 1}, ["temperature"]),
        ({"model": ""}, ["model"]),
        ({"max_tokens": True}, ["max_tokens"]),
        ({"max_tokens": 1.0}, ["max_tokens"]),
        ({"documents": "yes"}, ["documents"]),
        ({"files": 1}, ["files"]),
        ({"attach": ["*"]}, ["attach"]),
        ({"betas": "x"}, ["betas"]),
        ({"betas": ["a", "b,c"]}, ["betas[1]"]),
        ({"params": []}, ["params"]),
        ({"params": {"temperature": 0, "top_k": 1}}, ["params.temperature", "params.top_k"]),
    ],
)
def test_wrong_settings_are_told_once_wherever_they_stand(settings: dict[str, Any], expected: list[str]) -> None:
    job = json.dumps({"job": settings})
    assert problems("\n".join([job, request("a"), request("b")])) == [(1, f"job.{field}") for field in expected]
    beside = json.loads(request())
    inside = settings.get("params")
    beside |= settings | ({"params": beside["params"] | inside} if isinstance(inside, dict) else {})
    assert [field for _, field in problems(json.dumps(beside))] == expected


def test_failures_can_be_dropped_again_as_they_are() -> None:
    assert entries(json.dumps({**json.loads(request()), "failure": {"verdict": "errored"}}))


def test_a_flaw_is_placed_where_the_value_came_from() -> None:
    long: dict[str, Any] = {"max_tokens": 100_000, "model": "claude-haiku-4-5"}
    assert problems(json.dumps({"job": long}) + "\n" + request()) == [(1, "job.max_tokens")]
    assert problems(request(**long)) == [(1, "params.max_tokens")]
    assert problems(request(model="claude-haiku-4-5"), rules=Rules(max_tokens=65_000)) == [(1, "defaults.max_tokens")]


# --- text files ------------------------------------------------------------------------------------------------------


def test_a_text_file_is_its_prompt() -> None:
    text = "\n  indented\n--- not front matter\n\ttext \n\n"
    assert json.loads(entries(text, ".txt")[0].params) == {
        "messages": [{"role": "user", "content": "  indented\n--- not front matter\n\ttext "}],
        "model": "claude-sonnet-5-5",
        "max_tokens": 64_000,
    }


def test_front_matter_holds_settings() -> None:
    text = "---\r\nmodel: claude-opus-5\r\nparams:\r\n  thinking: {type: adaptive}\r\n---\r\n\r\nHi\r\n---\r\nthere\r\n"
    assert json.loads(entries(text, ".md")[0].params) == {
        "thinking": {"type": "adaptive"},
        "messages": [{"role": "user", "content": "Hi\r\n---\r\nthere"}],
        "model": "claude-opus-5",
        "max_tokens": 64_000,
    }


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ("model: &a claude-opus-5", (2, "")),
        ("a: [1]\nb: *x", (3, "")),
        ("model: !!python/name:os.system x", (2, "")),
        ("model: a\nmodel: b", (3, "")),
        ("params: {a: {b: 1, b: 2}}", (2, "")),
        ("params: " + "[" * 60 + "]" * 60, (2, "")),
        ("just words", (1, "")),
        ("model: [", (3, "")),
        ("model: 2020-13-45", (1, "")),
        ("params: {when: 2020-01-01}", (1, "params.when")),
        ("1: x", (1, '"1"')),
        ("max_tokens: 1" + "0" * 30, (1, "max_tokens")),
        ("x: " + "y" * 70_000, (1, "")),
        ("params: {messages: []}", (1, "params.messages")),
    ],
)
def test_front_matter_is_plain(front: str, expected: tuple[int, str]) -> None:
    assert problems(f"---\n{front}\n---\nHi", ".md") == [expected]


def test_front_matter_that_never_ends_is_no_prompt() -> None:
    assert problems("---\nmodel: claude-opus-5\n\nHi", ".md") == [(1, "")]


# --- params ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"messages": None}, "params.messages"),
        ({"model": 3}, "params.model"),
        ({"model": "claude-3-5-sonnet-20241022"}, "params.model"),
        ({"max_tokens": 0}, "params.max_tokens"),
        ({"max_tokens": "5"}, "params.max_tokens"),
        ({"max_tokens": 300_001}, "params.max_tokens"),
        ({"max_tokens": 64_001, "model": "claude-opus-4-5"}, "params.max_tokens"),
        ({"max_tokens": 128_001, "model": "claude-fable-5"}, "params.max_tokens"),
        ({"stream": True}, "params.stream"),
        ({"speed": "fast"}, "params.speed"),
        ({"fallbacks": "default"}, "params.fallbacks"),
        ({"top_p": 0.5}, "params.top_p"),
        ({"frequency_penalty": 1}, "params.frequency_penalty"),
        ({"betas": []}, "params.betas"),
        ({"messages": []}, "params.messages"),
        ({"messages": "Hi"}, "params.messages"),
        ({"messages": ["Hi"]}, "params.messages[0]"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "params.messages[0].role"),
        ({"messages": [{"role": "user", "content": " \n"}]}, "params.messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "params.messages[0].content"),
        ({"messages": [{"role": "user", "content": [EMPTY]}]}, "params.messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}, "params.messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": ["Hi"]}]}, "params.messages[0].content[0]"),
        ({"messages": [*HI, {"role": "assistant", "content": "{"}]}, "params.messages[1]"),
        ({"messages": [{"role": "system", "content": "Be brief"}, *HI]}, "params.messages[0].role"),
        ({"messages": [*HI, {"role": "assistant", "content": "A "}], "model": OLD}, "params.messages[1].content"),
        ({"system": 3}, "params.system"),
        ({"system": [{"type": "image"}]}, "params.system[0].type"),
        ({"system": [{"type": "text", "text": " "}]}, "params.system[0].text"),
        ({"thinking": {"type": "auto"}}, "params.thinking.type"),
        ({"thinking": None}, "params.thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1_000}}, "params.thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 64_000}, "model": OLD}, "params.thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2_000}, "model": "claude-opus-4-7"}, "params.thinking.type"),
        ({"thinking": {"type": "adaptive"}, "model": "claude-haiku-4-5"}, "params.thinking.type"),
        ({"thinking": {"type": "disabled"}, "model": "claude-opus-5-5"}, "params.thinking.type"),
        ({"thinking": {"type": "between_tools"}, "model": "claude-sonnet-5"}, "params.thinking.type"),
        ({"thinking": OFF, "output_config": HARD, "model": "claude-opus-5"}, "params.output_config.effort"),
        ({"tools": {}}, "params.tools"),
        ({"tools": [{"name": "t", "description": "?"}]}, "params.tools[0].input_schema"),
        ({"tools": [TOOL, TOOL]}, "params.tools[1].name"),
        ({"tool_choice": "auto"}, "params.tool_choice"),
        ({"tool_choice": {"type": "tool"}}, "params.tool_choice.name"),
        ({"tool_choice": {"type": "any"}, "tools": [TOOL]}, "params.tool_choice"),
        ({"tool_choice": {"type": "any"}, "model": OLD}, "params.tool_choice"),
        ({"stop_sequences": "stop"}, "params.stop_sequences"),
        ({"stop_sequences": ["a", ""]}, "params.stop_sequences[1]"),
        ({"metadata": {"user_id": 7}}, "params.metadata.user_id"),
        ({"service_tier": 1}, "params.service_tier"),
        ({"inference_geo": 1}, "params.inference_geo"),
        ({"billing_policy": {"type": "billing_policy", "bill_to": "user_profile"}}, "params.billing_policy.bill_to"),
        ({"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5}, "params"),
    ],
)  # fmt: skip
def test_what_the_api_would_refuse_is_refused_before_it_costs(params: dict[str, Any], field: str) -> None:
    assert flaws(params) == [field]


@pytest.mark.parametrize(
    "params",
    [
        {"stream": False, "speed": None},
        {"messages": [*HI, *HI]},
        {"messages": [{"role": "assistant", "content": "Hello"}, *HI]},
        {"messages": [*HI, {"role": "assistant", "content": "{"}], "model": "claude-opus-4-5"},
        {"messages": [*HI, {"role": "assistant", "content": [SEARCH]}]},
        {"messages": [*HI, {"role": "system", "content": "Be brief"}], "model": "claude-opus-5"},
        {"thinking": {"type": "between_tools"}, "model": "claude-sonnet-5-5"},
        {"thinking": {"type": "enabled", "budget_tokens": 2_000}, "model": "claude-sonnet-4-6"},
        {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}, "model": "claude-opus-5"},
        {"tool_choice": {"type": "any"}, "tools": [TOOL], "model": OLD},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"system": "", "metadata": {"user_id": None}, "service_tier": "auto", "container": "c"},
        {"system": [{"type": "text", "text": '"cache_control":{' * 9}]},
    ],
)
def test_what_the_api_may_take_is_taken(params: dict[str, Any]) -> None:
    assert flaws(params) == []


@pytest.mark.parametrize(
    ("model", "max_tokens", "betas", "cautioned"),
    [
        ("claude-sonnet-4-6", 128_000, (), []),
        ("claude-sonnet-4-6", 128_001, (BETA_300K,), []),
        ("claude-sonnet-4-6-20260101", 300_000, (BETA_300K,), []),
        ("claude-haiku-4-5", 64_000, (), []),
        ("claude-opus-4-5", 64_000, (), ["params.model"]),
        ("claude-sonnet-4-5", 64_000, (), ["params.model"]),
        ("claude-fable-5-2", 128_000, (), []),
        ("claude-fable-5-2", 200_000, (BETA_300K,), ["params.max_tokens"]),
        ("claude-x-9", 64_000, (), ["params.model"]),
        ("claude-x-9", 128_000, (), ["params.model", "params.max_tokens"]),
        ("claude-x-9", 300_000, (BETA_300K,), ["params.model", "params.max_tokens"]),
    ],
)
def test_the_300k_beta_comes_by_itself_where_it_is_needed(
    model: str, max_tokens: int, betas: tuple[str, ...], cautioned: list[str]
) -> None:
    found = said(request(model=model, max_tokens=max_tokens))
    assert [each.betas for each in found if isinstance(each, Entry)] == [betas]
    assert [each.field for each in found if isinstance(each, Caution)] == cautioned


def test_a_beta_that_was_asked_for_stays() -> None:
    text = json.dumps({**json.loads(request(max_tokens=5)), "betas": [BETA_300K]})
    assert entries(text)[0].betas == (BETA_300K,)


def test_a_caution_comes_once_a_file() -> None:
    found = said("\n".join(request(each, model="claude-x-9") for each in "abc"))
    assert [type(each).__name__ for each in found] == ["Caution", "Entry", "Entry", "Entry"]


def test_settings_can_make_a_model_known() -> None:
    catalogue = Catalogue().with_overrides({"claude-x-9": ModelOverride(max_output=10, long_output=False)})
    rules = Rules(catalogue=catalogue)
    assert problems(request(model="claude-x-9", max_tokens=11), rules=rules) == [(1, "params.max_tokens")]
    assert len(said(request(model="claude-x-9", max_tokens=10), rules=rules)) == 1


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (["a", "b_c-D9", "x" * 100], ["a", "b_c-D9", "x" * 100]),
        (["Abc", "abc", "aBc"], ["Abc", "abc~ba7816bf8f01cfea4141", "aBc~516dd854ec42b5b99288"]),
        (["../../etc/passwd"], ["etc-passwd~3754d6cb3a38e1185e5b"]),
        (["日本"], ["request~cf2abf0c5be326cb922a"]),
        (["y" * 101], ["y" * 60 + "~20b7e545c324ac23111a"]),
    ],
)
def test_ids_become_file_names(ids: list[str], names: list[str]) -> None:
    assert [entry.name for entry in entries("\n".join(request(each) for each in ids))] == names


def test_a_name_is_a_function_of_the_id_alone() -> None:
    assert safe_name("abc", taken=True) == "abc~ba7816bf8f01cfea4141"
    assert safe_name("\ud800", taken=False) == safe_name("\ud800", taken=True)


@pytest.mark.parametrize("custom_id", ["", 3, None, "x" * 257])
def test_ids_have_bounds(custom_id: object) -> None:
    assert problems(json.dumps({"custom_id": custom_id, "params": {"messages": HI}})) == [(1, "custom_id")]


def test_a_stem_that_is_no_text_still_names_its_request() -> None:
    def source() -> Iterator[bytes]:
        yield b"Hi"

    (entry,) = read(source, ".txt", "caf\udce9", Rules())
    assert isinstance(entry, Entry)
    assert entry.custom_id == "caf?"


@pytest.mark.parametrize("prompt", ["", " \n", "\u200b\n", "\ufeff\u2060 \u3164"])
def test_a_prompt_in_which_nothing_is_to_be_seen_is_refused(prompt: str) -> None:
    for text, suffix in ((prompt, ".txt"), (f"---\nmax_tokens: 9\n---\n{prompt}", ".md")):
        assert [field for _, field in problems(text, suffix)] == [""]
