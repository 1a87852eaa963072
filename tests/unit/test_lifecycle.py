"""The table of states, the database's CHECK, the couriers' legs and the diagram say the same."""

import re
from importlib.resources import files
from pathlib import Path

from batchd.lifecycle import FINAL, STEPS, UNFINISHED, State, diagram, may_follow

SCHEMA = (files("batchd.edges.store") / "migrations" / "002.sql").read_text("utf-8")
INTERNALS = Path(__file__).parents[2] / "docs" / "internals.md"


def test_the_table_has_every_state_and_leads_each_to_an_end() -> None:
    assert set(STEPS) == set(State)
    assert {State.SETTLED, State.DISSOLVED} == FINAL
    reached = {State.PLANNED}
    while (more := reached | {after for state in reached for after in STEPS[state]}) != reached:
        reached = more
    assert reached == set(State)
    for start in UNFINISHED:
        ways = {start}
        while (more := ways | {after for state in ways for after in STEPS[state]}) != ways:
            ways = more
        assert ways & FINAL


def test_the_database_takes_exactly_these_states() -> None:
    check = re.search(r"state IN \((.*?)\)", SCHEMA, re.DOTALL)
    assert check is not None
    assert set(re.findall(r"'(\w+)'", check[1])) == set(State)


def test_a_final_state_is_left_by_no_step() -> None:
    assert not any(may_follow(before, after) for before in FINAL for after in State)


def test_the_diagram_in_the_docs_is_drawn_from_the_table() -> None:
    drawn = re.search(r"```mermaid\n(.*?)```", INTERNALS.read_text("utf-8"), re.DOTALL)
    assert drawn is not None, "docs/internals.md has no diagram"
    assert drawn[1] == diagram(), "draw it again: python -c 'from batchd.lifecycle import diagram; print(diagram())'"
