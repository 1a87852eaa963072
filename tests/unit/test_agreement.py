"""What daemons on one database must have the same, and how a difference is told."""

import pytest
from batchd.settings import drift, load_settings, to_agree_on

KEY = "sk-ant-a-key-of-somebody"


def agreed(changes: dict[str, object] | None = None, key: str = KEY) -> dict[str, str]:
    return to_agree_on(load_settings(changes or {}, None), key, sandbox=False)


def test_the_same_settings_agree() -> None:
    assert drift(agreed(), agreed()) is None
    assert drift({}, agreed()) is None, "nothing was agreed on before the first start"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget": {"per_day": 50}}, "budget.per_day is 50 here, and 0 there"),
        ({"api": {"doubt": 1000.0}}, "api.doubt is 1000 here, and 900 there"),
        ({"api": {"requests_per_minute": 60}}, "api.requests_per_minute is 60 here, and 50 there"),
        ({"folder": {"legal": {"per_day": 5}}}, "folder.legal.per_day is 5 here, and not set there"),
    ],
)
def test_a_difference_is_told_with_both_values(changes: dict[str, object], said: str) -> None:
    assert said in (drift(agreed(), agreed(changes)) or "")


def test_another_key_may_be_of_another_workspace() -> None:
    said = drift(agreed(), agreed(key="sk-ant-another-key"))
    assert (said or "").startswith("api key is ")
    assert KEY not in str(agreed())
    assert KEY not in (said or "")


def test_a_setting_that_only_one_version_knows_is_no_difference() -> None:
    assert drift({**agreed(), "budget.per_year": "5"}, agreed()) is None


def test_of_many_differences_a_few_are_told() -> None:
    said = drift(
        agreed(), agreed({"budget": {"per_day": 1, "per_month": 2, "per_job": 3}, "retry": {"max_attempts": 9}})
    )
    assert (said or "").endswith(", and 1 more")
