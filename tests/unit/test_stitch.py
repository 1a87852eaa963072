"""The cases of a seam that have names; `properties/test_stitch_properties.py` has those that do not."""

from collections.abc import Callable

import pytest
from batchd.decisions.document.stitch import Joined, join, kept

from tests.support.effort import assert_linear

BOOK = """# The Manual

This manual tells how the machine is set up, how it is used, and how it is taken apart again when it is old.

## Setting up

1. Open the box and take out the parts, one after the other.
2. Put the parts on a clean table, in the order of their numbers.
3. Screw the foot to the column with the longest of the screws.

## Using

The machine is used by two people, of whom one turns the handle and the other one watches the needle.
"""
STEP = BOOK.index("3. Screw")
FILLER = "\n".join(f"Line {number} of {number * 7} lines." for number in range(200)) + "\n"


# What is kept


@pytest.mark.parametrize(
    ("text", "since", "expected"),
    [
        ("a\nb\n", 0, "a\nb\n"),
        ("a long line\nand ano", 0, "a long line\nand "),
        ("Some lines are long.\nothers", 20, "Some lines are long.\nothers"),
        (FILLER + "an unfinished li", 0, FILLER),
        (FILLER + "x" * 900, 0, FILLER),
        (FILLER + "word " * 500, 0, FILLER + "word " * 500),
        (FILLER * 3 + "One end. Two" + " word" * 390 + " wo", 0, FILLER * 3),
        (FILLER * 3 + "y" * 3_000 + " One end. The next sen", 0, FILLER * 3 + "y" * 3_000 + " One end. "),
        (FILLER * 3 + "y" * 3_000 + " “An end.”  The next sen", 0, FILLER * 3 + "y" * 3_000 + " “An end.”  "),
        (FILLER * 3 + "文" * 3_000 + "。文文", 0, FILLER * 3 + "文" * 3_000 + "。"),
        (FILLER * 3 + "y" * 3_000 + " no end and", 0, FILLER * 3 + "y" * 3_000 + " no end "),
        ("word", 0, "word"),
        ("\n\nword", 0, "\n\nword"),
        ("", 0, ""),
    ],
)
def test_keeps_whole_lines_else_sentences_else_words(text: str, since: int, expected: str) -> None:
    assert kept(text, since=since) == expected


@pytest.mark.parametrize(
    ("end", "left"),
    [
        ("\ufffd", ""),
        ("x\ufffd\ufffd", "x"),
        ("👩\u200d", ""),
        ("👩\u200d👩\u200d👧", ""),
        ("🙂👍🏽", "🙂"),
        ("❤\ufe0f", ""),
        ("e\u0301", ""),
        ("1\ufe0f\u20e3", ""),
        ("🇩🇪🇫", ""),
        ("é", "é"),
    ],
)
def test_never_cuts_within_a_character(end: str, left: str) -> None:
    assert kept("x" * 100 + end) == "x" * 100 + left


def test_leaves_no_half_of_a_surrogate_pair() -> None:
    assert kept("x" * 100 + chr(0xD83D)) == "x" * 100


def test_throws_away_no_more_than_a_quarter_of_a_round() -> None:
    line = "word " * 200
    text = FILLER + line
    since = len(text) - 100
    assert len(text) - len(kept(text + "wo", since=since)) <= 25


# How it is joined


def test_what_continues_exactly_is_not_touched() -> None:
    for cut in range(len(BOOK)):
        before = kept(BOOK[:cut])
        assert join(before, BOOK[len(before) :], dropped=BOOK[len(before) : cut]).text == BOOK
        assert join(before, BOOK[len(before) :]).text == BOOK


def test_says_what_it_left_out() -> None:
    line = "2. Put the parts on a clean table, in the order of their numbers.\n"
    joined = join(BOOK[:STEP], line + BOOK[STEP:], dropped="3. Sc")
    assert joined == Joined(BOOK, overlap=len(line))


def test_a_single_line_is_a_repetition_only_if_what_was_dropped_says_so() -> None:
    row = "| 2026-11-22 | nothing to report | 0 |\n"
    table = "| day | what | count |\n|---|---|---|\n" + row
    assert join(table, row + "| 2026-11-23 | a fire | 1 |\n", dropped="| 2026-11-23").text.count(row) == 1
    assert join(table, row + "| 2026-11-23 | a fire | 1 |\n", dropped="| 2026-11-22").text.count(row) == 2
    assert join(table, row + "| 2026-11-23 | a fire | 1 |\n").text.count(row) == 2


def test_lines_are_a_repetition_only_where_the_new_part_is_not_the_exact_continuation() -> None:
    two = BOOK[BOOK.index("1. Open") : STEP]
    assert join(BOOK[:STEP], two + BOOK[STEP:], dropped="3. Screw").text == BOOK
    assert join(BOOK[:STEP], two + BOOK[STEP:], dropped="3.").text == BOOK
    assert join(BOOK[:STEP], "Continuing where I left off:\n" + two + BOOK[STEP:]).text == BOOK
    assert join(BOOK[:STEP], two + BOOK[STEP:]).text == BOOK[:STEP] + two + BOOK[STEP:]
    assert join(BOOK[:STEP], two + BOOK[STEP:], dropped="1. O").text == BOOK[:STEP] + two + BOOK[STEP:]


def test_a_text_that_repeats_itself_is_left_alone() -> None:
    for stretch in ("=" * 80 + "\n", "ab\ncd\n", "x = compute(one, two, three)\ny = compute(three, two, one)\n"):
        text = stretch * 50
        for times in (2, 10, 48):
            before = stretch * times
            assert join(before, text[len(before) :]).text == text


def test_a_long_overlap_is_found_by_its_beginning() -> None:
    text = "".join(f"Paragraph {number} says something of its own, {number * number}.\n\n" for number in range(2_000))
    cut = text.index("Paragraph 1500")
    begin = text.index("Paragraph 1200")
    assert join(text[:cut], text[begin:]).text == text


@pytest.mark.parametrize(
    "remark",
    [
        "Continuing where I left off:\n\n",
        "Continuing from where I left off:\n",
        "Sure! Here is the continuation:\n\n---\n\n",
        "Here's the rest of the manual…\n\n",
        "Certainly, I'll continue exactly where the text stopped.\n\n",
        "Picking up where we were:\n",
        "\n\nLet me continue with the document:\n\n",
    ],
)
@pytest.mark.parametrize("again", [0, 60])
def test_a_remark_of_the_model_is_left_out(remark: str, again: int) -> None:
    assert join(BOOK[:STEP], remark + BOOK[STEP - again :], dropped="3. Screw the foot").text == BOOK
    if remark.endswith("\n\n") or again:
        assert join(BOOK[:STEP], remark + BOOK[STEP - again :]).text == BOOK
    else:
        assert join(BOOK[:STEP], remark + BOOK[STEP:]).text == BOOK[:STEP] + remark + BOOK[STEP:]


@pytest.mark.parametrize(
    "line",
    [
        "Continuing education requires three things:\n",
        "Continued growth depends on the following:\n",
        "Here is what is needed:\n",
        "Complete the whole form:\n",
        "“I'll continue,” he said.\n",
        "The rest of the day was quiet.\n",
    ],
)
def test_a_line_of_the_document_is_no_remark(line: str) -> None:
    after = line + "\nAnd so on.\n"
    assert join(BOOK, after).text == BOOK + after
    assert join(BOOK, after, dropped="Something else").text == BOOK + after


def test_a_restart_that_runs_past_the_seam_adds_what_is_new() -> None:
    assert join(BOOK[:STEP], BOOK) == Joined(BOOK, overlap=STEP, restarted=True)
    told_otherwise = BOOK.replace("Open the box and take", "Take")
    assert join(BOOK[:STEP], told_otherwise).text == BOOK
    joined = join(BOOK[:STEP], "Here is the complete document:\n\n" + BOOK)
    assert joined.text == BOOK
    assert joined.restarted


def test_a_restart_that_does_not_reach_the_seam_adds_nothing() -> None:
    for again in (BOOK[: STEP - 100], BOOK[: STEP - 100] + "\n"):
        joined = join(BOOK[:STEP], again, dropped="3. Sc")
        assert joined == Joined(BOOK[:STEP] + "3. Sc", len(again), restarted=True, appended=False)


def test_a_document_told_anew_in_other_words_takes_the_place_of_one_that_is_not_longer() -> None:
    told = BOOK[:STEP] + FILLER
    anew = BOOK[:STEP] + FILLER.replace("3 of", "3 among").replace("9 of", "9 among")
    dropped = "Line 200 of 14"
    joined = join(told, anew + "The end.\n", dropped=dropped)
    assert joined == Joined(anew + "The end.\n", restarted=True)
    joined = join(told, "Here is the complete document:\n\n" + anew + "The end.\n", dropped=dropped)
    assert (joined.text, joined.restarted) == (anew + "The end.\n", True)
    shorter = anew[:2_000]
    assert join(told, shorter, dropped=dropped) == Joined(told + dropped, len(shorter), restarted=True, appended=False)


CHINESE = (
    "渡轮手册\n\n本手册说明渡轮何时启航、如何停靠、由谁掌舵，以及天气不好时应当怎么办。\n"  # noqa: RUF001  as it is written
    "第一章讲码头：码头有三座，北边的最老，南边的最新，中间的一座只在夏天使用。\n"  # noqa: RUF001  the same
    "第二章讲船员：每船四人，船长一名，轮机一名，水手两名，轮流值班，不得离岗。\n"  # noqa: RUF001  the same
    "每天清晨开船以前，先看水位，再看风向，然后才可以解缆；傍晚收船以后，要把当天的事一一记下。\n"  # noqa: RUF001  the same
)


def test_a_document_without_blanks_is_told_anew_as_any_other() -> None:
    told = CHINESE + "第三章讲票价：成人十元，"  # noqa: RUF001  as it is written
    whole = told + "儿童五元。\n"
    assert join(CHINESE, whole, dropped=told[len(CHINESE) :]) == Joined(whole, len(CHINESE), restarted=True)
    assert join(CHINESE, CHINESE[-45:] + whole[len(CHINESE) :], dropped="第四章").text == whole


def test_where_only_the_beginning_is_the_same_both_stand() -> None:
    other = BOOK[:130] + " but now in quite other words, and never the same.\n" * 9
    joined = join(BOOK[:STEP], other, dropped="3. Sc")
    assert joined == Joined(BOOK[:STEP] + "3. Sc\n\n" + other, doubtful=True)
    assert join(BOOK[:STEP], other) == Joined(BOOK[:STEP] + other, doubtful=True)
    titled = "# The Manual\n\nA machine is what we speak of.\n"
    joined = join(BOOK[:STEP], titled, dropped="3. Sc")
    assert joined == Joined(BOOK[:STEP] + "3. Sc\n\n" + titled, doubtful=True)


@pytest.mark.parametrize("after", ["", "\n", "  \n\n"])
def test_an_answer_without_text_adds_nothing(after: str) -> None:
    joined = join(BOOK[:STEP], after, dropped="3. Sc")
    assert joined.text == BOOK[:STEP] + "3. Sc"
    assert not joined.appended


def test_a_code_block_is_not_opened_again() -> None:
    before = "Text.\n\n```python\ndef f():\n    x = 1\n"
    rest = "    return x\n```\n\nMore.\n"
    assert join(before, "```python\n" + rest).text == before + rest
    assert join(before, "Continuing where I left off:\n\n```python\n" + rest).text == before + rest
    assert join(before, "```\n\nMore.\n").text == before + "```\n\nMore.\n"
    closed = before + rest
    assert join(closed, "```python\ny = 2\n```\n").text == closed + "```python\ny = 2\n```\n"
    longer = before.replace("```", "````")
    assert join(longer, "```python\n" + rest).text == longer + "```python\n" + rest


def test_blanks_are_put_right_where_the_dropped_words_tell() -> None:
    table = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert join(table, "\n| 3 | 4 |\n", dropped="| 3").text == table + "| 3 | 4 |\n"
    assert join(table, "\nText.\n", dropped="| 3").text == table + "\nText.\n"
    nested = "- one\n  - two\n"
    assert join(nested, "- three, of\n", dropped="  - three").text == nested + "  - three, of\n"
    sentence = "It was so. "
    assert join(sentence, " And then", dropped="An").text == "It was so. And then"
    assert join(sentence, "And then", dropped="An").text == "It was so. And then"
    assert join(sentence, "\n\nAnd then", dropped="An").text == "It was so. And then"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("The end.", "[SECTION: More]\n", "The end.\n\n[SECTION: More]\n"),
        ("The end.", "\n\n[SECTION: More]\n", "The end.\n\n[SECTION: More]\n"),
        ("The end.\n", "## More\n", "The end.\n\n## More\n"),
        ("The end.\n\n", "## More\n", "The end.\n\n## More\n"),
        ("- one", "- two\n", "- one\n- two\n"),
        ("```\ncode", "more\n", "```\ncode\nmore\n"),
    ],
)
def test_what_is_added_to_an_ended_text_begins_a_line(before: str, after: str, expected: str) -> None:
    assert join(before, after, ended=True).text == expected


@pytest.mark.parametrize(
    "document",
    [
        "a" * 2_400_000,
        "ab\n" * 800_000,
        "| the same | row |\n" * 126_000,
        "```python\n" * 240_000,
        " " * 2_400_000,
        "\n" * 2_400_000,
        "".join(f"Paragraph {number} of many, each of them somewhat different.\n" for number in range(40_000)),
    ],
    ids=["letters", "lines", "rows", "fences", "blanks", "newlines", "prose"],
)
def test_is_linear(document: str) -> None:
    def joining(size: int) -> Callable[[], None]:
        return lambda: join_in_every_way(document[:size])

    assert_linear(joining, len(document) // 16)


def join_in_every_way(document: str) -> None:
    cut = len(document) // 2 + 1
    before = kept(document[:cut])
    dropped = document[len(before) : cut]
    assert join(before, document[len(before) :], dropped=dropped).text == document
    join(before, before[-9_000:] + document[len(before) :], dropped=dropped)
    join(before, document, dropped=dropped)
    join(before, document)
