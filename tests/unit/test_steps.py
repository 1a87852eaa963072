"""Steps of a bundle: what is wrong with them is told at the door, with file, line and field; and what is due next."""

import json
from typing import Any

import pytest
from batchd.decisions.bundle.steps.advance import Ask, Lacking, Pass, entries_of, next_of
from batchd.decisions.bundle.steps.joining import joined
from batchd.model import Answered, Caution, Entry, Problem, Step, Steps, Terms

from tests.support.bundles import said

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "chapters": {"type": "array", "items": {"$ref": "#/$defs/chapter"}},
        "tags": {"type": "array", "items": {"type": "string"}},
        "years": {"type": "array", "items": {"type": "integer"}},
    },
    "$defs": {"chapter": {"type": "object", "properties": {"title": {"type": "string"}, "points": {"type": "string"}}}},
}
STEPS = {
    "outline": "{prompt: outline.md, schema: form.json}",
    "chapters": "{prompt: chapter.md, each: outline.chapters, max_tokens: 900}",
    "book": "{join: chapters, write: book.md}",
}


def bundle(steps: dict[str, str] | None = None, above: str = "budget: 5", **files: str) -> dict[str, bytes | str]:
    told = "".join(f"  {name}: {each}\n" for name, each in (steps or STEPS).items())
    return {
        "prompt.md": f"---\nmodel: claude-haiku-4-5\n{above}\nsteps:\n{told}---\n",
        "outline.md": "Outline a book.",
        "chapter.md": "Write {{ title }} of {{ steps.outline.title }}.",
        "form.json": json.dumps(SCHEMA),
        **{name.replace("__", "."): text for name, text in files.items()},
    }


def problems(files: dict[str, bytes | str]) -> list[Problem]:
    return [each for each in said(files) if isinstance(each, Problem)]


def test_the_first_step_is_asked_and_the_others_are_kept() -> None:
    found = said(bundle())
    (terms,) = (each for each in found if isinstance(each, Terms))
    (entry,) = (each for each in found if isinstance(each, Entry))
    assert entry.custom_id == "outline"
    assert terms.steps is not None
    assert [step.name for step in terms.steps.steps] == ["outline", "chapters", "book"]
    assert terms.steps.steps[1].each == ("outline", "chapters")
    (later,) = terms.foreseen
    assert (later.step, later.counted) == ("chapters", False)
    assert not [each for each in found if isinstance(each, Problem | Caution)]


WRONG: list[tuple[dict[str, bytes | str], int, str, str]] = [
    (
        bundle({**STEPS, "chapters": "{prompt: none.md, each: outline.chapters}"}),
        6,
        "steps.chapters.prompt",
        "'none.md'",
    ),
    (bundle({**STEPS, "chapters": "{each: outline.chapters}"}), 6, "steps.chapters.prompt", "missing"),
    (
        bundle({**STEPS, "chapters": "{prompt: chapter.md, each: outlin.chapters}"}),
        6,
        "steps.chapters.each",
        "did you mean outline?",
    ),
    (
        bundle({**STEPS, "chapters": "{prompt: chapter.md, each: outline.chapter}"}),
        6,
        "steps.chapters.each",
        "lists are outline.chapters",
    ),
    (
        bundle({**STEPS, "chapters": "{prompt: chapter.md, each: outline.title}"}),
        6,
        "steps.chapters.each",
        "is no list",
    ),
    (
        bundle({**STEPS, "chapters": "{prompt: chapter.md, each: outline.years}"}),
        6,
        "steps.chapters.each",
        "must be texts, or objects",
    ),
    (bundle({**STEPS, "chapters": "{prompt: chapter.md, each: outline}"}), 6, "steps.chapters.each", "lists are"),
    (bundle({**STEPS, "chapters": "{prompt: chapter.md, each: chapters.x}"}), 6, "steps.chapters.each", "further down"),
    (
        bundle({"chapters": STEPS["chapters"], "outline": STEPS["outline"]}),
        5,
        "steps.chapters.each",
        "change their order",
    ),
    (bundle({**STEPS, "outline": "{prompt: outline.md}"}), 6, "steps.chapters.each", "has no schema"),
    (bundle({**STEPS, "outline": "{prompt: outline.md, schema: x.json}"}), 5, "steps.outline.schema", "'x.json'"),
    (
        bundle({**STEPS, "outline": "{prompt: outline.md, schema: {type: list}}"}),
        5,
        "steps.outline.schema.type",
        "object",
    ),
    (bundle({**STEPS, "book": "{join: chapter}"}), 7, "steps.book.join", "did you mean chapters?"),
    (bundle({**STEPS, "book": "{join: book}"}), 7, "steps.book.join", "further down"),
    (bundle({**STEPS, "book": "{join: chapters, write: ../book.md}"}), 7, "steps.book.write", "no folder"),
    (bundle({**STEPS, "book": "{join: chapters, write: /etc/passwd}"}), 7, "steps.book.write", "no folder"),
    (bundle({**STEPS, "book": "{join: chapters, write: outline.json}"}), 7, "steps.book.write", "another step"),
    (bundle({**STEPS, "book": "{join: chapters, write: .book.md}"}), 7, "steps.book.write", "no folder"),
    (bundle({**STEPS, "book": "{join: chapters, prompt: outline.md}"}), 7, "steps.book.prompt", "asks nothing"),
    (bundle({**STEPS, "book": "{write: book.md}"}), 7, "steps.book.write", "is for a join"),
    (bundle({**STEPS, "Book": "{join: chapters}"}), 8, "steps.Book", "a-z"),
    (
        bundle({**STEPS, "chapters": "{prompt: chapter.md, each: outline.chapters, max_token: 3}"}),
        6,
        "steps.chapters.max_token",
        "max_tokens",
    ),
    (
        bundle({**STEPS, "chapters": "{prompt: chapter.md, each: outline.chapters, max_tokens: 0}"}),
        6,
        "steps.chapters.max_tokens",
        "1",
    ),
    (
        bundle({**STEPS, "chapters": "{prompt: chapter.md, each: outline.chapters, budget: 3}"}),
        6,
        "steps.chapters.budget",
        "beside steps",
    ),
    (
        bundle({**STEPS, "chapters": "{prompt: chapter.md, each: outline.chapters, attach: [x.txt]}"}),
        6,
        "steps.chapters.attach[0]",
        "x.txt is no file",
    ),
    (bundle(above="lane: batch"), 1, "budget", "say budget"),
    (bundle(above="budget: 5\nrows: t.csv"), 4, "rows", "beside steps"),
    (bundle(above="budget: 5\ndocuments: false"), 4, "documents", "always documents"),
    (bundle(chapter__md="Write.\n\n{{ titel }}."), 3, "", "did you mean title?"),
    (bundle(chapter__md="Write {{ title }} {{ steps.outlin }}."), 1, "", "did you mean outline?"),
    (bundle(chapter__md="Write {{ title }} {{ steps.outline.years.x }}."), 1, "", "has no 'years.x'"),
    (bundle(chapter__md="Write {{ title }} {{ steps.book }}."), 1, "", "further down"),
    (bundle(chapter__md="Write {{ title }}\n{{ steps }}."), 2, "", "alone is no answer"),
    (bundle(chapter__md="Write {{ title }} {{ previous.x }}."), 1, "", "previous.text"),
    (bundle(outline__md="Write {{ previous.text }}."), 1, "", "needs each"),
    (bundle(outline__md="Write {{ title }}."), 1, "", "no each"),
    (bundle(chapter__md="Write {{ title.upper() }}."), 1, "", "not allowed"),
    (bundle(chapter__md="---\nmodel: x\n---\nWrite {{ title }}."), 1, "", "settings in front"),
    (bundle(chapter__md=" \n"), 1, "", "is empty"),
]


@pytest.mark.parametrize(
    ("files", "line", "field", "message"), WRONG, ids=[each[3] + str(n) for n, each in enumerate(WRONG)]
)
def test_what_is_wrong_is_told_with_its_line_and_field(
    files: dict[str, bytes | str], line: int, field: str, message: str
) -> None:
    found = problems(files)
    assert (line, field) in {(each.line, each.field) for each in found}, found
    assert message in next(each.message for each in found if (each.line, each.field) == (line, field))
    assert not [each for each in said(files) if isinstance(each, Entry)], "nothing is asked"


def test_every_error_of_every_step_is_told() -> None:
    files = bundle({**STEPS, "chapters": "{prompt: chapter.md, each: outline.x}", "book": "{join: none}"})
    assert {each.field for each in problems({**files, "outline.md": ""})} == {
        "",
        "steps.chapters.each",
        "steps.book.join",
    }


def test_a_step_that_nothing_uses_is_one_caution() -> None:
    steps = {"notes": "{prompt: outline.md}", **STEPS}
    cautions = [each for each in said(bundle(steps)) if isinstance(each, Caution)]
    assert [(each.line, each.field) for each in cautions] == [(5, "steps.notes")]
    assert "no step uses" in cautions[0].message


def test_a_name_with_a_hyphen_is_named_as_any_other() -> None:
    steps = {"out-line": STEPS["outline"], "chapters": STEPS["chapters"].replace("outline.", "out-line.")}
    assert not problems(bundle(steps, chapter__md="Write {{ title }} {{ steps.out-line.title }}; see steps.out-line."))


def test_without_a_list_no_budget_is_needed_and_all_is_counted() -> None:
    steps = {"draft": "{prompt: outline.md, max_tokens: 900}", "final": "{prompt: final.md, max_tokens: 900}"}
    found = said(bundle(steps, above="lane: batch", final__md="Mend this: {{ steps.draft }}"))
    (terms,) = (each for each in found if isinstance(each, Terms))
    assert terms.steps is not None
    first, second = terms.steps.steps
    assert (second.worst or 0) > (first.worst or 0), "the answer of the first is read"
    assert [each.counted for each in terms.foreseen] == [True]


PLAN = Steps(
    steps=(
        Step(name="outline"),
        Step(name="chapters", each=("outline", "chapters"), sees=("outline",)),
        Step(name="book", join=("chapters",)),
        Step(name="index", sees=("book", "outline")),
    )
)
WHOLE, HALF = Answered(2, 2), Answered(2, 1)


@pytest.mark.parametrize(
    ("at", "standing", "passed", "expected"),
    [
        (1, {0: Answered(1, 1)}, 0, Ask(1, 0)),
        (1, {0: Answered(1, 1), 1: Answered(500, 500)}, 0, Ask(1, 500)),
        (2, {0: Answered(1, 1), 1: WHOLE}, 0, Pass(2)),
        (2, {0: Answered(1, 1), 1: HALF}, 2, Pass(2)),
        (1, {0: Answered(1, 0)}, 1, Pass(1, "chapters was not asked, since outline is not complete")),
        (3, {0: Answered(1, 1), 1: HALF}, 2, Ask(3, 0)),
        (3, {0: Answered(1, 1), 1: WHOLE, 3: Answered(1, 1)}, 0, Pass(3)),
        (3, {0: Answered(1, 0), 1: WHOLE}, 0, Lacking(3, "outline is not complete, and index is asked only after it")),
        (
            2,
            {0: Answered(1, 1), 1: HALF},
            1,
            Lacking(2, "1 of 2 requests of chapters is not complete, and book is joined only after that"),
        ),
    ],
)
def test_what_is_due_follows_from_what_was_answered(
    at: int, standing: dict[int, Answered], passed: int, expected: Ask | Pass | Lacking
) -> None:
    assert next_of(PLAN, at, standing, passed) == expected


def test_one_after_the_other_waits_for_the_one_before() -> None:
    steps = Steps(steps=(Step(name="list"), Step(name="parts", each=("list", "parts"), previous=True)))
    assert next_of(steps, 1, {0: Answered(1, 1), 1: WHOLE}, 0) == Ask(1, 2)
    assert isinstance(next_of(steps, 1, {0: Answered(1, 1), 1: HALF}, 1), Lacking)
    assert next_of(steps, 1, {0: Answered(1, 1), 1: HALF}, 2) == Ask(1, 2)


def test_a_list_lies_where_each_says() -> None:
    step = Step(name="chapters", each=("outline", "book", "chapters"))
    assert entries_of(step, {"book": {"chapters": [1, 2]}}) == [1, 2]
    assert entries_of(step, {"book": {"chapters": "none"}}) is None
    assert entries_of(step, "a text") is None


def test_texts_are_joined_by_one_blank_line() -> None:
    assert "".join(joined(["\nOne.\n\n", "", "Two.\n", "Three."])) == "One.\n\nTwo.\n\nThree."
