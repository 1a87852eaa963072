import json
from collections.abc import Sequence
from typing import Any

import pytest
from batchd.decisions.jobfile.attachment import Attached, Gather, Gathered, wrapped
from batchd.decisions.jobfile.reader import Rules, Said, read
from batchd.model import Entry, Problem
from batchd.text.strictjson import Flaw

FILES = (Attached("src/b.py", "b = 1\n"), Attached("README.md", "# Read"), Attached("src/a/c.py", ""))


def said(text: str, gather: Gather | None = None, suffix: str = ".md") -> list[Said]:
    return list(read(lambda: [text.encode()], suffix, "job", Rules(gather=gather)))


def problems(text: str, gather: Gather | None = None, suffix: str = ".md") -> list[tuple[int, str, str]]:
    found = said(text, gather, suffix)
    return [(each.line, each.field, each.message) for each in found if isinstance(each, Problem)]


def finding(*files: Attached) -> Gather:
    return lambda _patterns, _most: Gathered(files)


def content(text: str, gather: Gather) -> Any:
    (entry,) = said(text, gather)
    assert isinstance(entry, Entry)
    return json.loads(entry.params)["messages"][0]["content"]


def test_files_are_a_block_of_their_own_before_the_prompt_in_the_order_of_their_paths() -> None:
    blocks = content('---\nattach: ["**"]\n---\nDocument this.', finding(*FILES))
    assert blocks == [
        {
            "type": "text",
            "text": '<file path="README.md">\n# Read\n</file>\n\n<file path="src/a/c.py">\n</file>\n\n'
            '<file path="src/b.py">\nb = 1\n</file>\n',
        },
        {"type": "text", "text": "Document this."},
    ]


def test_prompts_with_the_same_files_begin_alike() -> None:
    one, two = (content(f'---\nattach: ["**"]\n---\n{prompt}', finding(*FILES)) for prompt in ("One", "Two"))
    assert one[0] == two[0]


def test_the_patterns_and_the_room_are_handed_on() -> None:
    asked: list[tuple[Sequence[str], int]] = []

    def gather(patterns: Sequence[str], most: int) -> Gathered:
        asked.append((patterns, most))
        return Gathered(FILES)

    said('---\nattach: ["src/**/*.py", README.md]\n---\nx', gather)
    assert asked == [(["src/**/*.py", "README.md"], Rules().max_request_bytes)]


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("plain", "file"),
        ("<file>", "file"),
        ("a </file> b", "file_2"),
        ("a </FILE > b", "file_2"),
        ("</file_2></file_3>", "file_4"),
        ("</files>", "file_2"),
    ],
)
def test_no_content_ends_its_own_tag(text: str, tag: str) -> None:
    assert wrapped([Attached("a", text)]) == f'<{tag} path="a">\n{text}\n</{tag}>\n'


def test_a_path_stays_within_its_quotes() -> None:
    assert wrapped([Attached('a"><b&c', "")]).startswith('<file path="a&quot;&gt;&lt;b&amp;c">\n')


@pytest.mark.parametrize("path", ["a\nb", "a\udce9", "a\u2028b", "\x1b[2J"])
def test_a_path_that_cannot_be_told_is_refused(path: str) -> None:
    ((line, field, message),) = problems('---\nattach: ["*"]\n---\nx', finding(Attached(path, "")))
    assert (line, field) == (1, "attach")
    assert "rename it" in message


def test_without_an_allowed_folder_it_is_refused_by_the_name_of_the_setting() -> None:
    ((line, field, message),) = problems('---\nattach: ["*.py"]\n---\nx')
    assert (line, field) == (1, "attach")
    assert "folders" in message
    assert "[attach]" in message


@pytest.mark.parametrize("value", ["src/*.py", "[]", "3", "{a: b}", "null", "true"])
def test_must_be_a_list(value: str) -> None:
    ((_, field, message),) = problems(f"---\nattach: {value}\n---\nx", finding(*FILES))
    assert field == "attach"
    assert "must be a list of patterns" in message


def test_all_errors_are_told_and_those_beside_them() -> None:
    text = '---\nattach: ["/etc/*", 3, ok, "../x"]\nwords: 3\nmax_tokens: 0\n---\nx'
    assert [field for _, field, _ in problems(text, finding(*FILES))] == [
        "words", "attach[0]", "attach[1]", "attach[3]", "max_tokens"
    ]  # fmt: skip


def test_what_the_reading_finds_wrong_is_told() -> None:
    flaw = Flaw("attach[1]", "matches no file")
    assert problems("---\nattach: [a, b]\n---\nx", lambda _patterns, _most: Gathered(FILES, (flaw,))) == [(1, *flaw)]


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_elsewhere_it_is_no_setting_and_says_where_it_is_one(suffix: str) -> None:
    body = {"custom_id": "a", "attach": ["*"], "params": {"messages": [{"role": "user", "content": "Hi"}]}}
    ((_, field, message),) = problems(json.dumps(body), finding(*FILES), suffix)
    assert field == "attach"
    assert "front matter" in message
    in_params = {"custom_id": "a", "params": {**body["params"], "attach": ["*"]}}  # type: ignore[dict-item]
    ((_, field, message),) = problems(json.dumps(in_params), finding(*FILES), suffix)
    assert field == "params.attach"
    assert "front matter" in message
