"""One rule book: what `check` refuses, the sandbox refuses, and the other way round.

Both are held against the same requests: those of the case files, and each of these broken in every place in every way
that a generator can think of. Neither knows the other's code.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batchd.claude.catalogue import Catalogue

from tests.support import shapes
from tests.support.rule_book import by_check, by_sandbox, disagreement

CASES = Path(__file__).parents[1] / "data" / "cases"
WRONG: tuple[Any, ...] = (None, 7, "x", [], {"type": ["x"]})
"""What stands in place of something else, to see whether it is taken there."""


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CASES / name).read_text().splitlines()]


VALID = rows("valid.jsonl")


@pytest.mark.parametrize("row", VALID, ids=lambda row: str(row["custom_id"]))
def test_every_valid_use_is_taken_by_both(row: dict[str, Any]) -> None:
    error, entry, _ = by_check(row)
    assert (error, by_sandbox(row, entry)) == ("", "")


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place within a value, its own included."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def broken(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The request with something missing, something strange, or something else in each of its places."""
    for path in places(row["params"]):
        for value in WRONG if path else ():
            other = copy.deepcopy(row)
            at(other["params"], path[:-1])[path[-1]] = value
            yield other
        if path and isinstance(path[-1], str):
            other = copy.deepcopy(row)
            del at(other["params"], path[:-1])[path[-1]]
            yield other
        inside = at(row["params"], path)
        if isinstance(inside, dict):
            other = copy.deepcopy(row)
            at(other["params"], path)["stray"] = 1
            yield other
        if isinstance(inside, list) and inside:
            for changed in ([*inside, inside[-1]], inside[:-1], inside[::-1]):
                other = copy.deepcopy(row)
                at(other["params"], path[:-1])[path[-1]] = changed
                yield other
    if row.get("betas"):
        yield {key: value for key, value in row.items() if key != "betas"}
        yield {**row, "betas": ["output-300k-2026-03-24"]}


@pytest.mark.parametrize("row", VALID, ids=lambda row: str(row["custom_id"]))
def test_they_agree_however_a_request_is_broken(row: dict[str, Any]) -> None:
    found = {disagreement(each): each for each in broken(row)}
    found.pop("", None)
    assert list(found) == []


@pytest.mark.parametrize("model", [*Catalogue().models, "claude-opus-6", "gpt-4o"])
def test_they_agree_on_every_use_at_every_model(model: str) -> None:
    uses = [{**row, "params": {**row["params"], "model": model, **more}} for row in VALID for more in EXTRAS]
    found = {disagreement(each): each for each in uses}
    found.pop("", None)
    assert list(found) == []


EXTRAS: list[dict[str, Any]] = [
    {},
    {"max_tokens": 100_000},
    {"max_tokens": 200_000},
    {"temperature": 0},
    {"temperature": 1, "top_p": 0.9},
    {"inference_geo": "us"},
    *({"output_config": {"effort": effort}} for effort in ("low", "medium", "high", "xhigh", "max")),
    *({"thinking": {"type": kind}} for kind in ("adaptive", "disabled", "between_tools")),
    {"thinking": {"type": "enabled", "budget_tokens": 1_024}},
    {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
    {"cache_control": {"type": "ephemeral"}},
    {"top_k": 3, "thinking": {"type": "enabled", "budget_tokens": 1_024}},
]


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.glob("[01]*.jsonl") if path.name < "17"))
def test_they_agree_on_what_people_had(name: str) -> None:
    assert [disagreement(row) for row in rows(name)] == [""] * len(rows(name))


def test_the_table_of_shapes_is_that_of_the_installed_sdk() -> None:
    """What a new SDK brings shows as a difference: `python -m tests.support.shapes`, and read the diff."""
    assert in_any_order(json.loads(shapes.FILE.read_text())) == in_any_order(shapes.made())


def in_any_order(value: Any) -> Any:
    """The same, each list sorted: what `typing` knows of one Literal it gives for another of the same values."""
    if isinstance(value, dict):
        return {key: in_any_order(inner) for key, inner in value.items()}
    return sorted(map(json.dumps, map(in_any_order, value))) if isinstance(value, list) else value


def test_they_agree_on_replayed_conversations_odd_values_and_what_others_write() -> None:
    """Files of no one in particular: thinking and citations sent back, server tools, null, other vendors' habits."""
    found = {row["custom_id"]: said for row in rows("agreement.jsonl") if (said := disagreement(row))}
    assert found == {}
