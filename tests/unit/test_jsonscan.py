"""Files taken apart while they stream: no part depends on where the chunks are cut, none grows without end."""

import json
from collections.abc import Iterator

import pytest
from batchd.text.jsonscan import Broken, mentions, split_document, split_lines
from batchd.text.strictjson import Flawed

DOCUMENT = """\ufeff{"job": {"model": "m"},
 "requests": [
  {"a": "ü"},
  12, {"x": 1, "x": 2}
 ],
 "after": 1.5}
""".encode()


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def parts(data: bytes, size: int = 1 << 20, limit: int = 1_000) -> list[tuple[int, str, object, int | None]]:
    return [
        (part.line, part.key, "flawed" if isinstance(part.value, Flawed) else part.value, part.number)
        for part in split_document(cut(data, size), "requests", limit)
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1_000])
def test_a_document_comes_in_its_parts_each_with_its_line_wherever_it_is_cut(size: int) -> None:
    assert parts(DOCUMENT, size) == [
        (1, "job", {"model": "m"}, None),
        (2, "requests", None, -1),
        (3, "requests", {"a": "ü"}, 0),
        (4, "requests", 12, 1),
        (4, "requests", "flawed", 2),
        (6, "after", 1.5, None),
    ]


@pytest.mark.parametrize("number", ["0.5", "-1", "2e9", "3E+7", "-4.25e-3", "10"])
def test_a_number_is_whole_wherever_it_is_cut(number: str) -> None:
    document = f'{{"a": {number}, "requests": [{number},{number}]}}'.encode()
    for at in range(len(document)):
        found = list(split_document([document[:at], document[at:]], "requests", 100))
        assert [part.value for part in found] == [float(number), None, float(number), float(number)], at


def test_a_document_that_is_an_array_is_taken_for_the_one_that_streams() -> None:
    assert parts(b"[1, 2]") == [(1, "requests", None, -1), (1, "requests", 1, 0), (1, "requests", 2, 1)]


def test_a_key_that_appears_twice_is_flawed_and_what_follows_still_comes() -> None:
    assert parts(b'{"a": 1, "a": 2, "requests": 3}') == [
        (1, "a", 1, None), (1, "a", "flawed", None), (1, "requests", 3, None)
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 5, 1_000])
@pytest.mark.parametrize(
    ("document", "line", "said"),
    [
        (b"", 1, "not a JSON object"),
        (b'\n\n"text"', 3, "not a JSON object"),
        (b'{"a": 1\n', 2, "'}' is missing"),
        (b'{"a"\n 1}', 2, "':' is missing"),
        (b'{"requests": [1,\n2\n', 3, "']' is missing"),
        (b"{1: 2}", 1, "a key in double quotes"),
        (b'{"a": 1}\n{"b": 2}', 2, "something follows"),
        (b'{"a":\n nil}', 2, "not JSON"),
        (b'{"a":\n "\xff"}', 2, "not UTF-8"),
        (b'{"requests": ["%s"]}' % (b"x" * 2_000), 1, "longer than 1,000 characters"),
        (b'{"a": "%s", "b": "%s"}' % (b"x" * 600, b"x" * 600), 1, "beside requests"),
    ],
)
def test_a_document_that_breaks_says_where_however_it_is_cut(document: bytes, line: int, said: str, size: int) -> None:
    with pytest.raises(Broken, match=said) as broken:
        parts(document, size)
    assert broken.value.line == line


def test_no_object_has_keys_without_end() -> None:
    with pytest.raises(Broken, match="more than 1,000 keys"):
        parts(json.dumps({f"{number}": 1 for number in range(1_001)}).encode(), limit=1 << 20)


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_lines_are_cut_at_line_feeds_alone_and_long_ones_are_only_counted(size: int) -> None:
    text = "a\r\n\n123456\n1234567\nb\u2028c\nlast".encode()
    assert list(split_lines(cut(text, size), 6)) == [b"a\r", b"", b"123456", None, "b\u2028c".encode(), b"last"]
    assert list(split_lines(cut(b"ends\n", size), 6)) == [b"ends"]
    assert list(split_lines(cut(b"1234567", size), 6)) == [None]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_a_needle_is_found_across_every_cut_and_never_where_it_is_not(size: int) -> None:
    assert mentions(cut(b"..needle", size), b"needle")
    assert mentions(cut(b"neeneedle..", size), b"needle")
    assert not mentions(cut(b"needl.e needl", size), b"needle")
