"""A document that was cut and continued comes out equal, byte for byte, to the one that was not."""

import re
from pathlib import Path

from batchd.decisions.document import stitch
from batchd.text import sections
from batchd.text.markdown import open_fence
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]

CODE = "".join(
    f"def test_case_{number}(client: Client) -> None:\n"
    f"    response = client.get('/items/{number % 7}')\n"
    "    assert response.status_code == 200\n"
    "    assert response.status_code == 200\n\n\n"
    for number in range(40)
)
ROWS = (
    "| name | value |\n|---|---|\n" + "| the same row | again and again and again | 0 |\n" * 60 + "| the last | 1 |\n"
)
RULERS = "".join(f"{'=' * 80}\n{'-' * 40} {number} {'-' * 36}\n{'=' * 80}\n\n" for number in range(1, 30))
LOG = "".join(f"2026-11-22 INFO waiting for the server to come up, attempt {number // 9}\n" for number in range(90))
CHINESE = "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。\n" * 3 + "完" * 700
EMOJI = "".join(f"👩‍👩‍👧‍👦{number}🇩🇪🇫🇷👍🏽é" for number in range(300))
NESTED = "".join(
    f"- item {number}\n  1. inner one\n  2. inner two\n\n"
    f"     ```python\n     if x == {number}:\n         y = x\n     ```\n\n"
    for number in range(30)
)
PROSE = {path.stem: path.read_text() for path in sorted((ROOT / "tests" / "data" / "texts").glob("*.txt"))}
MARKDOWN = {name: (ROOT / "docs" / f"{name}.md").read_text() for name in ("internals", "settings")}
DOCUMENTS = {
    **PROSE,
    **MARKDOWN,
    "code": CODE,
    "rows": ROWS,
    "rulers": RULERS,
    "log": LOG,
    "chinese": CHINESE,
    "emoji": EMOJI,
    "windows": PROSE["alice"].replace("\n", "\r\n"),
    "nested": NESTED,
}
documents = st.sampled_from(sorted(DOCUMENTS))
telling = st.sampled_from(sorted([*PROSE, *MARKDOWN]))
"""Those that do not repeat themselves by the line."""
PREAMBLES = [
    "Continuing where I left off:\n\n",
    "Here is the continuation of the document:\n\n",
    "Sure! Continuing from where the text stopped:\n---\n\n",
    "I'll continue exactly where I left off.\n\n",
]

cuts = st.lists(st.integers(1, 99_999), min_size=1, max_size=3)


def places(document: str, cuts: list[int]) -> list[int]:
    """Where to cut, from the first to the last, in characters."""
    return sorted({1 + cut * (len(document) - 1) // 100_000 for cut in cuts})


@given(documents, cuts)
def test_what_continues_exactly_is_joined_byte_for_byte(name: str, cuts: list[int]) -> None:
    document = DOCUMENTS[name]
    text, since = "", 0
    for cut in [*places(document, cuts), len(document)]:
        before = stitch.kept(text, since=since)
        joined = stitch.join(before, document[len(before) : max(cut, len(before))], dropped=text[len(before) :])
        assert not joined.overlap
        text, since = joined.text, len(before)
    assert text == document


@given(documents, cuts)
def test_it_is_even_when_nobody_knows_what_was_dropped(name: str, cuts: list[int]) -> None:
    document = DOCUMENTS[name]
    for cut in places(document, cuts):
        before = stitch.kept(document[:cut])
        assert stitch.join(before, document[len(before) :]).text == document


@given(telling, st.integers(1, 99_999), st.integers(40, 500))
def test_what_is_said_again_at_the_seam_is_left_out(name: str, cut: int, again: int) -> None:
    document = DOCUMENTS[name]
    text = document[: max(200, places(document, [cut])[0])]
    before = stitch.kept(text)
    again = min(again, len(before))
    repeated = before[-again:]
    joined = stitch.join(before, repeated + document[len(before) :], dropped=text[len(before) :])
    if len(text) - len(before) >= 12 or not a_single_line(before, repeated):
        exact = (repeated + document[len(before) :]).startswith(text[len(before) :]) and not joined.restarted
        assert joined.text == (before + repeated + document[len(before) :] if exact else document)
        assert joined.overlap == (0 if exact else again)
    else:
        assert joined.text in {document, before + repeated + document[len(before) :]}


def a_single_line(before: str, repeated: str) -> bool:
    """One that may be repeated by right, or too few words to tell."""
    lines = {line.strip() for line in repeated.splitlines()} - {""}
    whole = before[: len(before) - len(repeated)].endswith("\n")
    return (whole and len(lines) < 2) or len(set(repeated.split())) < 5 or before.count(repeated) > 1


@given(telling, st.integers(1, 99_999), st.sampled_from(PREAMBLES), st.booleans())
def test_a_remark_before_the_continuation_is_left_out(name: str, cut: int, preamble: str, again: bool) -> None:  # noqa: FBT001
    document = DOCUMENTS[name]
    text = document[: max(400, places(document, [cut])[0])]
    before = stitch.kept(text)
    begin = len(before) - 200 if again else len(before)
    joined = stitch.join(before, preamble + document[begin:], dropped=text[len(before) :])
    assert joined.text == document
    assert joined.overlap == len(preamble) + len(before) - begin


@given(telling, st.integers(1, 99_999), st.integers(1, 99_999), st.sampled_from(["", *PREAMBLES]))
def test_a_document_begun_anew_adds_only_what_is_new(name: str, cut: int, ended: int, preamble: str) -> None:
    document = DOCUMENTS[name]
    text = document[: max(400, places(document, [cut])[0])]
    before = stitch.kept(text)
    dropped = text[len(before) :]
    again = document[: max(130, places(document, [ended])[0])]
    joined = stitch.join(before, preamble + again, dropped=dropped)
    assert joined.restarted
    if len(again) > len(before) and not again[len(before) :].isspace():
        assert joined.text == again
    else:
        assert joined.text == text
        assert not joined.appended


@given(st.sampled_from(["internals", "settings", "nested"]), st.integers(1, 99_999))
def test_a_code_block_that_is_opened_again_is_not_opened_twice(name: str, cut: int) -> None:
    document = DOCUMENTS[name]
    text = document[: places(document, [cut])[0]]
    before = stitch.kept(text)
    fence = open_fence(before)
    if fence is not None and fence.info and not text[len(before) :].startswith(fence.mark[0]):
        after = f"{fence.mark}{fence.info}\n" + document[len(before) :]
        assert stitch.join(before, after, dropped=text[len(before) :]).text == document


@given(st.text("ab\n |-`#.é👍", max_size=400), st.integers(0, 400))
def test_a_text_of_anything_is_cut_and_joined(document: str, cut: int) -> None:
    text = document[:cut]
    before = stitch.kept(text)
    assert text.startswith(before)
    assert bool(before.strip()) == bool(text.strip())
    assert len(text) - len(before) <= 2_000
    joined = stitch.join(before, document[len(before) :], dropped=text[len(before) :])
    assert joined.text == document or joined.text == text  # noqa: PLR1714  told apart by appended
    assert joined.appended == bool(document[len(before) :].strip())


@given(documents.map(DOCUMENTS.__getitem__) | st.text("ab \n#[SECTION:]`~", max_size=300))
def test_sections_joined_are_the_document(document: str) -> None:
    found = sections.split(document)
    assert "".join(section.text for section in found) == document
    names = [sections.file_name(section.number, section.title, len(found)) for section in found]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[0-9]{2,}-[a-z0-9-]+\.md", name) and len(name) <= 80 for name in names)
