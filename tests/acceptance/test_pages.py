"""What the pages for newcomers say, done as they say it."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation
from tests.support.surroundings import REPOSITORY

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SANDBOX = FENCE.findall((REPOSITORY / "docs" / "sandbox.md").read_text("utf-8"))


def test_the_first_answer_comes_as_the_readme_says(batchd: Installation) -> None:
    blocks = [text for kind, text in FENCE.findall((REPOSITORY / "README.md").read_text("utf-8")) if kind == "sh"]
    (block,) = [text for text in blocks if "batchd doctor" in text]
    lines = [line.partition(" #")[0].split() for line in block.splitlines()]
    assert [words[1] for words in lines if words[0] == "batchd"] == ["doctor", "check", "run", "status"]
    (example,) = [words[1] for words in lines if words[0] == "cp"]
    shutil.copytree(REPOSITORY / "examples", batchd.home / "examples", ignore=shutil.ignore_patterns("package*"))
    assert batchd.call("check", example).returncode == 0
    batchd.inbox.mkdir()
    shutil.copy(batchd.home / example, batchd.inbox)
    assert batchd.call("run", "--once", "--sandbox").returncode == 0
    assert batchd.job("first")["state"] == "done"
    assert (batchd.outbox / "first" / "documents" / "first.md").exists()


def test_the_prompt_of_the_sandboxs_page_is_cut_and_continued_as_it_says(batchd: Installation) -> None:
    (prompt,) = [text for kind, text in SANDBOX if kind == "markdown"]
    batchd.drop("book.md", prompt)
    assert batchd.call("run", "--once", "--sandbox").returncode == 0
    (row,) = [json.loads(line) for line in (batchd.outbox / "book" / "report.jsonl").read_text().splitlines()]
    assert (row["verdict"], row["rounds"]) == ("complete", 3)


@pytest.mark.parametrize(
    "line", [line for kind, text in SANDBOX if kind == "sh" for line in text.splitlines() if "sandbox" in line]
)
def test_a_command_of_the_sandboxs_page_starts_it(batchd: Installation, line: str) -> None:
    process = batchd.start(*line.split()[1:])
    assert process.stdout is not None
    assert "127.0.0.1" in process.stdout.readline()
    assert batchd.stop(process) == 0


def test_the_program_of_the_sandboxs_page_runs(batchd: Installation, tmp_path: Path) -> None:
    (program,) = [text for kind, text in SANDBOX if kind == "python"]
    header, _, body = program.partition("\n\n")
    inside = "".join(f"    {line}\n" for line in (*body.splitlines(), "    print(server.base_url)"))
    whole = f"import asyncio\n{header}\n\nasync def main():\n{inside}\nasyncio.run(main())\n"
    (tmp_path / "program.py").write_text(whole)
    ended = batchd.python("program.py")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("http://127.0.0.1:")
