"""`temperature` and its like go by the version of the API that takes them, and nothing else does."""

import json

from tests.acceptance.installation import Installation


def line(name: str, **more: object) -> str:
    params = {
        "model": "claude-haiku-4-5",
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": f"Say {name}."}],
    }
    return json.dumps({"custom_id": name, "params": params | more})


def test_requests_of_two_versions_travel_apart_and_are_answered(batchd: Installation) -> None:
    lines = [line("cold", temperature=0), line("plain"), line("few", top_k=5), line("late", temperature=1)]
    batchd.drop("mixed.jsonl", "\n".join(lines))
    assert batchd.call("run", "--once", "--sandbox").returncode == 0
    assert batchd.job("mixed")["requests"]["complete"] == len(lines)
    assert sorted(batchd.sql("SELECT coalesce(version, ''), count FROM batches")) == [("", 1), ("2023-06-01", 3)]


def test_a_message_by_itself_goes_by_its_version_too(batchd: Installation) -> None:
    job = json.dumps({"job": {"lane": "sync"}})
    batchd.drop("now.jsonl", "\n".join([job, line("cold", temperature=0.2), line("plain")]))
    assert batchd.call("run", "--once", "--sandbox").returncode == 0
    assert batchd.job("now")["requests"]["complete"] == 2
