"""A file of another form has one mistake."""

import json
from typing import Any

import pytest
from batchd.decisions.jobfile.other_forms import encoding, form_of_lines, results
from batchd.decisions.jobfile.reader import Rules, read
from batchd.model import Problem

REQUEST = {"custom_id": "a", "params": {"messages": [{"role": "user", "content": "Hi"}]}}


def problems(data: bytes, suffix: str = ".jsonl") -> list[Problem]:
    return [each for each in read(lambda: [data], suffix, "x", Rules()) if isinstance(each, Problem)]


@pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".md", ".txt"])
def test_another_encoding_is_one_mistake_in_every_kind_of_file(code: str, suffix: str) -> None:
    text = "\n".join(json.dumps({**REQUEST, "custom_id": str(number)}) for number in range(20))
    (problem,) = problems(text.encode(code), suffix)
    assert code[:6].upper() in problem.message


@pytest.mark.parametrize("head", [b"", b"{", b'{"a": 1}', "é".encode(), b"\x00", b"ab\x00\x00cd"])
def test_utf8_is_not_taken_for_another_encoding(head: bytes) -> None:
    assert encoding(head) == ""


def test_lines_in_latin_1_are_told_once_with_their_number() -> None:
    text = "\n".join(json.dumps({**REQUEST, "custom_id": f"é{n}"}, ensure_ascii=False) for n in range(5))
    (problem,) = problems(text.encode("latin-1"))
    assert (problem.line, "5 lines" in problem.message, "UTF-8" in problem.message) == (1, True, True)


@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_is_one_mistake_in_lines_and_taken_as_a_document(indent: int | None) -> None:
    text = json.dumps([REQUEST, {**REQUEST, "custom_id": "b"}], indent=indent).encode()
    (problem,) = problems(text)
    assert ".json" in problem.message
    assert problems(text, ".json") == []


def test_a_pretty_object_is_one_mistake_but_a_cut_line_is_a_line() -> None:
    (problem,) = problems(json.dumps(REQUEST, indent=1).encode())
    assert "object over several lines" in problem.message
    good = json.dumps(REQUEST)
    assert [each.line for each in problems(f"{good[:-2]}\n{good}\n{{".encode())] == [1, 3]
    assert form_of_lines("{'a': 1}", "") == ""


@pytest.mark.parametrize("key", ["result", "verdict", "response", "error"])
def test_what_came_out_is_not_taken_in_again(key: str) -> None:
    lines = "\n".join(json.dumps({"custom_id": str(n), key: {}}) for n in range(9))
    (problem,) = problems(lines.encode())
    assert "failures.jsonl" in problem.message
    assert results({**REQUEST, key: {}}) == ""


@pytest.mark.parametrize("value", [None, [], "x", {}, REQUEST, {"body": 3}, {"url": "x", "body": []}])
def test_no_line_upsets_it(value: Any) -> None:
    results(value)


def test_a_text_that_is_a_file_of_requests_is_told() -> None:
    said = list(read(lambda: [json.dumps(REQUEST).encode()], ".txt", "x", Rules()))
    assert any("one prompt" in getattr(each, "message", "") for each in said)


@pytest.mark.parametrize(
    ("front", "words"),
    [
        ("title: x\ndate: 2026-02-02\ntags: [a]", ["title", "date", "tags", "settings here"]),
        ("max_token: 5", ["did you mean max_tokens"]),
    ],
)
def test_front_matter_of_a_post_is_one_mistake_and_a_slip_is_another(front: str, words: list[str]) -> None:
    (problem,) = problems(f"---\n{front}\n---\nHi".encode(), ".md")
    assert [word for word in words if word not in problem.message] == []


def test_toml_in_front_is_told_and_a_rule_of_plus_signs_is_text() -> None:
    (problem,) = problems(b"+++\ntitle = 'x'\n+++\nHi", ".md")
    assert "TOML" in problem.message
    assert problems(b"+++\nHi", ".md") == []
