"""What a prompt file says as the API is sent it, and the same as `batchd check` tells it (rows, texts, schemas)."""

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.house import House, house

pytestmark = pytest.mark.anyio

SETTINGS = """---
model: claude-haiku-5-5
schema:
  type: object
  properties:
    score: {type: integer, minimum: 1}
    other: {type: integer, minimum: 2}
    who: {type: object, properties: {name: {type: [string, "null"], maxLength: 9}}}
---
"""
CELLS = (
    "{{ 7*7 }}{% if %}",
    "---\nmodel: x\n---\n",
    "</ticket> <file path='a'>",
    "tab\tbell\x07 esc\x1b é \U0001f41d",
    " x ",
)


def put(home: House, name: str, text: str) -> Path:
    path = home.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.tmp")
    hidden.write_bytes(text.encode())
    return hidden.rename(path)


def sent(home: House) -> list[dict[str, Any]]:
    bodies = [json.loads(body.read_bytes()) for body in (home.place / "sandbox" / "bodies").iterdir()]
    return [request["params"] for body in bodies for request in body["requests"]]


async def checked(home: House, name: str) -> tuple[int, dict[str, Any]]:
    """The exit code of `batchd check --json`, and what it says of a file of the inbox."""
    places = [f"--{place}={getattr(home, place)}" for place in ("inbox", "outbox", "state")]
    command = [sys.executable, "-m", "batchd", "check", "--json", str(home.inbox / name), *places]
    done = await anyio.run_process(command, check=False, env=os.environ)
    (file,) = json.loads(done.stdout)["files"]
    return done.returncode, file


async def test_rows_are_sent_as_they_came_with_their_own_limit_and_a_schema_that_is_taken(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        put(home, "q/.batchd.md", SETTINGS + "<ticket>{{ text }}</ticket>")
        written = io.StringIO(newline="")
        csv.writer(written).writerows([["text", "n"], *([cell, ""] for cell in CELLS)])
        put(home, "q/a.csv", written.getvalue())
        code, told = await checked(home, "q/a.csv")
        assert (code, told["requests"]) == (0, len(CELLS))
        keywords = [each["message"].split()[0] for each in told["cautions"]]
        assert sorted(keywords) == ["maxLength", "minimum"]
        assert await home.run()
        params = sent(home)
    assert sorted(each["messages"][0]["content"] for each in params) == sorted(
        f"<ticket>{cell}</ticket>" for cell in CELLS
    )
    for each in params:
        assert (each["model"], each["max_tokens"]) == ("claude-haiku-5-5", 4096)
        form = each["output_config"]["format"]
        assert form["type"] == "json_schema"
        schema = form["schema"]
        assert (schema["additionalProperties"], schema["properties"]["who"]["additionalProperties"]) == (False, False)
        assert schema["properties"]["score"] == {"type": "integer", "description": "{minimum: 1}"}
        assert schema["properties"]["who"]["properties"]["name"]["type"] == ["string", "null"]
        assert not {"minimum", "maxLength"} & {key for key in json.dumps(schema).split('"') if key}


async def test_a_text_that_comes_by_itself_is_no_template_and_keeps_its_limit(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        put(home, "lone.md", "What does {{x}} mean, and {% if %}?")
        assert await home.run()
        (params,) = sent(home)
    assert params["max_tokens"] == 64_000
    assert params["messages"][0]["content"] == "What does {{x}} mean, and {% if %}?"


async def test_a_template_that_is_wrong_is_told_at_its_line_and_nothing_is_sent(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        put(home, "q/.batchd.md", "---\nmodel: claude-haiku-5-5\n---\nFirst.\n{{ subjct }}")
        put(home, "q/a.csv", "subject,n\nx,1\ny,2\n")
        code, told = await checked(home, "q/a.csv")
        (error,) = told["errors"]
        assert (code, error["field"]) == (1, "subjct")
        assert "did you mean 'subject'" in error["message"]
        put(home, "loop/.batchd.md", "---\nmodel: claude-haiku-5-5\n---\nFirst.\n{% for x in subject %}{% endfor %}")
        put(home, "loop/a.csv", "subject\nx\n")
        code, told = await checked(home, "loop/a.csv")
        assert (code, told["errors"][0]["line"]) == (1, 5)
        assert "for" in told["errors"][0]["message"]
        assert not await home.run()
        assert not (home.outbox / "q" / "a").exists()
        (refused,) = json.loads((home.outbox / "rejected/q/a.csv.errors.json").read_text())["errors"]
        assert refused["message"] == error["message"]
        assert (home.inbox / "loop" / "a.csv").exists()
        assert sent(home) == []


async def test_of_a_bundle_each_caution_is_told_once(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for name, more in (("rows", "{{ text }}"), ("once", "What?"), ("each", "What is in it?")):
            folder = home.inbox / f"{name}.job"
            folder.mkdir()
            each = SETTINGS.replace("---\n", '---\neach: "*.txt"\n', 1) if name == "each" else SETTINGS
            (folder / "prompt.md").write_text(each + more)
            if name != "once":
                (folder / ("a.csv" if name == "rows" else "a.txt")).write_text("text,n\nx,1\ny,2\n")
            code, told = await checked(home, f"{name}.job")
            assert (code, told["errors"]) == (0, []), name
            keywords = [each["message"].split()[0] for each in told["cautions"]]
            assert sorted(keywords) == ["maxLength", "minimum"], name
