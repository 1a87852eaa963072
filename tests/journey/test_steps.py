"""A book as one drop: steps that are asked one after the other, and joined to one file."""

import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.app import serve
from batchd.edges.store import DATABASE

from tests.support import media
from tests.support.bundles import drop
from tests.support.house import NEVER, House, run_until

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
        {"step": "outline", "state": "complete", "requests": 1, "complete": 1, "incomplete": 0, "open": 0},
        {"step": "chapters", "state": "complete", "requests": 3, "complete": 3, "incomplete": 0, "open": 0},
        {"step": "book", "state": "complete", "join": ["chapters"], "document": "documents/book.md"},
    ]
    report = {line["custom_id"]: line for line in home.lines("bees", "report.jsonl")}
    texts = [(home.outbox / "bees" / report[f"chapters/{n}"]["document"]).read_text() for n in (1, 2, 3)]
    assert (home.outbox / "bees" / "documents" / "book.md").read_text() == "\n\n".join(map(str.strip, texts))
    home.assert_nothing_twice()


def held(home: House, job: str = "bees") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home.outbox / job / "held.json").read_text())
    return found


async def say(home: House, *words: str) -> str:
    """Give a command, as a person does."""
    places = {f"BATCHD_{name.upper()}": str(getattr(home, name)) for name in ("inbox", "outbox", "state")}
    done = await anyio.run_process(
        [sys.executable, "-m", "batchd", *words], env={**os.environ, **places}, cwd=home.place, check=False
    )
    assert not done.returncode, done.stderr.decode()
    return done.stdout.decode()


def sent(home: House) -> int:
    """How many requests the API took."""
    return sum(home.accepted().values())


async def test_a_chapter_sees_the_outline_and_the_one_before_it(home: House) -> None:
    asked = outline("Hives", "Honey")
    chapter = "{% if previous.text %}After: {{ previous.text }} {% endif %}Now {{ title }} of {{ steps.outline }}"
    drop(home.inbox, "bees.job", book(asked, f"{chapter}\n[sandbox: answer Chapter {{{{ title }}}}.]"))
    assert await home.run()
    documents = home.outbox / "bees" / "documents"
    assert (documents / "book.md").read_text() == "Chapter Hives.\n\nChapter Honey."
    assert home.job("bees")["batches"] == list(dict.fromkeys(home.job("bees")["batches"]))
    assert len(home.job("bees")["batches"]) == 3, "the second chapter waited for the first"


async def test_a_list_of_texts_gives_items(home: House) -> None:
    schema = {"type": "object", "properties": {"parts": {"type": "array", "items": {"type": "string"}}}}
    files = book('List them.\n[sandbox: json {"parts": ["one", "two"]}]', "[sandbox: answer {{ item }}!]")
    files["prompt.md"] = str(files["prompt.md"]).replace("outline.chapters", "outline.parts")
    drop(home.inbox, "bees.job", {**files, "outline.schema.json": json.dumps(schema)})
    assert await home.run()
    assert (home.outbox / "bees" / "documents" / "book.md").read_text() == "one!\n\ntwo!"


async def test_an_empty_list_leaves_the_join_empty_and_says_so(home: House) -> None:
    drop(home.inbox, "bees.job", book(outline()))
    assert not await home.run()
    job = home.job("bees")
    assert job["state"] == "partial"
    assert job["cautions"] == ["chapters asked nothing: outline.chapters is an empty list"]
    assert (home.outbox / "bees" / "documents" / "book.md").read_text() == ""
    assert sent(home) == 1


async def test_a_list_that_the_budget_has_no_room_for_is_not_begun(home: House) -> None:
    files = book(outline(*(f"Chapter {number}" for number in range(500))))
    files["prompt.md"] = str(files["prompt.md"]).replace("budget: 5", "budget: 0.3").replace("2000", "30000")
    drop(home.inbox, "bees.job", files)
    assert not await home.run()
    assert sent(home) == 1
    reason = held(home)["reason"]
    assert "outline.chapters has 500 entries" in reason
    assert "the budget of the job is $0.30" in reason
    assert not (home.outbox / "bees" / "job.json").exists()
    await say(home, "release", "bees", "--up-to", "5")
    assert await home.run()
    assert home.job("bees")["requests"]["total"] == 501
    home.assert_nothing_twice()


@pytest.mark.parametrize("way", ["truncate at 5", "refuse", "fail api_error 99"])
async def test_a_chapter_that_is_not_complete_holds_the_book(home: House, way: str) -> None:
    titles = ("Hives", f"[sandbox: {way}]", "Winter")
    drop(home.inbox, "bees.job", book(outline(*titles), "Write:\n{{ title }}\n"))
    assert not await home.run()
    told = held(home)
    assert told["reason"] == "1 of 3 requests of chapters is not complete, and book is joined only after that"
    assert (told["retry"], told["release"]) == ("batchd retry bees", "batchd release bees")
    assert not (home.outbox / "bees" / "documents" / "book.md").exists()
    before = sent(home)
    await say(home, "retry", "bees")
    assert not await home.run()
    assert sent(home) == before + (1 if not way.startswith("fail") else 3), "only what failed was sent again"
    assert held(home)["reason"] == told["reason"]
    await say(home, "release", "bees")
    assert not await home.run()
    job = home.job("bees")
    assert (job["state"], job["requests"]["complete"], job["requests"]["total"]) == ("partial", 3, 4)
    texts = (home.outbox / "bees" / "documents" / "book.md").read_text().split("\n\n")
    assert texts
    assert not (home.outbox / "bees" / "held.json").exists()


@pytest.mark.parametrize("answer", ["[sandbox: truncate at 3]", "[sandbox: refuse]", "[sandbox: answer no JSON]"])
async def test_an_outline_that_is_wrong_holds_all_that_needs_it(home: House, answer: str) -> None:
    drop(home.inbox, "bees.job", book(f"Outline a book.\n{answer}"))
    assert not await home.run()
    assert held(home)["reason"] == "outline is not complete, and chapters is asked only after it"
    assert sent(home) == 1
    await say(home, "release", "bees")
    assert not await home.run()
    job = home.job("bees")
    assert job["state"] == "partial"
    assert job["cautions"] == ["chapters was not asked, since outline is not complete"]
    assert sent(home) == 1


async def test_a_job_that_waits_is_cancelled_as_any_other(home: House) -> None:
    drop(home.inbox, "bees.job", book("Outline a book.\n[sandbox: refuse]"))
    assert not await home.run()
    await say(home, "cancel", "bees")
    assert not await home.run()
    assert home.job("bees")["state"] == "cancelled"
    assert not (home.outbox / "bees" / "held.json").exists()


async def test_a_finished_book_is_joined_anew_after_a_retry(home: House) -> None:
    drop(home.inbox, "bees.job", book(outline("Hives", "[sandbox: refuse]"), "Write:\n{{ title }}\n"))
    assert not await home.run()
    await say(home, "release", "bees")
    assert not await home.run()
    before = (home.outbox / "bees" / "documents" / "book.md").read_text()
    await say(home, "retry", "bees", "--also", "refused", "--yes")
    assert not await home.run()
    assert home.job("bees")["state"] == "partial"
    assert (home.outbox / "bees" / "documents" / "book.md").read_text() == before
    assert sent(home) == 4


def put_right(home: House, custom_id: str, text: str) -> Path:
    """A file with a request as it should have been."""
    file = home.place / "right.jsonl"
    params = {"max_tokens": 2000, "messages": [{"role": "user", "content": text}]}
    file.write_text(json.dumps({"custom_id": custom_id, "params": params}) + "\n")
    return file


def text_of(home: House) -> str:
    return (home.outbox / "bees" / "documents" / "book.md").read_text()


ECHO = "[sandbox: answer Of {{ title }}.]"


async def test_a_chapter_of_a_finished_book_is_put_right_and_joined(home: House) -> None:
    chapter = "{% if title == 'Honey' %}[sandbox: refuse]{% else %}" + ECHO + "{% endif %}"
    drop(home.inbox, "bees.job", book(outline("Hives", "Honey", "Winter"), chapter))
    assert not await home.run()
    await say(home, "release", "bees")
    assert not await home.run()
    assert text_of(home) == "Of Hives.\n\nOf Winter."
    before = sent(home)
    await say(home, "amend", "bees", str(put_right(home, "chapters/2", "[sandbox: answer Sweet.]")))
    assert await home.run()
    assert text_of(home) == "Of Hives.\n\nSweet.\n\nOf Winter."
    assert sent(home) == before + 1
    job = home.job("bees")
    assert (job["state"], job["requests"]["complete"], job["requests"]["total"]) == ("done", 4, 4)
    assert [line["custom_id"] for line in home.lines("bees", "superseded.jsonl")] == ["chapters/2"]


async def test_an_outline_that_is_put_right_is_followed_by_its_chapters(home: House) -> None:
    drop(home.inbox, "bees.job", book("Outline a book.\n[sandbox: refuse]", ECHO))
    assert not await home.run()
    await say(home, "release", "bees")
    assert not await home.run()
    assert home.job("bees")["cautions"] == ["chapters was not asked, since outline is not complete"]
    await say(home, "amend", "bees", str(put_right(home, "outline", outline("Hives", "Honey"))))
    assert await home.run()
    assert text_of(home) == "Of Hives.\n\nOf Honey."
    job = home.job("bees")
    assert (job["state"], job["requests"]["total"], "cautions" in job) == ("done", 3, False)
    home.assert_nothing_twice()


async def test_what_is_no_request_of_a_step_is_not_added(home: House) -> None:
    drop(home.inbox, "bees.job", book(outline("Hives"), ECHO))
    assert await home.run()
    prompt = "---\namends: bees\nadd: true\n---\n"
    drop(home.inbox, "again.job", {"prompt.md": prompt, "r.jsonl": put_right(home, "note", "Why?").read_bytes()})
    assert not await home.run()
    told = json.loads((home.outbox / "rejected" / "again.job.errors.json").read_text())
    assert [each["message"] for each in told["errors"]] == [
        "bees has no request 'note'; its steps say what is asked, and nothing can be added"
    ]
    assert (home.job("bees")["state"], sent(home)) == ("done", 2)


async def test_a_held_book_is_ended_by_a_retry_and_an_amendment(home: House) -> None:
    titles = ("Hives", "[sandbox: fail api_error 3]", "[sandbox: refuse]")
    drop(home.inbox, "bees.job", book(outline(*titles), "Write:\n{{ title }}\n"))
    assert not await home.run()
    assert held(home)["reason"] == "2 of 3 requests of chapters are not complete, and book is joined only after that"
    before = sent(home)
    await say(home, "retry", "bees", "--only", "chapters/2")
    assert not await home.run()
    assert sent(home) == before + 1
    assert held(home)["reason"] == "1 of 3 requests of chapters is not complete, and book is joined only after that"
    await say(home, "amend", "bees", str(put_right(home, "chapters/3", "[sandbox: answer Sweet.]")))
    assert await home.run()
    assert text_of(home).endswith("\n\nSweet.")
    assert home.job("bees")["state"] == "done"
    assert not (home.outbox / "bees" / "held.json").exists()


async def test_a_restored_state_asks_no_chapter_twice_unless_a_person_says_so(home: House, tmp_path: Path) -> None:
    drop(home.inbox, "bees.job", book(outline("Hives", "Honey")))
    await run_until(home, (home.outbox / "bees" / "request").exists, batch__linger=1e9)
    shutil.copytree(home.state, tmp_path / "old", ignore=shutil.ignore_patterns("lock"))
    assert await home.run()
    before = home.accepted()
    shutil.rmtree(home.state)
    shutil.copytree(tmp_path / "old", home.state)
    with anyio.fail_after(NEVER):
        await serve(home.settings(), home.key, once=True, restored=True, clock=home.clock)
    assert home.accepted() == before
    assert "the state was restored" in held(home)["reason"]
    await say(home, "release", "bees")
    assert await home.run()
    assert home.job("bees")["requests"]["complete"] == 3
    assert len(home.accepted()) == len(before), "the outline was adopted, the chapters asked as before"


async def test_a_restored_state_that_knows_its_chapters_adopts_them(home: House, tmp_path: Path) -> None:
    drop(home.inbox, "bees.job", book(outline("Hives", "Honey"), ECHO))

    def begun() -> bool:
        if not (home.state / DATABASE).exists():
            return False
        with closing(sqlite3.connect(f"file:{home.state / DATABASE}?mode=ro", uri=True)) as database:
            return bool(database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'requests'").fetchone()) and (
                database.execute("SELECT count(*) FROM requests").fetchone() == (3,)
            )

    await run_until(home, begun)
    shutil.copytree(home.state, tmp_path / "old", ignore=shutil.ignore_patterns("lock"))
    assert await home.run()
    before, text = home.accepted(), text_of(home)
    shutil.rmtree(home.state)
    shutil.copytree(tmp_path / "old", home.state)
    with anyio.fail_after(NEVER):
        await serve(home.settings(), home.key, once=True, restored=True, clock=home.clock)
    assert home.accepted() == before
    assert (home.job("bees")["state"], text_of(home)) == ("done", text)


async def test_a_book_of_sixty_chapters_tells_how_far_it_is(home: House) -> None:
    titles = [f"Chapter {number}" for number in range(1, 61)]
    files = book(outline(*titles), "Write {{ title }}.\n[sandbox: answer # {{ title }}]")
    files["prompt.md"] = str(files["prompt.md"]).replace("max_tokens: 2000", "max_tokens: 9000")
    drop(home.inbox, "bees.job", files)

    def some() -> bool:
        return len(home.results("bees")) > 20 if (home.outbox / "bees" / "results.jsonl").exists() else False

    await run_until(home, some, batch__max_requests=25)
    told = await say(home, "status", "bees")
    assert "outline: 1 of 1 complete" in told
    assert "of 60 complete" in told
    assert "book: waiting, joins chapters" in told
    assert await home.run(batch__max_requests=25)
    text = (home.outbox / "bees" / "documents" / "book.md").read_text()
    assert text == "\n\n".join(f"# {title}" for title in titles)
    home.assert_nothing_twice()


async def test_long_chapters_are_continued(home: House) -> None:
    chapter = "Write {{ title }}.\n[sandbox: words 300] [sandbox: truncate at 500 rounds 1]"
    files = book(outline("Hives", "Honey"), chapter)
    files["prompt.md"] = str(files["prompt.md"]).replace("max_tokens: 400", "max_tokens: 900, continue: 2")
    drop(home.inbox, "bees.job", files)
    assert await home.run()
    report = {line["custom_id"]: line for line in home.lines("bees", "report.jsonl")}
    assert report["chapters/2"]["rounds"] == 2
    text = (home.outbox / "bees" / report["chapters/2"]["document"]).read_text()
    assert (home.outbox / "bees" / "documents" / "book.md").read_text().endswith(text.strip())


async def test_what_goes_along_is_kept_though_the_bundle_is_not(home: House) -> None:
    files = book(
        outline("Hives", "Honey"), "Of {{ title }}, see ![a map](map.png) and the notes.", **{"notes.txt": "NOTES"}
    )
    files["map.png"] = media.png(20, 9)
    files["prompt.md"] = str(files["prompt.md"]).replace(
        "each: outline.chapters", "each: outline.chapters, attach: [notes.txt]"
    )
    drop(home.inbox, "bees.job", files)
    assert await home.run(intake__keep_bundle=False)
    assert home.job("bees")["state"] == "done"
    with sqlite3.connect(home.state / DATABASE) as database:
        assert database.execute("SELECT count(*) FROM requests WHERE step = 1").fetchone() == (2,)


async def test_the_whole_is_reserved_with_the_first_request(home: House) -> None:
    """A day that has no room for the budget of the book lets not even its outline go."""
    drop(home.inbox, "bees.job", book(outline("Hives")))
    assert not await home.run(budget__per_day=4)
    assert sent(home) == 0
    assert "its steps may cost $5.00" in held(home)["reason"]
    home.jump(86_400.0)
    assert await home.run(budget__per_day=6)
