from functools import partial

import pytest
from batchd.text.markdown import Fence, headings, open_fence
from batchd.text.sections import Section, file_name, split

from tests.support.effort import assert_linear

MARKED = """Preface.

[SECTION: Chapter 1 — Setup]
Text with [SECTION: inline] marks.

# A heading that is none of the sections

[SECTION: Chapter 2 — Use]
"""


def test_cuts_at_marks_alone_on_their_lines() -> None:
    found = split(MARKED)
    assert [(section.number, section.title) for section in found] == [
        (0, ""),
        (1, "Chapter 1 — Setup"),
        (2, "Chapter 2 — Use"),
    ]
    assert found[0].text == "Preface.\n\n"
    assert found[1].text.startswith("[SECTION: Chapter 1 — Setup]\nText")
    assert "".join(section.text for section in found) == MARKED


def test_leaves_out_an_empty_preamble() -> None:
    assert split("[SECTION: A]\nx") == (Section(1, "A", "[SECTION: A]\nx"),)
    assert split("") == ()
    assert split("No sections.") == (Section(0, "", "No sections."),)


@pytest.mark.parametrize(
    "line",
    ["[SECTION:A]", "[section:  A ]", "  [SECTION: A]\r", "## [SECTION: A]", "**[SECTION: A]**", "`[Section: A]`"],
)
def test_reads_marks_as_models_write_them(line: str) -> None:
    assert [section.title for section in split(f"{line}\ntext\n")] == ["A"]


def test_takes_any_marker() -> None:
    assert [section.title for section in split("=== A ===\nx\n=== B C ===", "=== {title} ===")] == ["A", "B C"]
    assert [section.title for section in split("§ A\nx\n§ B (1)*", "§ {title}")] == ["A", "B (1)"]


def test_cuts_at_the_headings_that_repeat_where_there_are_no_marks() -> None:
    found = split("# Book\n\nintro\n\n## One\n### x\n### y\n## Two ##\n```python\n## not one\n```\n## Three\n")
    assert [section.title for section in found] == ["", "One", "Two", "Three"]
    assert [section.title for section in split("# A\n## x\n# B\n")] == ["A", "B"]
    assert [section.number for section in split("# A\n## x\n")] == [0]


def test_marks_count_in_code_that_was_never_closed() -> None:
    assert [section.number for section in split("```\n[SECTION: A]\n[SECTION: B]")] == [0, 1, 2]


def test_headings_are_those_of_markdown() -> None:
    text = "#no\n# One\n   ## Two ##\n    # code\n#\n####### no\n### C# ###\n# F#\n\\# no\n"
    assert [(heading.level, heading.title) for heading in headings(text)] == [
        (1, "One"),
        (2, "Two"),
        (1, ""),
        (3, "C#"),
        (1, "F#"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\nx", Fence("```", "python", 0)),
        ("```\nx\n```\n", None),
        ("````\n```\n", Fence("````", "", 0)),
        ("```\n~~~\n", Fence("```", "", 0)),
        ("~~~\n~~~~  \n", None),
        ("- a\n\n      ```js\n", Fence("```", "js", 5)),
        ("```inline``` text\n", None),
        ("```\n```python\n", Fence("```", "", 0)),
    ],
)
def test_knows_which_fence_is_open(text: str, expected: Fence | None) -> None:
    assert open_fence(text) == expected


@pytest.mark.parametrize(
    ("number", "title", "total", "name"),
    [
        (7, "Authentication", 60, "07-authentication.md"),
        (7, "Chapter 7 — Über `OAuth`!", 120, "007-chapter-7-uber-oauth.md"),
        (0, "", 3, "00-preamble.md"),
        (3, "第三章", 9, "03-section.md"),
        (1, "../../etc/passwd", 1, "01-etc-passwd.md"),
        (1, "CON\x00\n", 1, "01-con.md"),
        (12, "x" * 500, 12, f"12-{'x' * 74}.md"),
        (12, f"{'x' * 73} y", 12, f"12-{'x' * 73}.md"),
    ],
)
def test_names_files_safely(number: int, title: str, total: int, name: str) -> None:
    assert file_name(number, title, total) == name
    assert len(name) <= 80


@pytest.mark.parametrize(
    "line", ["words and words", "# " + " " * 60, "[SECTION: x", "`" * 60, "[SECTION: [SECTION: [SECTION:", " " * 60]
)
@pytest.mark.parametrize("between", ["\n", ""])
def test_is_linear(line: str, between: str) -> None:
    text = (line + between) * 20_000
    assert "".join(section.text for section in split(text)) == text
    assert_linear(lambda lines: partial(split, (line + between) * lines), 1_500)
