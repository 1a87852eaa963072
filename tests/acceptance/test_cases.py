"""Files of real people, rebuilt small: what `batchd check` must say of each stands in `want.json` beside them.

"refused": {line: pattern of its field}, every other line taken; "one_error": pattern of the one message; "says": words
that must occur in the errors of the first look; "either": refused, or taken with this model alone; "ignored": not taken
from an inbox; "caution", "caution_lines", "requests", "times" (what it costs more than without its inference_geo).
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CASES = Path(__file__).parents[1] / "data" / "cases"
WANT: dict[str, dict[str, Any]] = json.loads((CASES / "want.json").read_text())


def check(*files: Path, cwd: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "batchd", "check", "--json", *map(str, files)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=120)
    told: list[dict[str, Any]] = json.loads(ended.stdout)["files"]
    return told


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    away = tmp_path_factory.mktemp("away")  # no settings, no history of anybody
    found = check(*(CASES / name for name in WANT), cwd=away)
    return dict(zip(WANT, found, strict=True))


@pytest.mark.parametrize("name", [name for name, want in WANT.items() if "refused" in want])
def test_what_is_wrong_is_refused_at_its_field_and_nothing_else_is(name: str, told: dict[str, dict[str, Any]]) -> None:
    want, errors = WANT[name], told[name]["errors"]
    for line, field in want["refused"].items():
        fields = [each["field"] for each in errors if each["line"] == int(line)]
        assert any(re.match(field, each) for each in fields), f"line {line}: {fields}"
    assert {str(each["line"]) for each in errors} == set(want["refused"])
    cautions = told[name]["cautions"]
    assert {*want.get("caution_lines", ())} <= {each["line"] for each in cautions}
    assert any(
        re.search(want.get("caution", ""), each["message"], re.IGNORECASE) for each in [*cautions, {"message": ""}]
    )
    assert told[name]["requests"] == want.get("requests", told[name]["requests"])


@pytest.mark.parametrize("name", [name for name, want in WANT.items() if "one_error" in want])
def test_a_file_of_the_wrong_form_has_one_mistake(name: str, told: dict[str, dict[str, Any]]) -> None:
    assert told[name]["error_count"] == 1
    assert re.search(WANT[name]["one_error"], told[name]["errors"][0]["message"], re.IGNORECASE | re.DOTALL)


@pytest.mark.parametrize("name", [name for name, want in WANT.items() if "says" in want])
def test_everything_is_told_at_the_first_look(name: str, told: dict[str, dict[str, Any]]) -> None:
    said = " ".join(f"{each['field']} {each['message']}" for each in told[name]["errors"])
    assert [word for word in WANT[name]["says"] if word not in said] == []
    assert not told[name]["ok"]
    assert told[name]["error_count"] == 1


def test_toml_is_never_sent_with_the_default_model(told: dict[str, dict[str, Any]]) -> None:
    post = told["18b-post-toml.md"]
    assert not post["ok"] or list(post["models"]) == [WANT["18b-post-toml.md"]["either"]]


def test_the_copy_of_a_conflict_stays_where_it_is(told: dict[str, dict[str, Any]]) -> None:
    (name,) = (name for name, want in WANT.items() if want.get("ignored"))
    assert any("ignored" in each["message"] for each in told[name]["cautions"])


def test_where_it_runs_is_reckoned_with(told: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    plain = tmp_path / "plain.jsonl"
    plain.write_text((CASES / "13a-us-inference.jsonl").read_text().replace(', "inference_geo": "us"', ""))
    (other,) = check(plain, cwd=tmp_path)
    times = told["13a-us-inference.jsonl"]["estimate_usd"] / other["estimate_usd"]
    assert times == pytest.approx(WANT["13a-us-inference.jsonl"]["times"], abs=0.02)
