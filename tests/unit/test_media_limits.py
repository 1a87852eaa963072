"""What pictures and PDFs a request takes: the limits, and what is said beyond them."""

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.claude.media_limits import MOST_PICTURE_BASE64, MOST_PICTURE_BYTES, Medium, too_many, wrong_picture

LARGE = Catalogue().find("claude-sonnet-5-5")
SMALL = Catalogue().find("claude-haiku-4-5")


def pictures(count: int, side: int) -> list[Medium]:
    return [Medium(f"{n}.png", (side, 10)) for n in range(count)]


def said(media: list[Medium], facts: object = LARGE) -> list[str]:
    assert facts in (LARGE, SMALL)
    found = LARGE if facts is LARGE else SMALL
    return [f"{flaw.field}: {flaw.message}" for flaw in too_many(media, found, found.window)]


@pytest.mark.parametrize(
    ("pixels", "encoded", "wrong"),
    [
        ((8_000, 1), MOST_PICTURE_BASE64, ""),
        ((8_001, 1), 10, "8,001 x 1 pixels"),
        ((1, 8_001), 10, "1 x 8,001 pixels"),
        ((1, 1), MOST_PICTURE_BASE64 + 1, "10,485,761 bytes in base64"),
        (None, 10, "cannot be read as a picture"),
    ],
)
def test_a_picture_alone(pixels: tuple[int, int] | None, encoded: int, wrong: str) -> None:
    found = wrong_picture(pixels, encoded)
    assert (wrong in found) if wrong else not found


def test_the_file_of_the_largest_picture_is_the_largest_base64() -> None:
    assert -(-MOST_PICTURE_BYTES // 3) * 4 <= MOST_PICTURE_BASE64 < -(-(MOST_PICTURE_BYTES + 1) // 3) * 4


def test_twenty_pictures_may_be_large_and_of_twenty_one_each_large_one_is_told() -> None:
    assert said(pictures(20, 2_001)) == []
    assert said(pictures(21, 2_000)) == []
    assert len(said([*pictures(19, 2_000), *pictures(2, 2_001)])) == 2


def test_more_pictures_than_a_request_takes() -> None:
    assert said(pictures(600, 10)) == []
    assert said(pictures(100, 10), SMALL) == []
    assert "one of 601 pictures" in said(pictures(601, 10))[0]
    assert said(pictures(101, 10), SMALL)[0].startswith("100.png: one of 101 pictures; claude-haiku-4-5 takes 100")


def test_pages_count_together() -> None:
    halves = [Medium("a.pdf", pages=300), Medium("b.pdf", pages=300)]
    assert said(halves) == []
    assert "601 pages together" in said([*halves, Medium("c.pdf", pages=1)])[0]
    assert said(halves, SMALL) == [
        "a.pdf: the PDFs have 600 pages together; claude-haiku-4-5 takes 100 a request; split them up"
    ]
