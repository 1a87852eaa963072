"""A rehearsal in the sandbox: ordinary jobs end well, the README's own included, and every figure says what it is."""

import json
import re
from typing import Any

import pytest

from tests.acceptance.installation import Installation
from tests.support.surroundings import REPOSITORY

FRONT = re.compile(r"^```markdown\n(---\n.*?)^```$", re.MULTILINE | re.DOTALL)
README = FRONT.findall((REPOSITORY / "README.md").read_text("utf-8"))
LABELS = ["billing", "bug", "other"]
TICKET: dict[str, Any] = {
    "type": "object",
    "properties": {
        "label": {"type": "string", "enum": LABELS},
        "urgent": {"type": "boolean"},
        "note": {"type": ["string", "null"]},
    },
    "required": ["label", "urgent", "note"],
}
CLOSED = {**TICKET, "additionalProperties": False}
FORM = {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}}
FORCED = {"tools": [{"name": "label", "input_schema": TICKET}], "tool_choice": {"type": "tool", "name": "label"}}


def of_json(**properties: str) -> dict[str, Any]:
    form = {key: {"type": kind} for key, kind in properties.items()}
    return {"expect": {"json": {"type": "object", "required": list(form), "properties": form}}}


LETTER = "Write a letter of at least 500 words. End with the line [END]."
SIGNS = "Begin each with a line `@@ title`.\nSections: Scope, Terms."
SHOWN = 'Answer with JSON such as {"label": "bug", "score": 1, "tags": ["a"]}.'
NAMED = "A JSON object with the keys `name` (string) and `age` (integer)."
TWO = {"words": 600, "sections": ["Chapter 1", "Chapter 2"]}
ORDINARY: list[tuple[str, dict[str, Any]]] = [
    (LETTER, {"expect": {"words": 500, "ends_with": "[END]"}}),
    ("Two chapters, each of at least 300 words.", {"expect": TWO}),
    (SIGNS, {"expect": {"sections": ["Scope", "Terms"], "marker": "@@ {title}"}}),
    ("At least 2,000 characters, please.", {"expect": {"characters": 2000}}),
    ("Sum it up in 100 words.", {"max_tokens": 140, "expect": {"words": 100}}),
    ("Hello.", {"max_tokens": 30}),
    ("Hello.", {"max_tokens": 1}),
    ("Label it. Answer in JSON.", {"max_tokens": 100, "expect": {"json": True}}),
    (SHOWN, of_json(label="string", score="integer", tags="array")),
    (NAMED, of_json(name="string", age="integer")),
    ("Label it.", {"max_tokens": 100, "params": FORM, "expect": {"json": TICKET}}),
    ("Label it.", {"max_tokens": 100, "params": FORCED, "expect": {"json": TICKET}}),
    ("Label it.", {"max_tokens": 100, "schema": TICKET}),
    ("Label it.", {"max_tokens": 100, "params": FORCED, "lane": "sync", "expect": {"json": TICKET}}),
]


def rows(batchd: Installation, job: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (batchd.outbox / job / "report.jsonl").read_text().splitlines()]


def run(batchd: Installation) -> int:
    return batchd.call("run", "--once", "--sandbox").returncode


def test_ordinary_jobs_end_well(batchd: Installation) -> None:
    lines = [
        {"custom_id": f"r{number}", "model": "claude-haiku-4-5", "prompt": prompt, **settings}
        for number, (prompt, settings) in enumerate(ORDINARY)
    ]
    requests = []
    for line in lines:
        content = [{"role": "user", "content": line.pop("prompt")}]
        requests.append({**line, "params": {**line.get("params", {}), "messages": content}})
    batchd.drop("ordinary.jsonl", "\n".join(map(json.dumps, requests)))
    assert run(batchd) == 0
    told = {row["custom_id"]: row for row in rows(batchd, "ordinary")}
    assert {name: row["verdict"] for name, row in told.items()} == {f"r{n}": "complete" for n in range(len(ORDINARY))}
    data = [f"r{number}" for number, (_, asked) in enumerate(ORDINARY) if "schema" in asked or "params" in asked]
    assert [told[name]["document"] for name in data] == [f"documents/{name}.json" for name in data]
    for name in data:
        answer = json.loads((batchd.outbox / "ordinary" / "documents" / f"{name}.json").read_text())
        assert answer.keys() == set(TICKET["required"])


@pytest.mark.parametrize("example", README, ids=lambda text: text[:20])
def test_the_examples_of_the_readme_are_complete(batchd: Installation, example: str) -> None:
    batchd.drop("example.md", example)
    assert run(batchd) == 0
    (row,) = rows(batchd, "example")
    assert row["verdict"] == "complete"
    assert len((batchd.outbox / "example/documents/example.md").read_text().split()) >= 30_000


@pytest.mark.parametrize("count", [300, pytest.param(5_000, marks=pytest.mark.slow)])
def test_many_tickets_are_all_labelled_within_a_hundred_tokens_each(batchd: Installation, count: int) -> None:
    head = {"job": {"model": "claude-haiku-4-5", "max_tokens": 100, "documents": False, "params": FORM}}
    lines = (
        {"custom_id": f"t{n}", "params": {"messages": [{"role": "user", "content": f"Label ticket {n}."}]}}
        for n in range(count)
    )
    batchd.drop("tickets.jsonl", "\n".join(map(json.dumps, (head, *lines))))
    assert run(batchd) == 0
    assert batchd.job("tickets")["requests"]["complete"] == count
    results = (batchd.outbox / "tickets" / "results.jsonl").read_text().splitlines()
    labels = [json.loads(json.loads(line)["result"]["message"]["content"][0]["text"])["label"] for line in results]
    assert all(labels.count(label) > count / 5 for label in LABELS)


AMOUNT = re.compile(r"\$\d++(?:[.,]\d++)*+(?! \(sandbox\))")


def test_every_figure_of_a_rehearsal_says_that_it_is_one(batchd: Installation) -> None:
    batchd.drop("a.md", "Hello.")
    batchd.drop("held.md", "---\nbudget: 0.000001\n---\nHello.")
    process = batchd.start("run", "--sandbox")
    assert batchd.job("a")["sandbox"] is True
    batchd.wait_until(lambda: 'event="job finished"' in (batchd.home / ".log").read_text())
    (line,) = [each for each in (batchd.home / ".log").read_text().splitlines() if 'event="job finished"' in each]
    assert line.endswith(" sandbox")  # logfmt of what is true
    batchd.wait_until((batchd.outbox / "held" / "held.json").exists)
    assert json.loads((batchd.outbox / "held" / "held.json").read_text())["sandbox"] is True
    assert batchd.stop(process) == 0
    assert all(row["sandbox"] is True for row in rows(batchd, "a"))

    (batchd.home / "b.md").write_text("Hello.")
    for words in (("status",), ("status", "a"), ("costs",), ("costs", "--by", "job"), ("check", "b.md")):
        told = json.loads(batchd.call(*words, "--json").stdout)
        assert told["sandbox"] is True, words
        assert all(each["sandbox"] is True for name in ("jobs", "spent", "files") for each in told.get(name, ()))
        shown = batchd.call(*words).stdout
        assert "$" in shown
        assert AMOUNT.findall(shown) == [], shown
    assert all(line.endswith(",true") for line in batchd.call("costs", "--csv").stdout.splitlines()[1:])
    released = batchd.call("release", "held", "--up-to", "1").stdout
    assert "$" in released
    assert AMOUNT.findall(released) == []


def test_what_is_no_rehearsal_says_nothing_of_one_and_each_keeps_its_own_money(batchd: Installation) -> None:
    batchd.drop("first.md", "Hello.")
    assert run(batchd) == 0
    process = batchd.start("sandbox")
    assert process.stdout is not None
    elsewhere = {"ANTHROPIC_BASE_URL": process.stdout.readline().split()[-1], "ANTHROPIC_API_KEY": "sk-any"}
    batchd.drop("second.md", "Hello.")
    # As good as the API to the daemon, which nobody told that it is the sandbox; with room for it alone.
    ended = batchd.call("run", "--once", "--set", "budget.per_day=0.3206", **elsewhere)
    assert ended.returncode == 0, ended.stderr
    assert "sandbox" not in batchd.job("second")
    assert not any("sandbox" in row for row in rows(batchd, "second"))
    told = json.loads(batchd.call("costs", "--by", "job", "--json").stdout)
    assert [each.get("sandbox", False) for each in told["spent"]] == [True, False]
    assert [each["job"] for each in told["spent"]] == ["first", "second"]
    shown = batchd.call("costs").stdout
    assert shown.count("in all") == 2
    jobs = {each["job"]: each.get("sandbox", False) for each in batchd.status()["jobs"]}
    assert jobs == {"first": True, "second": False}
    assert batchd.stop(process) == 0


def test_a_rehearsal_is_not_sent_again_for_money(batchd: Installation) -> None:
    batchd.drop("a.md", "Hello [sandbox: fail invalid_request_error 9]")
    assert run(batchd) == 1
    process = batchd.start("sandbox")
    assert process.stdout is not None
    elsewhere = {"ANTHROPIC_BASE_URL": process.stdout.readline().split()[-1], "ANTHROPIC_API_KEY": "sk-any"}
    assert batchd.call("run", "--once", **elsewhere).returncode == 0
    refused = batchd.call("retry", "a")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "rehearsal" in refused.stderr
    assert run(batchd) == 0
    assert batchd.call("retry", "a").returncode == 0
    other = batchd.call("run", "--once", **elsewhere)
    assert (other.returncode, "under way" in other.stderr) == (2, True)
    assert batchd.stop(process) == 0
