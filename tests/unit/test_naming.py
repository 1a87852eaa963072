"""The ids of a job: each used once, its file name met by no other, and numbered rows kept as a count."""

import random
import tracemalloc

import pytest
from batchd.decisions.jobfile.naming import Names, safe_name


@pytest.mark.parametrize("first", [1, 2, 3], ids=["objects", "a table", "behind a line sep=;"])
def test_numbered_rows_take_no_memory_each(first: int) -> None:
    names = Names()
    gap = 20_000
    tracemalloc.start()
    try:
        for number in range(first, 50_001):
            if number != gap:
                assert names.claim(f"row-{number}") == f"row-{number}"
        assert tracemalloc.get_traced_memory()[0] < 10_000
    finally:
        tracemalloc.stop()
    assert names.claim(f"row-{first}") is None
    assert names.claim("row-50000") is None
    assert names.claim(f"row-{gap}") == f"row-{gap}"
    assert names.claim(f"row-{gap}") is None


@pytest.mark.parametrize("seed", range(20))
def test_each_id_is_used_once_and_no_two_names_meet_whatever_the_order(seed: int) -> None:
    ids = [f"{word}-{number}" for word in ("row", "Row", "ROW") for number in (*range(12), "01", "007", "x")] * 2
    random.Random(seed).shuffle(ids)  # noqa: S311  no secret
    names, used, folded = Names(), set[str](), set[str]()
    for custom_id in ids:
        taken = custom_id.casefold() in folded
        assert names.claim(custom_id) == (None if custom_id in used else safe_name(custom_id, taken=taken))
        used.add(custom_id)
        folded.add(custom_id.casefold())
