"""How long a text is to whoever reads its script."""

import time

import pytest
from batchd.claude.verdict import ToolCall
from batchd.decisions.document.expectation import Expectation
from batchd.decisions.document.expectation_check import examine
from batchd.text.length import characters, words

THAI = ["ภาษา", "ไทย", "เขียน", "โดย", "ไม่", "เว้น", "วรรค", "ระหว่าง", "คำ", "ที่", "อ่าน", "ได้"]
LAO = ["ພາສາ", "ລາວ", "ບໍ່", "ຍະ", "ຫວ່າງ", "ລະຫວ່າງ", "ຄຳ"]
KHMER = ["ភាសា", "ខ្មែរ", "សរសេរ", "ដោយ", "គ្មាន", "ចន្លោះ", "រវាង", "ពាក្យ", "ជា"]
BURMESE = ["မြန်မာ", "ဘာသာ", "စကား", "သည်", "ကောင်း", "ပါ", "တယ်"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", 0),
        ("It is so — and so.", 5),
        ("| a | b |\n|---|---|\n| - c | 4 |", 4),
        ("!!! *** ???", 0),
        ("Eine Straße, zwölf Häuser", 4),
        ("Это было давно", 3),
        ("كان يا ما كان", 4),
        ("एक था राजा", 3),
        ("산은 산이요 물은 물이로다.", 4),
        ("Đây là tiếng Việt", 4),
        ("春眠不觉晓,处处闻啼鸟。", 10),
        ("春眠不觉晓、\n处处闻啼鸟。", 10),
        ("古池や蛙飛びこむ水の音", 11),
        ("カタカナ・ﾊﾝｶｸ", 8),
        ("用Python 3编程。", 5),
        ("A“字”of two, 二 — b.", 6),
        ("བོད་སྐད་ཡིན།", 3),
        ("ሰላም፡ለዓለም", 2),
        ("ភាសា\u200bខ្មែរ", 5),
    ],
)
def test_counts_as_readers_of_the_script_do(text: str, found: int) -> None:
    assert words(text) == found


@pytest.mark.parametrize("vocabulary", [THAI, LAO, KHMER, BURMESE])
def test_a_text_that_only_a_dictionary_could_part_is_never_called_too_short_where_it_may_be_long_enough(
    vocabulary: list[str],
) -> None:
    text = "".join(vocabulary * 100)
    many = 100 * len(vocabulary)
    assert many <= words(text) <= 4 * many
    assert examine(text, Expectation(words=many)).met
    assert not examine(text, Expectation(words=5 * many)).met


def test_characters_are_counted_with_the_blanks_between_them() -> None:
    assert characters("\n a b\n") == 3
    assert examine("字" * 10, Expectation(characters=10)).met
    assert examine("字" * 9, Expectation(characters=10)).sentence == "expected at least 10 characters, found 9"


def test_a_call_has_no_words() -> None:
    assert examine("", Expectation(words=2), calls=[ToolCall("t", '{"a": "b c"}')]).unmet == ("words",)


def test_counts_millions_of_signs_in_no_time() -> None:
    started = time.process_time()
    for text in ("字" * 1_000_000, "ไทย" * 300_000, "word 字 " * 200_000):
        assert words(text)
    assert time.process_time() - started < 5
