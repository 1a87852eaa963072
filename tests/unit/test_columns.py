"""The answer columns of a table."""

import pytest
from batchd.decisions.rows.columns import answer_columns, cell_of, guarded


def test_one_answer_one_column() -> None:
    columns = answer_columns(["id", "text"], [])
    assert columns.names == ("answer", "verdict", "reason", "cost_usd")
    assert columns.values("Yes.") == ("Yes.",)


def test_with_a_schema_a_column_for_each_of_its_properties() -> None:
    columns = answer_columns(["id"], ["label", "urgent", "parts"])
    assert columns.names == ("label", "urgent", "parts", "verdict", "reason", "cost_usd")
    text = '{"label": "a", "urgent": true, "parts": [1, {"x": null}]}'
    for answer in (text, f"```json\n{text}\n```"):
        assert [*map(cell_of, columns.values(answer))] == ["a", "true", '[1,{"x":null}]']
    for answer in ('{"label": null}', "", "[1]", '{"label": "a', "[" * 100_000):
        assert [*map(cell_of, columns.values(answer))] == ["", "", ""]


@pytest.mark.parametrize("taken", ["answer", "verdict", "reason", "cost_usd"])
def test_where_one_of_our_names_is_taken_all_of_ours_are_prefixed(taken: str) -> None:
    names = answer_columns(["id", taken], []).names
    assert names == ("batchd_answer", "batchd_verdict", "batchd_reason", "batchd_cost_usd")


@pytest.mark.parametrize(
    "cell", ["=1+1", '=HYPERLINK("x")', "@SUM(A1)", "\t=1", "\r=1", "-x", "+cmd|' /C calc'!A0", "-", "+"]
)
def test_what_a_spreadsheet_would_run_is_guarded(cell: str) -> None:
    assert guarded(cell) == "'" + cell


@pytest.mark.parametrize(
    "cell", ["", "text", "-5.00", "+49 170 123", "- 5", "-1e5", "-5 %", "-1.000,50", "a=1", "1-2", "'=1"]
)
def test_numbers_and_texts_stay_as_they_are(cell: str) -> None:
    assert guarded(cell) == cell


def test_a_long_cell_is_judged_in_one_pass() -> None:
    assert guarded("+" + "1" * 1_000_000 + "x").startswith("'+1")
