"""A batch file for OpenAI's API, dropped as it is."""

import json
import shutil
from typing import Any

import pytest

from tests.acceptance.installation import Installation
from tests.support.surroundings import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "openai_lines"


def rows(batchd: Installation, job: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (batchd.outbox / job / "report.jsonl").read_text().splitlines()]


def test_the_example_is_priced_and_answered_with_a_caution_a_kind(batchd: Installation) -> None:
    with_names = ("--config", str(EXAMPLE / "batchd.toml"))
    checked = batchd.call("check", "--json", *with_names, str(EXAMPLE / "batch.jsonl"))
    assert checked.returncode == 0, checked.stdout
    (file,) = json.loads(checked.stdout)["files"]
    assert file["models"] == {"claude-haiku-5-5": 5}
    cautions = {each["field"]: each["message"] for each in file["cautions"]}
    assert "in 4 lines" in cautions["body.temperature"]
    assert set(cautions) == {"body.temperature", "body.model", "body.messages[…].content[…].detail"}
    batchd.inbox.mkdir()
    shutil.copy(EXAMPLE / "batch.jsonl", batchd.inbox)
    assert batchd.call("run", "--once", "--sandbox", *with_names).returncode == 0
    told = rows(batchd, "batch")
    assert [(row["verdict"], row["model"]) for row in told] == [("complete", "claude-haiku-5-5")] * 5
    assert batchd.job("batch")["models"] == {"claude-haiku-5-5": 5}
    for row in told[:2]:
        assert set(json.loads((batchd.outbox / "batch" / row["document"]).read_text())) == {"drawer", "urgent"}
    without = batchd.call("check", "--json", str(EXAMPLE / "batch.jsonl"))
    (error,) = json.loads(without.stdout)["files"][0]["errors"]
    assert (error["field"], "[models.alias]" in error["message"]) == ("body.model", True)


@pytest.mark.parametrize("count", [200, pytest.param(2_000, marks=pytest.mark.slow)])
def test_many_lines_are_answered_as_they_are(batchd: Installation, count: int) -> None:
    body = {"model": "sonnet", "temperature": 0.2, "max_tokens": 60, "seed": 7}
    lines = (
        {
            "custom_id": f"request-{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {**body, "messages": [{"role": "user", "content": f"Name swarm {n}."}]},
        }
        for n in range(count)
    )
    batchd.drop("theirs.jsonl", "\n".join(map(json.dumps, lines)))
    ended = batchd.call("run", "--once", "--sandbox")
    assert ended.returncode == 0, ended.stderr
    job = batchd.job("theirs")
    assert (job["state"], job["requests"]["complete"]) == ("done", count)
    assert job["models"] == {"claude-sonnet-5-5": count}
    results = [json.loads(line) for line in (batchd.outbox / "theirs" / "results.jsonl").read_text().splitlines()]
    assert {each["custom_id"] for each in results} == {f"request-{n}" for n in range(count)}
    assert all(each["result"]["message"]["model"] == "claude-sonnet-5-5" for each in results)


def test_a_family_in_front_matter_is_sent_priced_and_reported_as_its_newest_model(batchd: Installation) -> None:
    batchd.drop("a.md", "---\nmodel: opus\nmax_tokens: 100\n---\nHello.")
    (file,) = json.loads(batchd.call("check", "--json", str(batchd.inbox / "a.md")).stdout)["files"]
    assert (file["models"], file["worst_case_usd"] > 0) == ({"claude-opus-5-5": 1}, True)
    assert [each["message"] for each in file["cautions"]] == ['"opus" is claude-opus-5-5 here']
    assert batchd.call("run", "--once", "--sandbox").returncode == 0
    (row,) = rows(batchd, "a")
    assert (row["model"], row["cost_usd"] > 0) == ("claude-opus-5-5", True)
