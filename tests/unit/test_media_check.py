"""Pictures and documents are what they say they are, by their first bytes."""

import base64

import pytest
from batchd.claude.media_check import kind_of, wrong_data, wrong_url

HEADS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/gif": b"GIF89a",
    "image/webp": b"RIFF\0\0\0\0WEBPVP8 ",
    "application/pdf": b"\n%PDF-1.7",
}


def in_base64(head: bytes) -> str:
    return base64.b64encode(head + bytes(100)).decode()


@pytest.mark.parametrize("kind", HEADS)
def test_a_file_of_its_kind_is_taken_and_any_other_kind_is_named(kind: str) -> None:
    assert wrong_data(in_base64(HEADS[kind]), kind) == ""
    for other in HEADS.keys() - {kind}:
        assert f"say {kind}" in wrong_data(in_base64(HEADS[kind]), other)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("data:image/png;base64," + in_base64(HEADS["image/png"]), "data: URL"),
        ("file://photo.png", "place of a file"),
        ("/home/ada/photo.png", "place of a file"),
        ("photo.png", "place of a file"),
        ("https://example.org/a.png", "place of a file"),
        ("abc", "not base64"),
        ("ab=c", "not base64"),
        ("äöüß", "not base64"),
        ("A" * 400 + "!", "not base64"),
        (in_base64(b"BM"), "is not image/png by its first bytes"),
    ],
)
def test_what_is_no_picture_is_told_for_what_it_is(data: str, said: str) -> None:
    assert said in wrong_data(data, "image/png")


def test_base64_may_be_broken_into_lines() -> None:
    assert wrong_data(base64.encodebytes(HEADS["image/png"] + bytes(500)).decode(), "image/png") == ""


def test_a_late_header_of_a_pdf_counts_within_its_first_kilobyte() -> None:
    assert kind_of(b"x" * 1_000 + b"%PDF-1.4") == "application/pdf"
    assert kind_of(b"x" * 1_030 + b"%PDF-1.4") == ""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://example.org/a.png", ""),
        ("HTTPS://EXAMPLE.ORG", ""),
        ("data:image/png;base64,AAAA", "base64"),
        ("file:///a.png", "https://"),
        ("https://", "https://"),
        ("a.png", "https://"),
    ],
)
def test_an_address_must_be_one_that_can_be_fetched(url: str, said: str) -> None:
    assert (wrong_url(url) == "") is (said == "")
    assert said in wrong_url(url)
