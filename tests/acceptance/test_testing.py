"""Others test on the sandbox: in a thread, by what they script, and with a daemon where their program uses one."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from batchd import results, submit, wait
from batchd.testing import StandIn, sandbox

from tests.support.surroundings import REPOSITORY, environment

BLOCK = re.compile(r"```python\n# (\w+\.py)\n(.*?)```", re.DOTALL)
ASK: Any = {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Say."}]}


@pytest.fixture
def box() -> Iterator[StandIn]:
    with sandbox() as box:
        yield box


@pytest.fixture
def client(box: StandIn) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=box.url, api_key="any", max_retries=0) as client:
        yield client


def outcomes(client: anthropic.Anthropic, *custom_ids: str, **more: Any) -> dict[str, dict[str, Any]]:
    batch = client.messages.batches.create(
        requests=[{"custom_id": custom_id, "params": ASK | more} for custom_id in custom_ids]
    )
    assert client.messages.batches.retrieve(batch.id).processing_status == "ended"
    return {line.custom_id: line.result.to_dict() for line in client.messages.batches.results(batch.id)}


def test_what_is_scripted_comes_back_and_what_was_asked_is_known(box: StandIn, client: anthropic.Anthropic) -> None:
    box.script("a", "One line.\nAnother, with [brackets.")
    box.script("b", error="overloaded_error")
    box.script("c", error="expired")
    box.script("d", error="no such thing")
    found = outcomes(client, "a", "b", "c", "d", "e")
    assert found["a"]["message"]["content"][0]["text"] == "One line.\nAnother, with [brackets."
    assert found["b"]["error"]["error"]["type"] == "overloaded_error"
    assert found["c"]["type"] == "expired"
    assert found["d"]["error"]["error"]["type"] == "invalid_request_error"
    assert found["d"]["error"]["error"]["message"] == "no such thing"
    assert found["e"]["type"] == "succeeded"
    client.messages.create(**ASK)
    assert [each["custom_id"] for each in box.requests] == ["a", "b", "c", "d", "e", None]
    assert all(each["params"] == ASK for each in box.requests)


def test_each_sending_takes_the_next_line_and_the_last_one_stays(box: StandIn, client: anthropic.Anthropic) -> None:
    box.script("a", error="api_error")
    box.script("a", "yes")
    assert [outcomes(client, "a")["a"]["type"] for _ in range(3)] == ["errored", "succeeded", "succeeded"]


def test_json_is_the_input_of_a_tool_that_has_to_be_called(box: StandIn, client: anthropic.Anthropic) -> None:
    tool = {"name": "label", "input_schema": {"type": "object"}}
    box.script("a", '{"label": "bug"}')
    found = outcomes(client, "a", tools=[tool], tool_choice={"type": "tool", "name": "label"})
    assert found["a"]["message"]["content"][0]["input"] == {"label": "bug"}


def test_what_the_api_refuses_is_refused_whatever_the_script_says(box: StandIn, client: anthropic.Anthropic) -> None:
    box.script("a", "fine")
    assert outcomes(client, "a", model="claude-none")["a"]["type"] == "errored"


def test_text_and_error_at_once_are_refused(box: StandIn) -> None:
    with pytest.raises(ValueError, match="either"):
        box.script("a", "text", error="api_error")
    with pytest.raises(ValueError, match="either"):
        box.script("a")


def test_two_at_once_do_not_know_each_other(box: StandIn, client: anthropic.Anthropic) -> None:
    with sandbox() as other:
        assert other.url != box.url
        box.script("a", "mine")
        with anthropic.Anthropic(base_url=other.url, api_key="any") as theirs:
            outcomes(theirs, "a")
        assert (len(other.requests), len(box.requests)) == (1, 0)
    outcomes(client, "a")


def test_a_daemon_sends_by_the_names_of_the_job_and_is_found_by_itself(box: StandIn, tmp_path: Path) -> None:
    asked = {**ASK, "messages": [{"role": "user", "content": "Hi"}]}
    (tmp_path / "some.jsonl").write_text(
        "".join(json.dumps({"custom_id": f"an id of ours {n}", "params": asked}) + "\n" for n in range(2))
    )
    box.script("an id of ours 0", "zero")
    box.script("an id of ours 1", error="no such thing")
    with box.daemon(tmp_path) as places:
        job = wait(submit(tmp_path / "some.jsonl"), timeout=60)
        assert (job.state, job.sandbox) == ("partial", True)
        assert {row.custom_id: row.text for row in results("some")} == {
            "an id of ours 0": "zero",
            "an id of ours 1": None,
        }
        assert (places.outbox / "some" / "documents").is_dir()
    assert sorted(str(each["custom_id"]) for each in box.requests) == ["an id of ours 0", "an id of ours 1"]


def test_a_daemon_that_does_not_start_says_why(box: StandIn, tmp_path: Path) -> None:
    (tmp_path / "batchd.toml").write_text("nonsense = 1\n")
    with pytest.raises(RuntimeError, match="nonsense"), box.daemon(tmp_path):
        pass


def run_pytest(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", "."],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_of_the_page_runs_as_it_stands(tmp_path: Path) -> None:
    blocks = dict(BLOCK.findall((REPOSITORY / "docs" / "programs.md").read_text()))
    assert set(blocks) == {"labelling.py", "test_labelling.py"}
    for name, text in blocks.items():
        (tmp_path / name).write_text(text)
    ran = run_pytest(tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


def test_a_run_that_does_not_use_it_imports_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n\n\ndef test_other(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.hasplugin('batchd')\n"
        "    heavy = {'starlette', 'uvicorn', 'anthropic', 'msgspec', 'batchd.sandbox', 'batchd.client'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    ran = run_pytest(tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
