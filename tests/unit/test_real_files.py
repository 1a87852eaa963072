"""Request files that nobody here wrote; `SOURCES.md` beside them says where they come from."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from batchd.decisions.jobfile.reader import Rules, Said, read
from batchd.model import Entry, Problem

REAL = Path(__file__).parent.parent / "data" / "real"


def said(name: str) -> list[Said]:
    path = REAL / name

    def source() -> Iterator[bytes]:
        yield path.read_bytes()

    return list(read(source, path.suffix, path.stem, Rules()))


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("cookbook_questions.jsonl", ["question-0", "question-1", "question-2", "question-3"]),
        ("cookbook_mixed.json", ["simple-question", "system-prompt", "multi-turn"]),
        ("docs_create_body.json", ["my-first-request", "my-second-request"]),
        ("docs_prompt_caching.json", ["docs_prompt_caching"]),
        ("llm_tools.json", ["llm_tools"]),
        ("performance_reviewer.md", ["performance_reviewer"]),
    ],
)
def test_it_is_taken(name: str, ids: list[str]) -> None:
    entries = [each for each in said(name) if isinstance(each, Entry)]
    assert [entry.custom_id for entry in entries] == ids
    assert len(said(name)) == len(ids)


@pytest.mark.parametrize(
    ("name", "problems"),
    [
        ("cookbook_questions_as_written.jsonl", [(line, "params.model") for line in range(1, 5)]),
        ("llm_tools_as_recorded.json", [(1, "stream"), (1, "model")]),
        ("llm_prefill_as_recorded.json", [(1, "stream"), (1, "model")]),
        ("label_issue_as_written.md", [(1, '"allowed-tools"')]),
    ],
)
def test_it_is_refused_as_it_stands(name: str, problems: list[tuple[int, str]]) -> None:
    found = said(name)
    assert [(each.line, each.field) for each in found if isinstance(each, Problem)] == problems
    assert not any(isinstance(each, Entry) for each in found)


def test_every_file_is_named_in_the_sources() -> None:
    sources = (REAL / "SOURCES.md").read_text()
    files = [path.name for path in REAL.iterdir() if path.name != "SOURCES.md"]
    assert [name for name in files if f"`{name}`" not in sources] == []
    assert len(files) == 10
