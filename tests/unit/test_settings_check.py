"""What may be said of a job or a request: every setting, and what becomes of it."""

from typing import Any

import pytest
from batchd.decisions.jobfile.answer_form import answer_form
from batchd.decisions.jobfile.settings_check import NOTHING, SETTINGS, read_settings, stray
from batchd.model import Wishes
from msgspec import Raw
from msgspec.structs import fields

FORM = {"type": "object", "properties": {"label": {"type": "string"}}}
GOOD: dict[str, tuple[Any, Any]] = {
    "documents": (False, False),
    "files": (True, True),
    "budget": (2.5, 2.5),
    "continue": (3, 3),
    "expect": ({"words": 5}, Raw(b'{"words":5}')),
    "cache": ("auto", "auto"),
    "schema": (FORM, answer_form(FORM)),
    "lane": ("sync", "sync"),
    "notify": ("team", ["team"]),
    "priority": (5, 5),
    "hours": ("22:00-06:00", "22:00-06:00"),
    "needed_by": ("2026-11-24T07:00:00+01:00", "2026-11-24T07:00:00+01:00"),
}


def test_every_wish_is_a_setting_by_its_own_name() -> None:
    assert {wish.name for wish in fields(Wishes)} < GOOD.keys()
    assert SETTINGS.keys() - {"model", "max_tokens", "system", "params", "betas", "on_error", "results"} == GOOD.keys()


@pytest.mark.parametrize("name", GOOD)
def test_a_setting_is_taken_as_it_was_said_and_a_wrong_one_is_not(name: str) -> None:
    value, said = GOOD[name]
    found = read_settings({name: value}, "job")
    assert (found.said, found.flaws) == ({name: said}, ())
    wrong = read_settings({name: ["?"]}, "job")
    assert wrong.said == {}
    assert [flaw.field for flaw in wrong.flaws] == [f"job.{name}"]
    assert wrong.unsound == {name}


@pytest.mark.parametrize("unwritable", ["half \ud800", float("inf")])
def test_an_expectation_that_no_file_could_hold_is_refused(unwritable: object) -> None:
    found = read_settings({"expect": {"json": {"enum": [unwritable]}}}, "job")
    assert ([flaw.field for flaw in found.flaws], found.said) == (["job.expect.json.enum[0]"], {})


def test_what_needs_a_beta_or_holds_a_breakpoint_is_noted_and_nothing_else() -> None:
    control = {"type": "ephemeral"}
    params = {
        "mcp_servers": [],
        "cache_control": control,
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    found = read_settings({"params": params, "system": [{"type": "text", "text": "x", "cache_control": control}]}, "")
    assert {name: (len(look.uses), len(look.breakpoints)) for name, look in found.looks.items()} == {
        "mcp_servers": (1, 0),
        "system": (0, 1),
    }
    assert found.given["system"] == [{"type": "text", "text": "x", "cache_control": control}]


def test_params_count_for_more_than_the_settings_beside_them() -> None:
    found = read_settings({"model": "a", "params": {"model": "b"}}, "")
    assert found.given == {"model": "b"}
    assert NOTHING.given == {}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("max_token", "did you mean max_tokens?"),
        ("document", "did you mean documents?"),
        ("temperature", "go into params"),
        ("requests", "save it as a .json file"),
        ("prompt", "messages"),
        ("colour", "known are model,"),
    ],
)
def test_a_stray_key_is_told_what_would_do(key: str, said: str) -> None:
    assert said in stray(key)
