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
    told = {row["custom_id"]: row["verdict"] for row in rows(batchd, "ordinary")}
    assert told == {f"r{number}": "complete" for number in range(len(ORDINARY))}


@pytest.mark.parametrize("example", README, ids=lambda text: text[:20])
def test_the_examples_of_the_readme_are_complete(batchd: Installation, example: str) -> None:
    batchd.drop("example.md", example)
    assert run(batchd) == 0
    (row,) = rows(batchd, "example")
    assert row["verdict"] == "complete"
    assert len((batchd.outbox / "example/documents/example.md").read_text().split()) >= 30_000


def test_five_thousand_tickets_are_all_labelled_within_a_hundred_tokens_each(batchd: Installation) -> None:
    head = {"job": {"model": "claude-haiku-4-5", "max_tokens": 100, "documents": False, "params": FORM}}
    lines = (
        {"custom_id": f"t{n}", "params": {"messages": [{"role": "user", "content": f"Label ticket {n}."}]}}
        for n in range(5_000)
    )
    batchd.drop("tickets.jsonl", "\n".join(map(json.dumps, (head, *lines))))
    assert run(batchd) == 0
    assert batchd.job("tickets")["requests"]["complete"] == 5_000
    results = (batchd.outbox / "tickets" / "results.jsonl").read_text().splitlines()
    labels = [json.loads(json.loads(line)["result"]["message"]["content"][0]["text"])["label"] for line in results]
    assert all(labels.count(label) > 1_000 for label in LABELS)
