"""Numbers of names that are taken: without end, and without asking about each."""

import pytest
from batchd.text.safepath import COMPONENT_BYTES, first_free


def row(count: int) -> set[str]:
    return {"a.md", *(f"a-{number}.md" for number in range(2, count + 1))} if count else set()


@pytest.mark.parametrize("count", [*range(40), 9_998, 9_999, 10_000, 123_456])
def test_the_next_number_is_found_with_few_questions(count: int) -> None:
    taken, asked = row(count), []

    def occupied(name: str) -> bool:
        asked.append(name)
        return name in taken

    assert first_free("a", ".md", occupied) == ("a.md" if count == 0 else f"a-{count + 1}.md")
    assert len(asked) <= 2 * max(count, 1).bit_length() + 1


@pytest.mark.parametrize("gap", [1, 2, 3, 500, 998])
def test_where_some_were_removed_it_is_a_free_one_all_the_same(gap: int) -> None:
    taken = row(1_000) - {"a.md" if gap == 1 else f"a-{gap}.md"}
    assert first_free("a", ".md", taken.__contains__) not in taken


def test_a_number_makes_no_name_too_long() -> None:
    stem = "é" * 100
    taken = {first_free(stem, ".md", lambda _: False)}
    assert len(first_free(stem, ".md", taken.__contains__).encode()) <= COMPONENT_BYTES
