"""A book as one drop: steps that are asked one after the other, and joined to one file."""

import json
from typing import Any

import pytest

from tests.support.bundles import drop
from tests.support.house import House

pytestmark = pytest.mark.anyio

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "chapters": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"title": {"type": "string"}, "points": {"type": "string"}},
                "required": ["title", "points"],
            },
        },
    },
    "required": ["title", "chapters"],
}


def outline(*titles: str) -> str:
    """A prompt that the sandbox answers with an outline of these chapters."""
    chapters = [{"title": title, "points": f"about {title}"} for title in titles]
    return f"Outline a book.\n[sandbox: json {json.dumps({'title': 'Bees', 'chapters': chapters})}]"


def book(
    asked: str, chapter: str = "Of {{ steps.outline.title }}, write {{ title }}: {{ points }}.", **more: str
) -> dict[str, bytes | str]:
    """The files of a bundle of three steps."""
    prompt = """---
model: claude-haiku-4-5
budget: 5
steps:
  outline: {prompt: outline.md, schema: outline.schema.json, max_tokens: 2000}
  chapters: {prompt: chapter.md, each: outline.chapters, max_tokens: 400}
  book: {join: chapters, write: book.md}
---
"""
    return {
        "prompt.md": prompt,
        "outline.md": asked,
        "outline.schema.json": json.dumps(SCHEMA),
        "chapter.md": chapter,
        **more,
    }


async def test_an_outline_its_chapters_and_the_book(home: House) -> None:
    drop(home.inbox, "bees.job", book(outline("Hives", "Honey", "Winter")))
    assert await home.run()
    assert set(home.results("bees")) == {"outline", "chapters/1", "chapters/2", "chapters/3"}
    job = home.job("bees")
    assert (job["state"], job["requests"]["total"], job["requests"]["complete"]) == ("done", 4, 4)
    assert job["steps"] == [
        {"step": "outline", "requests": 1, "complete": 1, "incomplete": 0},
        {"step": "chapters", "requests": 3, "complete": 3, "incomplete": 0},
        {"step": "book", "join": ["chapters"], "document": "documents/book.md"},
    ]
    report = {line["custom_id"]: line for line in home.lines("bees", "report.jsonl")}
    texts = [(home.outbox / "bees" / report[f"chapters/{n}"]["document"]).read_text() for n in (1, 2, 3)]
    assert (home.outbox / "bees" / "documents" / "book.md").read_text() == "\n\n".join(map(str.strip, texts))
    home.assert_nothing_twice()
