"""`on_error: skip`: what is wrong with a row alone leaves it out, and is told so that it can be put right."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support import media
from tests.support.bundles import drop
from tests.support.house import House

pytestmark = pytest.mark.anyio

SKIP = "---\nmodel: claude-haiku-4-5\nmax_tokens: 50\non_error: skip\n"
ASK = f"{SKIP}id: id\n---\nSort: {{{{ subject }}}}"


def rejects(home: House, job: str) -> list[dict[str, Any]]:
    return home.lines(job, "rejects.jsonl")


def table(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


async def test_five_thousand_rows_and_three_bad_ones(home: House) -> None:
    rows = [f"{n},bees {n}" for n in range(5_000)]
    rows[7], rows[70], rows[700] = "7", ",no id", "1,twice"
    drop(home.inbox, "t.job", {"prompt.md": ASK, "t.csv": "\n".join(("id,subject", *rows)) + "\n"})
    assert not await home.run()
    job = home.job("t")
    assert (job["state"], job["requests"]["total"], job["requests"]["complete"]) == ("partial", 4_997, 4_997)
    assert job["requests"]["rejected"] == 3
    found = rejects(home, "t")
    assert [(each["row"], each["line"], each["custom_id"]) for each in found] == [
        (9, 9, "7"),
        (72, 72, "row-72"),
        (702, 702, "1"),
    ]
    assert found[1]["row_data"] == {"id": "", "subject": "no id"}
    assert "the header has 2" in found[0]["errors"][0]["message"]
    assert found[2]["errors"][0]["field"] == "id"
    header, *back = table(home.outbox / "t" / "rejects.csv")
    assert header == ["id", "subject", "error"]
    assert [row[:2] for row in back] == [["7", ""], ["", "no id"], ["1", "twice"]]
    assert all(row[2] for row in back)
    _, *answers = table(home.outbox / "t" / "results.csv")
    assert [row[:2] for row in answers] == [[*line.split(","), ""][:2] for line in rows]
    assert [(number, row[3]) for number, row in enumerate(answers) if row[3] != "complete"] == [
        (each, "rejected") for each in (7, 70, 700)
    ]
    assert "names the row" in answers[70][4]
    back[0][1], back[1][0], back[2][0] = "late bees", "70", "700"
    await put_right(home, [header, *back])
    whole = home.job("t")
    assert (whole["state"], whole["requests"]["total"], whole["requests"]["complete"]) == ("done", 5_000, 5_000)
    assert whole["requests"]["rejected"] == 0
    _, *answers = table(home.outbox / "t" / "results.csv")
    rows[7], rows[70], rows[700] = "7,late bees", "70,no id", "700,twice"
    assert [",".join(row[:2]) for row in answers] == rows
    assert {row[3] for row in answers} == {"complete"}
    added = sum(float(answers[each][5]) for each in (7, 70, 700))
    assert whole["cost_usd"] == pytest.approx(job["cost_usd"] + added)
    assert added > 0
    home.assert_nothing_twice()


async def put_right(home: House, rows: list[list[str]]) -> None:
    """Give rejected rows back with `batchd amend`, as a person does, and let them be sent."""
    file = home.place / "rejects.csv"
    with file.open("w", newline="") as written:
        csv.writer(written).writerows(rows)
    places = [f"--{name}={getattr(home, name)}" for name in ("inbox", "outbox", "state")]
    done = await anyio.run_process([sys.executable, "-m", "batchd", "amend", "t", str(file), *places], check=False)
    assert done.returncode == 0, done.stderr
    assert await home.run()


async def test_where_all_are_bad_the_file_is_refused(home: House) -> None:
    drop(home.inbox, "t.job", {"prompt.md": ASK, "t.csv": "id,subject\n,a\n,b\n"})
    assert not await home.run()
    told = json.loads((home.outbox / "rejected" / "t.job.errors.json").read_text())
    assert told["count"] == 2
    assert [each["row"] for each in told["errors"]] == [2, 3]


@pytest.mark.parametrize(
    "files",
    [
        {"prompt.md": ASK, "t.csv": "id,subjects\n1,a\n"},
        {"prompt.md": ASK.replace("on_error: skip", "on_error: skip\nmodel: claude-9"), "t.csv": "id,subject\n1,a\n"},
        {"prompt.md": ASK, "t.csv": b"id,subject\n1,a\n2,\xff\n"},
        {"prompt.md": ASK.replace("max_tokens: 50", "max_tokens: 500000"), "t.csv": "id,subject\n1,a\n"},
    ],
)
async def test_errors_of_header_settings_and_file_refuse_it_whole(home: House, files: dict[str, bytes | str]) -> None:
    drop(home.inbox, "t.job", files)
    assert not await home.run()
    assert (home.outbox / "rejected" / "t.job.errors.json").exists()
    assert home.accepted() == {}


async def test_an_attachment_that_cannot_be_used_leaves_its_row_out(home: House) -> None:
    prompt = SKIP + 'attach: ["{{ photo }}"]\n---\nSee.'
    files: dict[str, bytes | str] = {"a.png": media.png(9, 9), "b.png": b"none", "prompt.md": prompt}
    drop(home.inbox, "t.job", {**files, "t.csv": "photo\na.png\nb.png\n../c.png\n"})
    await home.run()
    assert home.results("t") == {"row-2": "succeeded"}
    assert [each["row_data"]["photo"] for each in rejects(home, "t")] == ["b.png", "../c.png"]


async def test_a_file_that_cannot_go_along_is_left_out(home: House) -> None:
    files: dict[str, bytes | str] = {"in/a.png": media.png(9, 9), "in/b.pdf": media.locked_pdf()}
    drop(home.inbox, "t.job", {"prompt.md": SKIP + "each: in/*\n---\nSee.", **files})
    await home.run()
    assert home.results("t") == {"in/a.png": "succeeded"}
    [found] = rejects(home, "t")
    assert (found["custom_id"], found["row_data"]) == ("in/b.pdf", {"file": "in/b.pdf"})
    assert table(home.outbox / "t" / "rejects.csv")[0] == ["file", "error"]


async def test_requests_of_the_messages_api_are_left_out_by_their_job_s_word(home: House) -> None:
    ask = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Why?"}]}
    lines = [
        {"job": {"on_error": "skip"}},
        {"custom_id": "a", "params": ask},
        {"custom_id": "b", "params": {**ask, "max_tokens": 0}},
        {"custom_id": "a", "params": ask},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + "no json\n"
    (home.inbox / "m.jsonl").write_text(text)
    await home.run()
    assert home.results("m") == {"a": "succeeded"}
    found = rejects(home, "m")
    assert [(each["line"], each["custom_id"]) for each in found] == [(3, "b"), (4, "a"), (5, None)]
    assert found[0]["request"] == lines[2]
    assert not (home.outbox / "m" / "rejects.csv").exists()
    assert home.job("m")["state"] == "partial"


async def test_on_error_is_no_word_of_a_request(home: House) -> None:
    line = {"custom_id": "a", "on_error": "skip", "params": {"messages": [{"role": "user", "content": "Why?"}]}}
    (home.inbox / "m.jsonl").write_text(json.dumps(line) + "\n")
    assert not await home.run()
    told = json.loads((home.outbox / "rejected" / "m.jsonl.errors.json").read_text())
    assert told["errors"][0]["field"] == "on_error"


async def test_of_two_rows_of_one_id_the_answer_stands_beside_the_one_that_was_asked(home: House) -> None:
    prompt = SKIP + 'id: id\nattach: ["{{ photo }}"]\n---\nSee.'
    rows = "id,photo\n1,none.png\n1,a.png\n"
    drop(home.inbox, "t.job", {"prompt.md": prompt, "a.png": media.png(9, 9), "t.csv": rows})
    await home.run()
    _, *answers = table(home.outbox / "t" / "results.csv")
    assert [row[3] for row in answers] == ["rejected", "complete"]


async def test_files_of_which_each_was_asked_come_back_as_a_table(home: House) -> None:
    schema = "schema: {type: object, properties: {total: {type: number}}, required: [total]}\n"
    files: dict[str, bytes | str] = {"in/a.png": media.png(9, 9), "in/b,c.png": media.png(9, 9), "in/d.png": b"none"}
    drop(home.inbox, "t.job", {"prompt.md": SKIP + schema + "each: in/*\n---\nWhat is the sum?", **files})
    await home.run()
    header, *back = table(home.outbox / "t" / "results.csv")
    assert header == ["file", "total", "verdict", "reason", "cost_usd"]
    assert [(row[0], row[2]) for row in back] == [
        ("in/a.png", "complete"),
        ("in/b,c.png", "complete"),
        ("in/d.png", "rejected"),
    ]
    assert [bool(row[1]) for row in back] == [True, True, False]


async def test_a_mistake_that_rows_share_is_told_once_and_refuses_them_all(home: House) -> None:
    lines = [
        {"job": {"on_error": "skip", "model": "claude-haiku-4-5", "max_tokens": 200_000}},
        *({"custom_id": f"{n}", "params": {"messages": [{"role": "user", "content": "Why?"}]}} for n in range(3)),
        {"custom_id": "sound", "params": {"max_tokens": 9, "messages": [{"role": "user", "content": "Why?"}]}},
    ]
    (home.inbox / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert not await home.run()
    told = json.loads((home.outbox / "rejected" / "m.jsonl.errors.json").read_text())
    assert [each["field"] for each in told["errors"]] == ["job.max_tokens"]
