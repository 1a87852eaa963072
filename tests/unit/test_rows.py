"""Rows, objects and texts become requests by what a prompt file says, every fault at its row."""

import json
from pathlib import PurePosixPath
from typing import Any

import pytest
from batchd.decisions.jobfile.rules import Rules
from batchd.decisions.rows.prompt_file import PromptFile, parse_prompt_file
from batchd.decisions.rows.reader import read
from batchd.model import Caution, Entry, Problem, Terms

RULES = Rules()


def prompt(text: str) -> PromptFile:
    found = parse_prompt_file(text, RULES)
    assert isinstance(found, PromptFile), found
    return found


def said(data: str | bytes, name: str, instructions: str | None, rules: Rules = RULES) -> list[Any]:
    data = data.encode() if isinstance(data, str) else data
    pieces = [data[place : place + 7] for place in range(0, len(data), 7)]
    wanted = None if instructions is None else prompt(instructions)
    return list(read(lambda: iter(pieces), PurePosixPath(name), rules, wanted))


def entries(*arguments: Any) -> list[Entry]:
    found = said(*arguments)
    assert [each for each in found if isinstance(each, Problem)] == []
    return [each for each in found if isinstance(each, Entry)]


def problems(*arguments: Any) -> list[Problem]:
    found = said(*arguments)
    return [each for each in found if isinstance(each, Problem)]


def asked(entry: Entry) -> Any:
    return json.loads(entry.params)["messages"][0]["content"]


ASK = "---\nmodel: claude-haiku-5-5\n---\nClassify <t>{{ subject }}</t>{% if language %} in {{ language }}{% endif %}"
TABLE = "subject,language\nPrinter,German\n\nBill,\n"


def test_a_row_becomes_a_request_that_is_called_by_its_number() -> None:
    one, other = entries(TABLE, "tickets/x.csv", ASK)
    assert (one.custom_id, one.line, asked(one)) == ("row-2", 2, "Classify <t>Printer</t> in German")
    assert (other.custom_id, other.line, asked(other)) == ("row-4", 4, "Classify <t>Bill</t>")
    assert {one.model, other.model} == {"claude-haiku-5-5"}
    assert (one.max_tokens, other.max_tokens) == (4096, 4096)
    assert one.wishes.documents == other.wishes.documents == "continued"


@pytest.mark.parametrize("line", ["max_tokens: 300", "params: {max_tokens: 300}"])
def test_rows_take_the_limit_that_is_said(line: str) -> None:
    (entry,) = entries("a\nx\n", "x.csv", f"---\n{line}\ndocuments: true\n---\n{{{{ a }}}}")
    assert (entry.max_tokens, json.loads(entry.params)["max_tokens"], entry.wishes.documents) == (300, 300, True)


def test_what_stands_in_a_cell_arrives_byte_for_byte() -> None:
    cell = "{{ 7*7 }}\n---\nmodel: x\n---</ticket>\x01\x7f "
    table = '"a"\n"' + cell.replace('"', '""') + '"\n'
    (entry,) = entries(table, "x.csv", "{{ a }}")
    assert asked(entry) == cell


@pytest.mark.parametrize("head", ["---\nid: Ticket ID\n---\n", ""])
def test_a_column_names_the_rows(head: str) -> None:
    name = "Ticket ID" if head else "custom_id"
    table = f"a,{name}\nx,T/1\ny,\nz,T/1\n"
    found = said(table, "x.csv", head + "{{ a }}")
    assert [each.custom_id for each in found if isinstance(each, Entry)] == ["T/1"]
    assert [(each.line, each.row, each.field) for each in found if isinstance(each, Problem)] == [
        (3, 3, name),
        (4, 4, name),
    ]


def test_objects_are_rows_and_numbers_may_name_them() -> None:
    lines = '{"id": 17, "a": {"b": [1, null]}}\n\n{"id": "x", "a": null, "c": true}\n'
    one, other = entries(lines, "x.jsonl", "---\nid: id\n---\n{{ a }}!{% if c is defined %}{{ c }}{% endif %}")
    assert (one.custom_id, asked(one)) == ("17", '{"b":[1,null]}!')
    assert (other.custom_id, asked(other), other.line) == ("x", "!true", 3)


def test_each_wrong_object_is_told_and_the_others_are_read() -> None:
    lines = '{"a": "1"}\n{"b": "2"}\n[3]\n{"a": \n{"custom_id": "x", "params": {}}\n{"a": "6"}\n'
    found = said(lines, "x.ndjson", "{{ a }}")
    assert [each.line for each in found if isinstance(each, Problem)] == [2, 3, 4, 5]
    assert [each.custom_id for each in found if isinstance(each, Entry)] == ["row-1", "row-6"]


def test_a_column_that_does_not_exist_is_told_once_with_the_nearest() -> None:
    (problem,) = problems(TABLE * 3, "x.csv", "{{ subjct }}")
    assert (problem.line, problem.field, "did you mean 'subject'" in problem.message) == (1, "subjct", True)


def test_a_prompt_without_columns_would_ask_the_same_of_every_row() -> None:
    for data, name in ((TABLE, "x.csv"), ('{"a": 1}\n', "x.jsonl")):
        (problem,) = problems(data, name, "Classify {{ file }}.")
        assert "names no column" in problem.message


def test_settings_alone_are_no_prompt_for_a_table() -> None:
    (problem,) = problems(TABLE, "x.csv", "---\nmodel: claude-haiku-5-5\n---\n")
    assert "nothing to ask" in problem.message


def test_an_empty_prompt_is_its_rows_error() -> None:
    (problem,) = problems("a,b\n,x\ny,z\n", "x.csv", "{{ a }}")
    assert (problem.row, "empty" in problem.message) == (2, True)


def test_what_has_no_shape_asks_nothing() -> None:
    (problem,) = problems("a,b\n\u200b\ufeff,x\ny,z\n", "x.csv", "{{ a }}\u2060")
    assert (problem.row, "empty" in problem.message) == (2, True)
    (problem,) = problems(TABLE, "x.csv", "---\nmodel: claude-haiku-5-5\n---\n\u200b\n")
    assert "nothing to ask" in problem.message


def test_names_of_the_file_count_for_more_than_columns_of_that_name() -> None:
    found = said("file,text\ncell,words\n", "q/x.csv", '{{ file }}|{{ stem }}|{{ row["file"] }}|{{ text }}')
    (entry,) = (each for each in found if isinstance(each, Entry))
    assert asked(entry) == "q/x.csv|x|cell|words"
    (caution,) = (each for each in found if isinstance(each, Caution))
    assert 'row["file"]' in caution.message


@pytest.mark.parametrize("name", ["post.md", "post.txt", "post.html"])
def test_a_text_is_asked_about_and_its_front_matter_is_content(name: str) -> None:
    text = "---\ntitle: A post\n---\nIt says {{ this }}.\n"
    takes = '---\ntakes: ["*.html", "*.md", "*.txt"]\n---\n'
    (entry,) = entries(text, f"blog/{name}", takes + "Summarize.")
    assert asked(entry) == [
        {"type": "text", "text": f'<file path="blog/{name}">\n{text}</file>\n'},
        {"type": "text", "text": "Summarize."},
    ]
    assert (entry.custom_id, entry.max_tokens) == ("post", 64_000)
    (entry,) = entries(text, f"blog/{name}", takes + "Of {{ stem }}: {{ text }}")
    assert asked(entry) == f"Of post: {text}"


def test_a_text_of_another_kind_is_taken_only_where_it_is_named() -> None:
    (problem,) = problems("x", "a.html", "Summarize {{ text }}.")
    assert "files of this kind" in problem.message
    (problem,) = problems("x", "a.md", '---\ntakes: ["*.csv"]\n---\n{{ a }}')
    assert "*.csv" in problem.message


def test_settings_alone_leave_texts_prompts_as_they_were() -> None:
    (entry,) = entries("What is {{ x }}?", "a.md", "---\nmodel: claude-haiku-5-5\nmax_tokens: 50\n---\n")
    assert (asked(entry), entry.model, entry.max_tokens) == ("What is {{ x }}?", "claude-haiku-5-5", 50)
    (entry,) = entries("What is {{ x }}?", "a.md", None)
    assert (asked(entry), entry.max_tokens) == ("What is {{ x }}?", 64_000)


MESSAGE = {"messages": [{"role": "user", "content": "Hi"}]}


def test_requests_take_the_settings_of_their_folder_and_not_its_prompt() -> None:
    lines = [{"job": {"max_tokens": 9}}, {"custom_id": "a", "params": {**MESSAGE, "model": "claude-opus-5-5"}}]
    lines.append({"custom_id": "b", "params": MESSAGE})
    head = "---\nmodel: claude-haiku-5-5\nparams: {max_tokens: 7, stop_sequences: [x]}\n---\n"
    found = said("\n".join(map(json.dumps, lines)), "a.jsonl", head + "{{ a }}")
    one, other = (each for each in found if isinstance(each, Entry))
    assert (one.model, one.max_tokens) == ("claude-opus-5-5", 9)
    assert (other.model, other.max_tokens) == ("claude-haiku-5-5", 9)
    assert json.loads(other.params)["stop_sequences"] == ["x"]
    assert ["prompt" in each.message for each in found if isinstance(each, Caution)] == [True]


@pytest.mark.parametrize(("said_by_job", "counts"), [(None, 5), (3, 3), (100, 5)])
def test_the_folders_budget_can_only_be_narrowed(said_by_job: float | None, counts: float) -> None:
    job = {"budget": said_by_job} if said_by_job else {}
    lines = [{"job": job}, {"custom_id": "a", "params": MESSAGE}]
    found = said("\n".join(map(json.dumps, lines)), "a.jsonl", "---\nbudget: 5\n---\n")
    assert [each.budget for each in found if isinstance(each, Terms)][-1] == counts


def test_rows_and_texts_have_the_folders_budget() -> None:
    for data, name in ((TABLE, "x.csv"), ('{"subject": "", "language": ""}', "x.jsonl")):
        found = said(data, name, "---\nbudget: 5\n---\nAbout {{ subject }}")
        assert [each.budget for each in found if isinstance(each, Terms)] == [5]


def test_data_without_instructions_says_what_to_do() -> None:
    for data, name in ((TABLE, "x.csv"), ('{"subject": "x"}\n', "x.jsonl")):
        (problem,) = problems(data, name, None)
        assert ".batchd.md" in problem.message


def test_rows_share_what_their_job_may_weigh() -> None:
    (problem,) = problems("a\n" + "x\n" * 100, "x.csv", "{{ a }}", Rules(max_job_bytes=2_000))
    assert "intake.max_job_bytes" in problem.message


@pytest.mark.parametrize(
    ("text", "line", "field", "told"),
    [
        ("---\nmodel: claude-haiku-5-5\nmax_token: 3\n---\n", 3, "max_token", "did you mean max_tokens"),
        ("---\nmodel: claude-haiku-55\n---\n", 2, "model", "claude-haiku"),
        ("---\nmax_tokens: 900000\n---\n", 2, "max_tokens", ""),
        ("---\non_error: stop\n---\n", 2, "on_error", "'refuse', 'skip'"),
        ("---\nbudget_day: -1\n---\n", 2, "budget_day", "above 0"),
        ("---\nbudget_day: .nan\n---\n", 2, "budget_day", "above 0"),
        ("---\ntakes: x\n---\n", 2, "takes", "list of patterns"),
        ("---\ndelimiter: x\n---\n", 2, "delimiter", "one of"),
        ("---\nschema: {type: string}\n---\n", 2, "schema.type", "object with properties"),
        ("---\nschema: {type: object, properties: {a: {}}}\nexpect: {json: true}\n---\n", 3, "expect.json", "beside"),
        ("---\nmodel: claude-haiku-5-5\n---\n\nAsk {{ a.b }}\n", 5, "", "a dot"),
        ("---\nmodel: [\n---\n", 3, "", "YAML"),
        ("---\nsteps: {outline: {prompt: outline.md}}\n---\n", 2, "steps", "drop a folder NAME.job, or leave it out"),
        ("---\nparams: {messages: []}\n---\n", 2, "params.messages", "the text below"),
    ],
)
def test_a_wrong_prompt_file_is_told_at_its_line(text: str, line: int, field: str, told: str) -> None:
    found = parse_prompt_file(text, RULES)
    assert isinstance(found, list)
    assert [(each.line, each.field) for each in found] == [(line, field)], found
    assert told in found[0].message
