"""Templates, tables and bundles that mean harm: each is refused with its reason, and memory stays flat."""

import csv
import io
import json
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path, PurePosixPath

import pytest
from batchd.decisions.jobfile.reader import Rules, Said
from batchd.decisions.rows.prompt_file import PromptFile, parse_prompt_file
from batchd.decisions.rows.reader import read
from batchd.decisions.rows.template import parse_template
from batchd.edges import bundles
from batchd.model import Entry, Problem
from batchd.text.jsonscan import Broken

from tests.support.effort import effort
from tests.unit.test_template import REFUSED, TAKEN

MB = 1_000_000
ROOM = 120 * MB
"""Bytes that a table may take, whatever its length: a row of the longest of four bytes a character, thrice."""
ENDLESS = 4_000
"""Pieces of a million bytes: a file of 4 GB, none of which is ever read as a whole."""
PIECE = 1 << 20


def prompt(head: str = "max_tokens: 5", ask: str = "Say {{ a }}.") -> PromptFile:
    found = parse_prompt_file(f"---\n{head}\n---\n{ask}", Rules())
    assert isinstance(found, PromptFile)
    return found


def told(data: Iterable[bytes], name: str = "a.csv", asked: PromptFile | None = None) -> Iterator[Said]:
    return read(lambda: data, PurePosixPath(name), Rules(), asked or prompt())


def peak(work: Callable[[], object]) -> int:
    """The most that a piece of work held at one time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def compiled(text: str) -> None:
    try:
        template = parse_template(text)
    except Broken:
        return
    values = dict.fromkeys("xyz", "v" * 1_000)
    try:
        template.render({**values, "a": values, "Ticket ID": "1"})
    except ValueError:
        return


HOSTILE_TEMPLATES = {
    **{text: text for text in (*TAKEN, *(text for text, _ in REFUSED))},
    "a hundred thousand places": "{{ x }}" * 100_000,
    "a hundred thousand ifs": "{% if x %}" * 100_000,
    "deep": "{% if x %}" * 400 + "{% endif %}" * 400,
    "brackets": "{{ " + "(" * 100_000 + "x" + ")" * 100_000 + " }}",
    "a list in lists": "{{ " + "[" * 50_000 + "]" * 50_000 + " }}",
    "filters": "{{ x" + "|upper" * 100_000 + " }}",
    "an unknown filter": "{{ x|attr('__class__') }}",
    "a long constant": "{{ 'x' * 10**9 }}",
    "a wide truncation": "{{ x|truncate(10**9) }}",
    "a loop over numbers": "{% for i in range(10**9) %}x{% endfor %}",
    "a remark that is not closed": "{#" * 100_000,
    "comparisons": "{{ x" + " == x" * 50_000 + " }}",
}


@pytest.mark.parametrize("name", HOSTILE_TEMPLATES)
def test_no_template_costs_much_whether_it_is_taken_or_not(name: str) -> None:
    text = HOSTILE_TEMPLATES[name]
    assert peak(lambda: compiled(text)) < 20 * MB
    assert effort(lambda: compiled(text)) < 50


def endless(head: bytes, piece: bytes, pieces: int = ENDLESS) -> Callable[[], Iterator[bytes]]:
    whole = piece * (PIECE // len(piece))
    return lambda: chain([head], repeat(whole, pieces))


A_ROW = "a row of more than 10,000,000 characters"
TABLES: dict[str, tuple[Callable[[], Iterable[bytes]], str]] = {
    "a quote that is never closed": (
        endless(b'a,b\n1,"', b"x" * 63 + b"\n"),
        "row 2: a cell of more than 8,000,000",
    ),
    "a cell of 4 GB": (endless(b"a,b\n1,", b"x"), A_ROW),
    "a cell of four bytes a character": (endless(b"a,b\n1,", "\U0001f41d".encode()), A_ROW),
    "a cell of NULs": (endless(b"a,b\n1,", b"\0"), A_ROW),
    "a row of endless cells": (endless(b"a,b\n", b"1,"), A_ROW),
    "a row of endless cells of many lines": (endless(b"a,b\n", b'"' + b"x" * 999 + b"\n" + b"y" * 20 + b'",'), A_ROW),
    "a header without end": (endless(b"a", b"x"), A_ROW),
    "columns without end": (endless(b"a", b",b"), A_ROW),
    "ten thousand columns": (lambda: [b",".join(b"c%d" % n for n in range(10_000)) + b"\n1\n"], "10,000 columns"),
    "empty lines without end": (endless(b"a,b\n", b"\n"), "more than 1,000,000 empty lines"),
    "UTF-16 of half a character": (lambda: [b"\xff\xfe", "a,b\n1,2\n".encode("utf-16-le"), b"x"], "UTF-16"),
    "UTF-16 without end": (endless(b"\xff\xfea\0\n\0", b"x\0"), A_ROW),
    "UTF-32": (lambda: ["a,b\n1,2\n".encode("utf-32")], "NUL"),
    "Latin-1": (lambda: ["a,b\nKöln,2\n".encode("latin-1")], "not UTF-8 at byte 6"),
    "an archive": (lambda: [b"PK\x03\x04" + bytes(range(256)) * 100], "not UTF-8"),
}


@pytest.mark.parametrize("name", TABLES)
def test_no_table_fills_the_memory_and_each_says_why_it_is_refused(name: str) -> None:
    source, said = TABLES[name]
    problems: list[str] = []

    def reading() -> None:
        for each in told(source()):
            if isinstance(each, Problem) and len(problems) < 1_000:
                problems.append(each.message)

    assert peak(reading) < ROOM
    assert problems
    assert said in problems[0], problems[0]


def test_cells_that_a_spreadsheet_would_run_are_sent_as_they_are() -> None:
    cells = ["=HYPERLINK(1)", "+cmd|' /C calc'!A0", "@SUM(1)", "-1+1", "\t=1", "=1+1\n=2"]
    written = io.StringIO(newline="")
    csv.writer(written).writerows([["a"], *([cell] for cell in cells)])
    found = [each for each in told([written.getvalue().encode()]) if isinstance(each, Entry)]
    said = [json.loads(each.params)["messages"][0]["content"] for each in found]
    assert said == [f"Say {cell}." for cell in cells]


def test_a_thousand_faults_a_row_are_bounded_and_the_rows_behind_them_are_read() -> None:
    data = b"a,b\n" + b"1\n" * 5_000 + b"1,2\n"
    found = [each for each in told([data]) if isinstance(each, Problem | Entry)]
    assert sum(isinstance(each, Problem) for each in found) == 5_000
    assert isinstance(found[-1], Entry)


def test_a_bundle_of_a_hole_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    folder = tmp_path / "x.job"
    folder.mkdir()
    (folder / "prompt.md").write_text("Why?")
    with (folder / "hole.csv").open("wb") as file:
        file.truncate(5_000 * MB)

    def looking() -> None:
        with bundles.opened(folder) as bundle:
            (problem,) = bundle.contents().problems
        assert "more than 4,000,000,000 bytes" in problem.message

    assert peak(looking) < MB
