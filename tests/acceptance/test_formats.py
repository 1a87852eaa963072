"""What programs read is as the published schemas say: the examples of the pages, and what a mixed job really leaves."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from batchd.formats import schemas
from jsonschema import Draft202012Validator

from tests.acceptance.installation import Installation
from tests.acceptance.test_programs import lines
from tests.support.surroundings import REPOSITORY

PUBLISHED = REPOSITORY / "docs" / "schemas"
BY_FILE = {"report": "verdict", "rejects": "row_data"}
"""Formats whose lines have no `schema`, and by what an example of one is known."""
LOOSE = {"cancel", "check", "costs", "retry", "release", "submit", "wait"}
"""Of which a command may print more than the schema names."""


def judge(name: str, said: Any) -> None:
    """Fail for what the published schema does not allow, and for a field that it does not name."""
    schema = json.loads((PUBLISHED / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    if name not in LOOSE:
        for each in schema["$defs"].values():
            each["additionalProperties"] = False
    found = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(said)]
    assert not found, (name, found)
    if name not in BY_FILE:
        assert said["schema"] == f"batchd/{name}/1"


def test_the_published_schemas_are_those_of_the_code() -> None:
    assert {path.name for path in PUBLISHED.iterdir()} == {f"{name}.json" for name in schemas.FORMATS}
    for name in schemas.FORMATS:
        again = "run `python -m batchd.formats.schemas docs/schemas`"
        assert (PUBLISHED / f"{name}.json").read_text() == schemas.text_of(name), again


def examples() -> Iterator[tuple[str, Any]]:
    for page in sorted((REPOSITORY / "docs").glob("*.md")):
        for block in page.read_text().split("```json output\n")[1:]:
            text = block.split("```")[0]
            try:
                said = json.loads(text)
            except json.JSONDecodeError:
                continue  # lines of JSON, or a part of an object
            if str(said.get("schema", "")).startswith("batchd/"):
                yield said["schema"].split("/")[1], said
            else:
                yield from ((name, said) for name, field in BY_FILE.items() if field in said)


def test_every_example_of_the_pages_keeps_its_schema() -> None:
    found = list(examples())
    assert {name for name, _ in found} >= {"job", "held", "errors", "report", "status", "check", "costs"}
    for name, said in found:
        judge(name, said)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """What a job of all verdicts, one with rejects, one that is held and a rejected file leave."""
    with Installation(tmp_path_factory.mktemp("mixed")) as batchd:
        batchd.drop(
            "mixed.jsonl",
            lines(5)
            .replace("Question 1?", "[sandbox: refuse]")
            .replace("Question 2?", "[sandbox: fail invalid_request_error 9]")
            .replace("Question 3?", "[sandbox: expire]")
            .replace("Question 4?", "[sandbox: truncate]"),
        )
        batchd.drop("held.jsonl", '{"job": {"budget": 0.0000001}}\n' + lines(1))
        batchd.drop("bad.@01hzx3k8v1q0r7c2d5f9g4h6j2.jsonl", "{}\n")
        (batchd.inbox / "rows").mkdir()
        (batchd.inbox / "rows" / ".batchd.md").write_text(
            "---\nid: n\non_error: skip\nmax_tokens: 9\n---\nSay {{ t }}."
        )
        (batchd.inbox / "rows" / "some.csv").write_text("n,t\na,b\n,c\n")
        (batchd.home / "batchd.toml").write_text('[notify.sinks.team]\ncommand = ["/nowhere/tell"]\n')
        batchd.start("run", "--sandbox", "--set", "retry.max_attempts=1")
        for name in ("mixed", "rows/some"):
            batchd.job(name)
        batchd.wait_until((batchd.outbox / "held" / "held.json").exists)
        batchd.wait_until((batchd.outbox / "rejected" / "bad.jsonl").exists)
        yield batchd


def test_what_lies_in_the_outbox_keeps_the_schemas(mixed: Installation) -> None:
    out = mixed.outbox
    for name in ("mixed", "rows/some"):
        judge("job", json.loads((out / name / "job.json").read_text()))
        for line in (out / name / "report.jsonl").read_text().splitlines():
            judge("report", json.loads(line))
    for line in (out / "rows" / "some" / "rejects.jsonl").read_text().splitlines():
        judge("rejects", json.loads(line))
    judge("held", json.loads((out / "held" / "held.json").read_text()))
    judge("errors", json.loads((out / "rejected" / "bad.jsonl.errors.json").read_text()))
    judge("ticket", json.loads((out / ".tickets" / "01hzx3k8v1q0r7c2d5f9g4h6j2.json").read_text()))


def test_what_commands_print_keeps_the_schemas(mixed: Installation) -> None:
    (mixed.home / "q.jsonl").write_text(lines(1) + "{}\n")
    (mixed.home / "late.md").write_text("Slow. [sandbox: take 60]")
    (mixed.home / "bad.jsonl").write_text("{}\n")
    (mixed.home / "wrong.csv").write_text("n,t\na,again\nx,new\n")
    (mixed.home / "right.csv").write_text("n,t,error\nc,d,row 3\n")
    for words in (
        ("status",),
        ("status", "mixed"),
        ("check", "q.jsonl"),
        ("costs",),
        ("costs", "--by", "job"),
        ("costs", "--by", "model"),
        ("doctor", "--offline"),
        ("wait", "mixed"),
        ("wait", "held"),
        ("wait", "bad"),
        ("wait", "nowhere"),
        ("submit", "late.md"),
        ("submit", "bad.jsonl"),
        ("cancel", "late"),
        ("release", "held", "--up-to", "1"),
        ("submit", "q.jsonl", "--wait"),
        ("retry", "mixed"),
        ("amend", "rows/some", "wrong.csv"),
        ("amend", "rows/some", "right.csv"),
        ("pause", "--folder", "legal", "--reason", "it is talked about"),
        ("resume",),
        ("prune",),
        ("prune", "--older-than", "0d", "--dry-run"),
        ("notify", "test"),
        ("notify", "list"),
    ):
        done = mixed.call(*words, "--json")
        assert done.stdout, (words, done.stderr)
        judge(words[0], json.loads(done.stdout))


def test_an_answer_to_a_held_batch_keeps_its_schema(batchd: Installation) -> None:
    toml = batchd.home / "batchd.toml"
    toml.write_text('[keys.legal]\nfile = "legal-key"\n[folder.legal]\nkey = "legal"\n')
    (batchd.inbox / "legal").mkdir(parents=True)
    batchd.drop("legal/a.md", "Hello [sandbox: take 600]")
    process = batchd.start("run", "--sandbox")
    batchd.wait_until_sent()
    process.kill()
    process.wait()
    toml.unlink()
    assert batchd.call("run", "--once", "--sandbox").returncode == 1
    shown = batchd.status()
    judge("status", shown)
    (held,) = shown["batches"]
    assert (held["state"], held["key"]) == ("held", "legal")
    assert "[keys.legal] is not in the settings" in held["trouble"]
    done = batchd.call("resolve", str(held["batch"]), "--drop", "--json")
    assert done.returncode == 0
    said = json.loads(done.stdout)
    judge("resolve", said)
    assert (said["batches"], said["decided"]) == ([held["batch"]], "drop")
    assert batchd.call("run", "--once", "--sandbox").returncode == 1
    assert batchd.job("legal/a")["requests"]["canceled"] == 1


def test_a_wrong_field_is_found_out() -> None:
    good = next(said for name, said in examples() if name == "job")
    for broken in (good | {"unheard": 1}, good | {"state": "odd"}, {k: v for k, v in good.items() if k != "batches"}):
        with pytest.raises(AssertionError, match="job"):
            judge("job", broken)
