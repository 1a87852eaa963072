from functools import partial

import pytest
from batchd.decisions.document.expectation import Expectation, expectation_of
from batchd.decisions.document.expectation_check import Findings, examine, thinking_ate_it
from batchd.text.strictjson import Flaw, Json

from tests.support.effort import assert_linear

BOOK = [f"Chapter {number} — Part {'I' * (number % 3 + 1)} of {number}" for number in range(1, 61)]


def expected(**setting: Json) -> Expectation:
    found = expectation_of(setting)
    assert isinstance(found, Expectation), found
    return found


def flaws(setting: Json) -> list[tuple[str, str]]:
    found = expectation_of(setting, "job.expect")
    assert isinstance(found, tuple)
    return [(flaw.field, flaw.message) for flaw in found]


# What may be expected


def test_reads_everything_that_can_be_expected() -> None:
    assert expected(
        words=2_000,
        tokens=3_000,
        sections=["Scope", "Terms"],
        marker="=== {title} ===",
        ends_with="END",
        closed=True,
    ) == Expectation(2_000, 3_000, ("Scope", "Terms"), None, "=== {title} ===", "END", closed=True)
    assert expected(characters=900) == Expectation(characters=900)
    assert expected(sections=12) == Expectation(count=12)
    assert expected(json=True).json
    assert not expected(json=False).json
    form = expected(json={"type": "object", "required": ["name"]})
    assert form.json
    assert form.form == {"type": "object", "required": ["name"]}


@pytest.mark.parametrize(
    ("setting", "field", "said"),
    [
        (None, "job.expect", "must be an object"),
        ({}, "job.expect", "must be an object"),
        (
            {"word": 1},
            "job.expect.word",
            "known are words, characters, tokens, sections, marker, ends_with, json, closed",
        ),
        ({"words": 0}, "job.expect.words", "whole number of at least 1"),
        ({"words": True}, "job.expect.words", "whole number of at least 1"),
        ({"characters": 0}, "job.expect.characters", "whole number of at least 1"),
        ({"tokens": 1.5}, "job.expect.tokens", "whole number of at least 1"),
        ({"sections": []}, "job.expect.sections", "at least one title"),
        ({"sections": True}, "job.expect.sections", "a list of titles, or how many"),
        ({"sections": 0}, "job.expect.sections", "at least 1"),
        ({"sections": ["a", " "]}, "job.expect.sections[1]", "not empty"),
        ({"sections": ["a\nb"]}, "job.expect.sections[0]", "one line"),
        ({"sections": ["a"] * 2_001}, "job.expect.sections", "at most 2,000"),
        ({"sections": 1, "marker": "[X]"}, "job.expect.marker", "{title} in it"),
        ({"sections": 1, "marker": "{title}"}, "job.expect.marker", "something before"),
        ({"marker": "[X: {title}]"}, "job.expect.marker", "say in sections which are expected"),
        ({"ends_with": " "}, "job.expect.ends_with", "not empty"),
        ({"closed": 1}, "job.expect.closed", "true or false"),
        ({"json": "yes"}, "job.expect.json", "true or false, or the form"),
        ({"json": {"requird": []}}, "job.expect.json.requird", "not checked here"),
        ({"json": {"type": "text"}}, "job.expect.json.type", "must be one of object, array"),
        ({"json": {"required": "name"}}, "job.expect.json.required", "a list of keys"),
        ({"json": {"properties": {"a": {"items": 1}}}}, "job.expect.json.properties.a.items", "must be an object"),
        ({"json": {"properties": []}}, "job.expect.json.properties", "must be an object"),
        ({"json": {"enum": []}}, "job.expect.json.enum", "at least one value"),
        ({"json": {"minItems": -1}}, "job.expect.json.minItems", "at least 0"),
    ],
)
def test_refuses_what_cannot_be_expected_and_says_where(setting: Json, field: str, said: str) -> None:
    (found,) = flaws(setting)
    assert found[0] == field
    assert said in found[1]


def test_tells_all_that_is_wrong() -> None:
    assert expectation_of({"words": -1, "closed": None}) == (
        Flaw("expect.words", "must be a whole number of at least 1"),
        Flaw("expect.closed", "must be true or false"),
    )


# What is found


def test_nothing_expected_is_always_met() -> None:
    assert examine("", Expectation()) == Findings()
    assert examine("", Expectation()).met


def test_counts_words_and_tokens() -> None:
    assert examine("one two three", expected(words=3)).met
    assert examine("one two three", expected(words=4)).sentence == "expected at least 4 words, found 3"
    assert examine("…", expected(tokens=300_000), 85_000).sentence == "expected at least 300,000 tokens, found 85,000"
    assert examine("…", expected(tokens=300_000), 300_000).met
    assert examine("…", expected(tokens=300_000)).met


def test_names_the_sections_that_are_missing() -> None:
    document = "\n\n".join(f"[SECTION: {title}]\nText." for title in BOOK[:41])
    found = examine(document, expected(sections=BOOK))
    assert found.missing == tuple(BOOK[41:])
    assert found.unmet == ("sections",)
    assert found.sentence == f"expected 60 sections, found 41; missing: {BOOK[41]}, and 18 more"
    assert examine(document, expected(sections=BOOK[:41])).met


def test_one_sentence_tells_all() -> None:
    found = examine("[SECTION: A]\nonly (this", expected(words=10, sections=["A", "B"], ends_with="END", closed=True))
    assert found.unmet == ("words", "sections", "ends_with", "closed")
    assert found.sentence == (
        "expected at least 10 words, found 4; expected 2 sections, found 1; missing: B; "
        'expected to end with "END", which it does not; '
        "expected all brackets to be closed; 1 left open, the last one ("
    )


@pytest.mark.parametrize(
    "written",
    [
        "[SECTION: Chapter 5 — Authentication]",
        "[section:chapter 5 - authentication]",
        "**[SECTION: Chapter 5 – Authentication]**",  # noqa: RUF001  that dash is the point
        "## [SECTION: Chapter 5 — Authentication]",
        "# Chapter 5 — Authentication",
        "### Chapter 5: Authentication",
        "## **Chapter 5**  —  *Authentication* ##",
        "## 5. Authentication",
        "## 5 Authentication",
        "## 1.5 Authentication",
        "## Authentication",
        "#### Section V. Authentication",
    ],
)
def test_a_title_is_found_however_it_is_written(written: str) -> None:
    assert examine(f"Before.\n\n{written}\n\nAfter.", expected(sections=["Chapter 5 — Authentication"])).met


@pytest.mark.parametrize(
    "written",
    ["Chapter 5 — Authentication", "## Chapter 5 — Authorization", "```\n## Authentication\n```", "## Chapter 5", ""],
)
def test_another_title_is_not_taken_for_it(written: str) -> None:
    assert examine(f"Before.\n\n{written}\n\nAfter.", expected(sections=["Chapter 5 — Authentication"])).missing


def test_titles_that_are_alike_need_a_place_each() -> None:
    wanted = expected(sections=["1. Summary", "2. Details", "3. Summary"])
    assert examine("## Summary\n## Details\n", wanted).missing == ("3. Summary",)
    assert examine("## Summary\n## Details\n## Summary\n", wanted).met
    assert examine("## 3. Summary\n## 2. Details\n", wanted).missing == ("1. Summary",)
    chapters = expected(sections=["Chapter 1", "Chapter 2"])
    assert examine("# Chapter 2\n# Chapter 3\n", chapters).missing == ("Chapter 1",)


def test_counts_sections_by_marks_or_headings() -> None:
    assert examine("[SECTION: A]\n[SECTION: B]\n# T", expected(sections=2)).met
    assert examine("# T\n## A\n## B\n## C\n", expected(sections=3)).met
    assert examine("# T\n## A\n", expected(sections=2)).sentence == "expected 2 sections, found 0"
    assert examine("=== A ===\n=== B ===\n", expected(sections=2, marker="=== {title} ===")).met


def test_what_it_ends_with_may_be_followed_by_blanks() -> None:
    assert examine("The end.\n\n", expected(ends_with="The end.\n")).met
    assert not examine("The end. Or not", expected(ends_with="The end.")).met


@pytest.mark.parametrize("document", ['{"a": [1]}', '\n [1, "x"]\n', "```json\n{}\n```\n", "~~~\n1\n~~~"])
def test_json_parses(document: str) -> None:
    assert examine(document, expected(json=True)).met


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "expected JSON, which it is not from line 1 on (Expecting value)"),
        ('{"a":\n [1,', "expected JSON, which it is not from line 2 on"),
        ("{} and more", "expected JSON alone, found 9 characters behind it"),
        ('{"a": 1, "a": 2}', "expected JSON, which it is not quite: a: this key appears twice"),
        ("[" * 100_000, "deeper than"),
    ],
)
def test_what_is_no_json_is_told(document: str, said: str) -> None:
    assert said in examine(document, expected(json=True)).sentence


def test_json_has_no_keys_but_those_asked_for_where_that_is_said() -> None:
    form: dict[str, Json] = {"properties": {"a": {"type": "string"}}, "additionalProperties": False}
    assert examine('{"a": "x"}', expected(json=form)).met
    assert "b is not asked for" in examine('{"a": "x", "b": 1}', expected(json=form)).sentence
    form["additionalProperties"] = {"type": "integer"}
    assert examine('{"b": 1}', expected(json=form)).met
    assert "b is not of the type integer" in examine('{"b": "x"}', expected(json=form)).sentence
    assert examine('{"b": 1}', expected(json={"additionalProperties": True})).met
    assert flaws({"json": {"additionalProperties": 1}})[0][0] == "job.expect.json.additionalProperties"
    assert flaws({"json": {"additionalProperties": {"kind": 1}}})[0][0] == "job.expect.json.additionalProperties.kind"


def test_json_has_the_form_asked_for() -> None:
    form = {
        "type": "object",
        "required": ["name", "tags"],
        "properties": {
            "name": {"type": "string", "minLength": 2},
            "kind": {"enum": ["a", 1, None]},
            "tags": {"type": ["array", "null"], "minItems": 1, "items": {"type": "integer"}},
        },
    }
    assert examine('{"name": "ab", "tags": [1, 2.0], "kind": null, "more": {}}', expected(json=form)).met
    found = examine('{"name": "a", "tags": [true, 1.5], "kind": true}', expected(json=form)).sentence
    assert found == (
        "expected JSON of the form asked for, but name has 1 characters of at least 2, "
        "kind is none of the values asked for, tags[0] is not of the type integer, and more"
    )
    assert "name is missing" in examine("{}", expected(json=form)).sentence
    assert "the whole is not of the type object" in examine("[]", expected(json=form)).sentence


@pytest.mark.parametrize(
    "document",
    [
        "a) first\nb) second :)",
        "A sad face :(\n\nand another paragraph.",
        "```python\nx = (\n```\n",
        "````markdown\n```\nnot closed within\n````\n",
        "in `f(` code",
        "f(a[1], {b: (c)})",
    ],
)
def test_closed_texts_are(document: str) -> None:
    assert examine(document, expected(closed=True)).met


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("Text.\n\n```python\nx = 1\n", "the one opened in line 3 is not"),
        ("Text.\n\nIt ends (in the midst", "1 left open, the last one ("),
        ("{\n  a: [1],\n\n  b", "1 left open, the last one {"),
    ],
)
def test_open_texts_are_told(document: str, said: str) -> None:
    assert said in examine(document, expected(closed=True)).sentence


# Thinking


def test_thinking_that_ate_the_budget_is_told() -> None:
    assert thinking_ate_it("", stop_reason="max_tokens", output_tokens=64_000, max_tokens=64_000) == (
        "thinking took about 64,000 of the 64,000 tokens that max_tokens allowed, and no text was written"
    )
    told = thinking_ate_it(
        "x" * 4_000, stop_reason="max_tokens", output_tokens=64_000, max_tokens=64_000, thinking_tokens=63_000
    )
    assert told == (
        "thinking took 63,000 of the 64,000 tokens that max_tokens allowed, and the text was cut after 4,000 characters"
    )


@pytest.mark.parametrize(
    ("text", "stop_reason", "thinking"),
    [("x" * 256_000, "max_tokens", None), ("", "end_turn", None), ("", "refusal", None), ("x" * 9, "max_tokens", 999)],
)
def test_thinking_is_not_blamed_for_what_it_did_not_do(text: str, stop_reason: str, thinking: int | None) -> None:
    assert not thinking_ate_it(
        text, stop_reason=stop_reason, output_tokens=64_000, max_tokens=64_000, thinking_tokens=thinking
    )


def test_examining_a_long_document_takes_no_longer_than_its_length_asks() -> None:
    wanted = expected(words=100_000, sections=BOOK, closed=True)

    def document(repeats: int) -> str:
        return "".join(f"[SECTION: {title}]\n\n{'Words and (more) words. ' * repeats}\n\n" for title in BOOK)

    assert examine(document(830), wanted).met
    assert_linear(lambda repeats: partial(examine, document(repeats), wanted), 50)
