"""What may be said of a job or a request: every setting, and what becomes of it."""

from decimal import Decimal
from typing import Any

import pytest
from batchd.decisions.jobfile.settings_check import NOTHING, SETTINGS, read_settings, stray
from batchd.model import Lane, Wishes

GOOD: dict[str, tuple[Any, Any]] = {
    "documents": (False, False),
    "files": (True, True),
    "budget": (2.5, Decimal("2.5")),
    "continue": (3, 3),
    "expect": ({"words": 5}, b'{"words":5}'),
    "cache": ("auto", True),
    "lane": ("sync", Lane.SYNC),
    "needed_by": ("2026-11-24T07:00:00+01:00", "2026-11-24T07:00:00+01:00"),
}


def test_every_setting_has_a_wish_of_its_own_or_goes_into_the_call() -> None:
    into_the_call = {"model", "max_tokens", "system", "params", "betas"}
    assert SETTINGS.keys() - into_the_call == GOOD.keys()
    wishes = [setting.wish for setting in SETTINGS.values() if setting.wish]
    assert sorted(wishes) == sorted(Wishes.__dataclass_fields__)


@pytest.mark.parametrize("name", GOOD)
def test_a_setting_becomes_its_wish_and_a_wrong_one_does_not(name: str) -> None:
    value, wish = GOOD[name]
    found = read_settings({name: value}, "job")
    assert (getattr(found.wishes, SETTINGS[name].wish), found.flaws) == (wish, ())
    wrong = read_settings({name: ["?"]}, "job")
    assert wrong.wishes == Wishes()
    assert [flaw.field for flaw in wrong.flaws] == [f"job.{name}"]
    assert wrong.unsound == {name}


def test_what_a_request_says_counts_for_more_than_what_its_job_says() -> None:
    job = Wishes(documents=True, rounds=3, lane="auto")
    assert Wishes(documents=False).over(job) == Wishes(documents=False, rounds=3, lane="auto")
    assert Wishes().over(job) == job


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
