"""What distrust has found stands in docs/reliability.md, each finding with a test that there is."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = {6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}
"""Of people in the field, by the numbers of their files."""
FILE = re.compile(r"[\w/]*\btest_\w+\.py")
BENCHMARK = re.compile(r"benchmarks[./](\w+)")
NAMED = re.compile(r"(?:::|…|(?<=`)(?=test_))(\w+?)_?(?=…|`|\[|,|\s|$)")
"""A test, or a piece of its name with an ellipsis before or behind it."""
SECOND = re.compile(r"second(?: audit)? (\d+(?:, \d+)*)|\b2-(\d+)\b")


def rows() -> Iterator[list[str]]:
    text = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    tables = text[text.index("\n## What distrust found") : text.index("\n## The honest limits")]
    for line in tables.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and cells[0] != "finding" and not cells[0].startswith("--"):
            yield cells


ROWS = list(rows())


@cache
def files() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in (ROOT / "tests").rglob("*.py"):
        found.setdefault(file.name, []).append(file)
    return found


@cache
def all_tests() -> str:
    """The names of all tests, a line each."""
    written = (file.read_text("utf-8") for some in files().values() for file in some)
    return "\n".join(name for text in written for name in re.findall(r"^ *(?:async )?def (\w+)", text, re.MULTILINE))


def missing(cell: str) -> Iterator[str]:
    """What a cell names, and is not there."""
    named = [*FILE.findall(cell), *BENCHMARK.findall(cell)]
    for each in FILE.findall(cell):
        if not any(str(file).endswith(f"/{each}") for file in files().get(Path(each).name, ())):
            yield each
    yield from (each for each in BENCHMARK.findall(cell) if not (ROOT / "benchmarks" / f"{each}.py").exists())
    for piece in NAMED.findall(FILE.sub("", cell)):
        named.append(piece)
        if piece not in all_tests():
            yield piece
    if not named:
        yield f"a test in {cell!r}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_finding_names_a_test_that_there_is(row: list[str]) -> None:
    assert list(missing(row[-1])) == []


def test_every_finding_of_both_audits_and_every_case_has_a_row() -> None:
    first, second, cases = set[int](), set[int](), set[int]()
    for finding, *_ in ROWS:
        if found := re.match(r"(?:case|cases) (\d+)", finding):
            cases.add(int(found[1]))
            continue
        told = [number for found in SECOND.finditer(finding) for number in re.findall(r"\d+", found[1] or found[2])]
        second.update(map(int, told))
        if found := re.match(r"(?:[a-z ]+ \d+; )?(?:of the )?(?:kind of )?(\d+(?:, \d+)*)(?![-\d])", finding):
            first.update(map(int, found[1].split(", ")))
    assert set(range(1, 34)) - first == set()
    assert set(range(1, 23)) - second == set()
    assert cases >= CASES
