"""What was wrong, failed or was cut is put right in the same job: its folder becomes whole, nothing is paid twice."""

import csv
import io
import json
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.edges.store import DATABASE, open_store

from tests.support import media
from tests.support.bundles import drop
from tests.support.house import House

pytestmark = pytest.mark.anyio

ASK = "---\nmodel: claude-haiku-4-5\nmax_tokens: 50\non_error: skip\n{}---\nSort: {{{{ subject }}}}"
BY_ID = ASK.format("id: id\n")


def table(home: House, file: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO((home.outbox / file).read_text("utf-8"), newline="")))


def amend(home: House, job: str, files: dict[str, bytes | str], prompt: str | None = None, **also: bool) -> None:
    """Drop what a program would: the job's own instructions, naming the job, and the file."""
    asked = home.outbox / job / "instructions.md"
    text = prompt or (asked.read_text("utf-8") if asked.exists() else "---\n---\n")
    said = "".join(f"{name}: true\n" for name in also)
    drop(home.inbox, "again.job", {"prompt.md": text.replace("---\n", f"---\namends: {job}\n{said}", 1), **files})


def errors(home: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((home.outbox / "rejected/again.job.errors.json").read_text("utf-8"))[
        "errors"
    ]
    return found


def asked(home: House) -> Counter[str]:
    bodies = [json.loads(body.read_bytes()) for body in (home.place / "sandbox" / "bodies").iterdir()]
    return Counter(request["params"]["messages"][0]["content"] for body in bodies for request in body["requests"])


async def test_rows_that_were_left_out_make_the_table_whole(home: House) -> None:
    rows = [f"{n},bees {n}" for n in range(40)]
    rows[7], rows[17], rows[27] = "7", ",no id", "1,twice"
    drop(home.inbox, "t.job", {"prompt.md": BY_ID, "t.csv": "\n".join(("id,subject", *rows)) + "\n"})
    assert not await home.run()
    before = home.job("t")
    assert (before["state"], before["requests"]["total"], before["requests"]["rejected"]) == ("partial", 37, 3)
    header, *back = table(home, "t/rejects.csv")
    assert header == ["id", "subject", "error"]
    back[0][1], back[1][0], back[2][0] = "late bees", "17", "27"
    text = "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in (header, *back))
    amend(home, "t", {"rejects.csv": text})
    assert await home.run()
    job = home.job("t")
    assert (job["state"], job["requests"]["total"], job["requests"]["complete"]) == ("done", 40, 40)
    assert job["requests"]["rejected"] == 0
    rows[7], rows[17], rows[27] = "7,late bees", "17,no id", "27,twice"
    _, *answers = table(home, "t/results.csv")
    assert [",".join(row[:2]) for row in answers] == rows
    assert {row[3] for row in answers} == {"complete"}
    assert job["cost_usd"] == pytest.approx(sum(float(row[5]) for row in answers))
    assert job["cost_usd"] > before["cost_usd"]
    assert set(asked(home).values()) == {1}
    assert not (home.outbox / "t/rejects.csv").exists()
    assert not (home.outbox / "t/rejects.jsonl").exists()
    assert (home.outbox / "t/amendments/1/rejects.csv").read_text() == text
    assert not list(home.outbox.glob("again*"))
    home.assert_nothing_twice()


async def test_rows_without_ids_are_known_by_what_rejects_csv_says_of_them(home: House) -> None:
    drop(home.inbox, "t.job", {"prompt.md": ASK.format(""), "t.csv": "subject,n\na,1\n,\nb\nc,3\nd\n"})
    await home.run()
    header, *back = table(home, "t/rejects.csv")
    assert [row[0] for row in back] == ["b", "d"]
    assert home.results("t") == {"row-2": "succeeded", "row-3": "succeeded", "row-5": "succeeded"}
    amend(home, "t", {"r.csv": f"{','.join(header)}\nd,9,{back[1][2].replace(',', ' ')}\n"})
    await home.run()
    assert [row[:2] for row in table(home, "t/results.csv")[1:]] == [
        ["a", "1"],
        ["", ""],
        ["b", ""],
        ["c", "3"],
        ["d", "9"],
    ]
    assert [row[2] for row in table(home, "t/results.csv")[1:]][3] != ""
    assert home.job("t")["requests"]["rejected"] == 1
    assert [row[0] for row in table(home, "t/rejects.csv")] == ["subject", "b"]
    assert [line["row"] for line in home.lines("t", "rejects.jsonl")] == [4]


async def test_all_errors_are_told_at_once_and_nothing_is_sent(home: House) -> None:
    drop(home.inbox, "t.job", {"prompt.md": BY_ID, "t.csv": "id,subject\n1,a\n2\n3,c\n"})
    await home.run()
    before = (home.outbox / "t/job.json").read_bytes()
    amend(home, "t", {"r.csv": "id,subject\n1,again\n9,new\n2,\n,x\n2,right\n"})
    assert not await home.run()
    told = errors(home)
    assert [(each["line"], each["field"]) for each in told] == [(5, "id"), (6, "id"), (2, "id"), (3, "id")]
    assert "--replace" in told[2]["message"]
    assert "--add" in told[3]["message"]
    assert (home.outbox / "t/job.json").read_bytes() == before
    assert home.results("t") == {"1": "succeeded", "3": "succeeded"}
    assert sum(asked(home).values()) == 2
    amend(home, "t", {"r.csv": "id\n2\n"})
    await home.run()
    assert (
        "column" in json.loads((home.outbox / "rejected/again-2.job.errors.json").read_text())["errors"][0]["message"]
    )


@pytest.mark.parametrize("gone", ["packed", "folder", "rows"])
async def test_what_was_pruned_is_not_put_right(home: House, gone: str) -> None:
    drop(home.inbox, "t.job", {"prompt.md": BY_ID, "t.csv": "id,subject\n1,a\n2\n"})
    await home.run()
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named("t")
        assert job is not None
        let = {"packed": "let_folder_be_packed", "folder": "let_folder_go", "rows": "let_rows_go"}[gone]
        assert await getattr(store.retention, let)(job.id)
    amend(home, "t", {"r.csv": "id,subject\n2,right\n"})
    assert not await home.run()
    (told,) = errors(home)
    assert "too much was removed for its age: drop its requests into the inbox again" in told["message"]
    assert (home.outbox / "t").exists() == (gone != "folder")
    assert sum(asked(home).values()) == 1


async def test_new_rows_stand_behind_and_complete_ones_are_paid_again_where_that_is_said(home: House) -> None:
    drop(home.inbox, "t.job", {"prompt.md": BY_ID, "t.csv": "id,subject\n1,a\n2,b\n"})
    await home.run()
    first = home.job("t")["cost_usd"]
    old = next(line for line in home.lines("t") if line["custom_id"] == "1")
    amend(home, "t", {"r.csv": "id,subject\n9,new\n1,A\n8,newer\n"}, add=True, replace=True)
    assert await home.run()
    assert [row[:2] for row in table(home, "t/results.csv")[1:]] == [
        ["1", "A"],
        ["2", "b"],
        ["9", "new"],
        ["8", "newer"],
    ]
    assert home.lines("t", "superseded.jsonl") == [old]
    assert home.job("t")["requests"]["total"] == 4
    report = {line["custom_id"]: line for line in home.lines("t", "report.jsonl")}
    assert report["1"]["attempts"] == 2
    assert home.job("t")["cost_usd"] == pytest.approx(sum(line["cost_usd"] for line in report.values()))
    assert home.job("t")["cost_usd"] > first
    amend(home, "t", {"r.csv": "id,subject\n7,newest\n9,New\n"}, add=True, replace=True)
    assert await home.run()
    rows = [row[:2] for row in table(home, "t/results.csv")[1:]]
    assert rows == [["1", "A"], ["2", "b"], ["9", "New"], ["8", "newer"], ["7", "newest"]]
    assert sorted(home.results("t")) == ["1", "2", "7", "8", "9"]


def request(custom_id: str, prompt: str, **more: object) -> dict[str, Any]:
    params = {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": [{"role": "user", "content": prompt}]}
    return {"custom_id": custom_id, "params": {**params, **more}}


def lines(*values: object) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


async def test_requests_are_put_right_as_they_lie_in_the_folder(home: House) -> None:
    given = [
        request("a", "Why?"),
        request("b", "[sandbox: refuse]"),
        request("c", "x", max_tokens=0),
        request("a", "y"),
    ]
    (home.inbox / "m.jsonl").write_text(
        lines({"job": {"on_error": "skip"}}, *given, request("f", "[sandbox: fail invalid_request_error]"))
    )
    await home.run()
    assert home.results("m") == {"a": "succeeded", "b": "succeeded", "f": "errored"}
    left_out = home.lines("m", "rejects.jsonl")
    left_out[0]["request"]["params"]["max_tokens"] = 60
    left_out[1]["request"]["custom_id"] = "d"
    amend(home, "m", {"r.jsonl": lines(*left_out)})
    await home.run()
    failed = home.lines("m", "failures.jsonl")
    assert [line["custom_id"] for line in failed] == ["b", "f"]
    for line in failed:
        line["params"]["messages"][0]["content"] = f"Please, {line['custom_id']}"
    amend(home, "m", {"failures.jsonl": lines(*failed)})
    assert await home.run()
    assert home.results("m") == dict.fromkeys("abfcd", "succeeded")
    assert (home.job("m")["state"], home.job("m")["requests"]["rejected"]) == ("done", 0)
    assert [line["custom_id"] for line in home.lines("m", "superseded.jsonl")] == ["b"]
    assert asked(home)["y"] == 1
    assert asked(home)["Please, b"] == 1
    assert sorted(path.name for path in (home.outbox / "m/amendments").iterdir()) == ["1", "2"]


async def test_a_job_that_runs_or_that_nobody_knows_is_not_amended(home: House) -> None:
    home.drop("m.jsonl", ["Why?"])
    amend(home, "m", {"r.jsonl": lines(request("r0", "Why not?"))})
    assert not await home.run(intake__bundle_settle=0.0)
    assert "has not finished" in errors(home)[0]["message"] or "there is no job" in errors(home)[0]["message"]
    amend(home, "none", {"r.jsonl": lines(request("r0", "Why not?"))})
    await home.run()
    told = json.loads((home.outbox / "rejected/again-2.job.errors.json").read_text("utf-8"))
    assert "there is no job 'none'" in told["errors"][0]["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
async def test_only_who_dropped_a_job_may_amend_it(home: House) -> None:
    home.drop("m.jsonl", ["[sandbox: refuse]"])
    os.chown(home.inbox / "m.jsonl", 12345, -1)
    await home.run()
    for user, may in ((23456, False), (12345, True)):
        amend(home, "m", {"r.jsonl": lines(request("r0", "Why?"))})
        os.chown(home.inbox / "again.job", user, -1)
        assert await home.run() is may
    assert "another user's" in errors(home)[0]["message"]
    assert home.job("m")["state"] == "done"


async def test_without_room_in_the_budget_it_is_held(home: House) -> None:
    home.drop("m.jsonl", ["[sandbox: refuse]"])
    await home.run()
    amend(home, "m", {"r.jsonl": lines(request("r0", "Why?", max_tokens=60_000))})
    assert not await home.run(budget__per_job=0.01)
    assert (home.outbox / "m/held.json").exists()
    assert asked(home)["Why?"] == 0


async def test_the_same_ticket_amends_once(home: House) -> None:
    home.drop("m.jsonl", ["[sandbox: refuse]"])
    await home.run()
    for _ in range(2):
        text = "---\namends: m\n---\n"
        drop(
            home.inbox, f"x.@{'0' * 26}.job", {"prompt.md": text, "r.jsonl": lines(request("r0", "[sandbox: refuse]"))}
        )
        await home.run()
    assert len(home.lines("m", "superseded.jsonl")) == 1
    receipt = json.loads((home.outbox / f".tickets/{'0' * 26}.json").read_text("utf-8"))
    assert (receipt["state"], receipt["job"]) == ("accepted", "m")


async def test_files_of_which_each_is_asked_and_attachments_come_from_the_amendment_or_the_job(home: House) -> None:
    prompt = "---\nmodel: claude-haiku-4-5\nmax_tokens: 50\non_error: skip\nattach: [rules.txt]\neach: in/*\n---\nSee."
    files: dict[str, bytes | str] = {"rules.txt": "none", "in/a.png": media.png(9, 9), "in/b.png": b"none"}
    drop(home.inbox, "p.job", {"prompt.md": prompt, **files})
    await home.run()
    assert home.results("p") == {"in/a.png": "succeeded"}
    amend(home, "p", {"in/b.png": media.png(9, 9)})
    assert await home.run()
    assert home.results("p") == {"in/a.png": "succeeded", "in/b.png": "succeeded"}
    assert [row[0] for row in table(home, "p/results.csv")[1:]] == ["in/a.png", "in/b.png"]


async def test_a_prompt_alone_is_asked_anew(home: House) -> None:
    (home.inbox / "essay.md").write_text("---\nmodel: claude-haiku-4-5\nmax_tokens: 50\n---\n[sandbox: refuse]")
    await home.run()
    amend(home, "essay", {"better.txt": "---\nmodel: claude-haiku-4-5\nmax_tokens: 60\n---\nWhy?"}, "---\n---\n")
    assert await home.run()
    assert home.results("essay") == {"essay": "succeeded"}
    assert (home.outbox / "essay/documents/essay.md").exists()


async def command(home: House, *words: str) -> tuple[int, str, str]:
    """Run `batchd amend` as a person does."""
    places = [f"--{name}={getattr(home, name)}" for name in ("inbox", "outbox", "state")]
    done = await anyio.run_process([sys.executable, "-m", "batchd", "amend", *words, *places], check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_the_command_tells_errors_and_price_before_anything_is_sent(home: House, tmp_path: Path) -> None:
    drop(home.inbox, "t.job", {"prompt.md": BY_ID, "t.csv": "id,subject\n1,a\n2\n3,c\n"})
    await home.run()
    back = tmp_path / "rejects.csv"
    back.write_text("id,subject\n1,a\n9,x\n2,\n,y\n")
    code, _, told = await command(home, "t", str(back))
    assert code == 1
    assert [line.split(": ")[1:3] for line in told.splitlines()[:3]] == [
        [str(back), f"line {line}, id"] for line in (5, 2, 3)
    ]
    code, printed, _ = await command(home, "t", str(back), "--json")
    errors = json.loads(printed)["errors"]
    assert [(each["file"], each["line"], each["field"]) for each in errors] == [(str(back), n, "id") for n in (5, 2, 3)]
    assert [path.name for path in home.inbox.iterdir()] == []
    code, _, told = await command(home, "none", str(back))
    assert (code, "there is no job" in told) == (2, True)
    back.write_text((home.outbox / "t/rejects.csv").read_text("utf-8").replace("2,,", "2,better,"))
    code, printed, told = await command(home, "t", str(back), "--json")
    assert (code, "at the most" in told) == (0, True)
    assert json.loads(printed)["added"] == 1
    assert json.loads(printed)["worst_case_usd"] > 0
    assert await home.run()
    assert home.job("t")["state"] == "done"
    assert [row[1] for row in table(home, "t/results.csv")[1:]] == ["a", "better", "c"]


async def test_what_the_first_line_of_a_job_says_holds_for_what_puts_it_right(home: House, tmp_path: Path) -> None:
    settings = {"model": "claude-haiku-4-5", "max_tokens": 77, "on_error": "skip"}
    bad = {"custom_id": "b", "params": {"messages": []}}
    (home.inbox / "m.jsonl").write_text(lines({"job": settings}, request("a", "Why?"), bad))
    await home.run()
    back = tmp_path / "b.jsonl"
    back.write_text(lines({"custom_id": "b", "params": {"messages": [{"role": "user", "content": "How?"}]}}))
    assert (await command(home, "m", str(back)))[0] == 0
    assert await home.run()
    bodies = [json.loads(body.read_bytes()) for body in (home.place / "sandbox" / "bodies").iterdir()]
    assert {each["params"]["max_tokens"] for body in bodies for each in body["requests"]} == {50, 77}


async def test_the_example_is_put_right(home: House) -> None:
    example = Path(__file__).parents[2] / "examples" / "put_right"
    (home.inbox / "letters").mkdir()
    for name in (".batchd.md", "letters.csv"):
        shutil.copyfile(example / name, home.inbox / "letters" / name)
    assert not await home.run()
    right = list(csv.reader((example / "rejects.csv").read_text("utf-8").splitlines()))
    assert [row[2] for row in table(home, "letters/letters/rejects.csv")] == [row[2] for row in right]
    assert (await command(home, "letters/letters", str(example / "rejects.csv")))[0] == 0
    assert await home.run()
    _, *rows = table(home, "letters/letters/results.csv")
    assert [row[0] for row in rows] == [str(1001 + n) for n in range(8)]
    assert {row[4] for row in rows} == {"complete"}
    assert home.job("letters/letters")["state"] == "done"
