"""Whether two titles are the same to a reader, and which of those asked for a document lacks."""

import pytest
from batchd.text.sections import MARKER
from batchd.text.titles import missing, plain, unnumbered


@pytest.mark.parametrize(
    "written",
    [
        "The Hive: a home",
        "**the hive** \u2013 A Home",
        "the  hive - a home.",
        "# The Hive — a home #",
        "_The Hive_\u00a0a `home`",
    ],
)
def test_what_models_change_makes_no_other_title(written: str) -> None:
    assert plain(written) == "the hive a home"


def test_kinds_of_quotes_and_wide_letters_are_one() -> None:
    assert plain("“Bees” aren\u2019t \uff57ide") == plain('"bees" aren\'t wide')


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("7. The queen", "the queen"),
        ("2.1 The queen", "the queen"),
        ("Chapter IV — The queen", "the queen"),
        ("Appendix B) The queen", "the queen"),
        ("Chapter 7", "chapter 7"),
        ("12", "12"),
        ("1984 revisited", "1984 revisited"),
        ("Sections of wax", "sections of wax"),
    ],
)
def test_the_number_in_front_goes_unless_it_is_all_there_is(written: str, bare: str) -> None:
    assert unnumbered(written) == bare


def test_a_mark_or_a_heading_of_any_level_serves_each_for_one_title_only() -> None:
    document = "[SECTION: Queens]\ntext\n### 2. Wax\ntext\n"
    assert missing(document, ["Queens", "Wax"], MARKER) == ()
    assert missing(document, ["Queens", "Wax", "wax"], MARKER) == ("wax",)
    assert missing(document, ["Honey", "Queens", "Drones"], MARKER) == ("Honey", "Drones")


def test_what_is_plainly_the_same_is_matched_before_what_is_the_same_but_for_its_number() -> None:
    document = "# 1. Scope\n# 2. Scope\n"
    assert missing(document, ["2. Scope", "Scope"], MARKER) == ()
    assert missing(document, ["2. Scope", "Scope", "3. Scope"], MARKER) == ("3. Scope",)
