"""Rows in, the same rows with answers out: the whole way, by the real daemon against the sandbox."""

import csv
import io
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from batchd.app import serve
from batchd.edges.store import DATABASE, open_store

from tests.support.house import House, house, run_and_kill_when, until

pytestmark = pytest.mark.anyio

SCHEMA = "schema: {type: object, properties: {label: {type: string, enum: [billing, bug]}, urgent: {type: boolean}}}"
ASK = f"---\nmodel: claude-haiku-5-5\nmax_tokens: 100\n{SCHEMA}\n---\nClassify {{{{ subject }}}}."
SAY = "---\nmodel: claude-haiku-5-5\nmax_tokens: 200\n---\n"


def put(home: House, name: str, text: str | bytes) -> Path:
    """Write a file of the inbox as a person does: whole, under its own name."""
    path = home.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.tmp")
    hidden.write_bytes(text.encode() if isinstance(text, str) else text)
    hidden.rename(path)
    return path


def table(home: House, name: str, delimiter: str = ",") -> list[list[str]]:
    text = (home.outbox / name).read_bytes().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def asked(home: House) -> list[str]:
    """The prompts that the API was sent, each as often as it was."""
    bodies = [json.loads(body.read_bytes()) for body in (home.place / "sandbox" / "bodies").iterdir()]
    return [request["params"]["messages"][0]["content"] for body in bodies for request in body["requests"]]


@asynccontextmanager
async def staying(home: House) -> AsyncIterator[None]:
    """Within the block the daemon works, whatever there is to do."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(serve, home.settings(), home.key, clock=home.clock))
        await until((home.state / DATABASE).exists)
        yield
        tasks.cancel_scope.cancel()


async def said(home: House, *words: str) -> str:
    """What a command prints about this installation, on lines of any width."""
    places = [f"--{name}={getattr(home, name)}" for name in ("inbox", "outbox", "state")]
    command = [sys.executable, "-m", "batchd", *words, *places]
    done = await anyio.run_process(command, check=False, env={**os.environ, "COLUMNS": "1000"})
    return done.stdout.decode()


async def retry(home: House, name: str) -> None:
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named(name)
        assert job is not None
        await store.retries.want(job.id)


async def test_a_table_comes_back_with_its_answers(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        put(home, "tickets/.batchd.md", ASK)
        put(home, "tickets/x.csv", "subject,verdict\nPrinter,007\n\n=1+1, x \n")
        assert await home.run()
        assert home.job("tickets/x")["state"] == "done"
        head, one, other = table(home, "tickets/x/results.csv")
    assert head == [
        "subject",
        "verdict",
        *(f"batchd_{n}" for n in ("label", "urgent", "verdict", "reason", "cost_usd")),
    ]
    assert (one[:2], other[:2]) == (["Printer", "007"], ["=1+1", " x "])
    for row in (one, other):
        assert row[2] in {"billing", "bug"}
        assert row[3] in {"true", "false"}
        assert row[4:6] == ["complete", ""]
        assert float(row[6]) > 0
    assert (tmp_path / "outbox/tickets/x/instructions.md").read_text() == ASK
    assert not (tmp_path / "outbox/tickets/x/documents").exists()


HOSTILE = (
    '\ufeffid;text;note\r\n007;"1e5; "; x \r\nNA;"two\nlines";"a ""quote"""\r\n\r\n=1;+cmd;-5\r\n"";null;"\r\n"\r\n'
)


async def test_the_cells_that_came_are_the_cells_that_go(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        put(home, "q/.batchd.md", SAY + "Say {{ text }} of {{ id }}")
        put(home, "q/x.csv", HOSTILE)
        await home.run()
        data = (home.outbox / "q/x/results.csv").read_bytes()
        rows = table(home, "q/x/results.csv", ";")
    source = [row for row in csv.reader(io.StringIO(HOSTILE[1:], newline=""), delimiter=";", strict=True) if row]
    assert [row[:3] for row in rows] == source
    assert data.startswith(b"\xef\xbb\xbfid;text;note;answer;verdict;reason;cost_usd\r\n")
    assert {row[4] for row in rows[1:]} == {"complete"}


async def test_objects_come_back_byte_for_byte_with_their_answers(tmp_path: Path) -> None:
    lines = ['{"subject": 1e5,  "k":[1,\t2]}', '{"subject":null}', '{ "subject" : "\\u00e4" }']
    async with house(tmp_path) as home:
        put(home, "q/.batchd.md", ASK)
        put(home, "q/x.jsonl", "\n".join(lines))
        await home.run()
        found = (home.outbox / "q/x/rows.jsonl").read_text("utf-8").splitlines()
    for line, came in zip(found, lines, strict=True):
        assert line.startswith(came.rstrip("}").rstrip() + ",")
        assert list(json.loads(line))[-5:] == ["label", "urgent", "verdict", "reason", "cost_usd"]
        assert json.loads(line)["cost_usd"] > 0


@pytest.mark.parametrize("guard", [True, False])
async def test_answers_are_no_formulas_and_numbers_stay(tmp_path: Path, guard: bool) -> None:  # noqa: FBT001
    answers = ['=HYPERLINK("http://x")', "-5", "+49 170 123", "@a", "plain"]
    async with house(tmp_path) as home:
        put(home, "q/.batchd.md", SAY + "{{ a }}")
        put(
            home,
            "q/x.csv",
            "a\n" + "".join(f'"[sandbox: answer {each.replace(chr(34), chr(34) * 2)}]"\n' for each in answers),
        )
        await home.run(results__guard_formulas=guard)
        told = [row[1] for row in table(home, "q/x/results.csv")[1:]]
    assert told == (["'" + answers[0], "-5", "+49 170 123", "'@a", "plain"] if guard else answers)


async def test_rows_that_failed_are_there_and_a_retry_makes_the_table_anew(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        put(home, "q/.batchd.md", SAY + "{{ a }}")
        put(home, "q/x.csv", "a\none\n[sandbox: fail invalid_request_error]\n[sandbox: refuse]\n")
        assert not await home.run()
        before = table(home, "q/x/results.csv")
        await retry(home, "q/x")
        await home.run()
        after = table(home, "q/x/results.csv")
    assert [row[2] for row in before[1:]] == ["complete", "errored", "refused"]
    assert (before[2][1], bool(before[2][3]), before[2][4]) == ("", True, "0")
    assert [row[2] for row in after[1:]] == ["complete", "complete", "refused"]
    assert [row[0] for row in after] == [row[0] for row in before]
    assert after[2][1] != ""


async def test_wrong_instructions_keep_files_waiting_and_no_other_folder(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        put(home, "bad/.batchd.md", "---\nmodle: claude-haiku-5-5\n---\nSay {{ a }}")
        put(home, "bad/x.csv", "a\n1\n")
        home.drop("good/y.jsonl", ["Hi"])
        assert not await home.run()
        assert home.job("good/y")["state"] == "done"
        assert (home.inbox / "bad/x.csv").exists()
        reasons = home.outbox / "rejected/bad/instructions.errors.json"
        told = json.loads(reasons.read_text("utf-8"))
        assert (told["file"], told["count"]) == ("bad/.batchd.md", 1)
        assert told["errors"][0]["line"] == 2
        assert "did you mean model" in told["errors"][0]["message"]
        for words in (["status"], ["status", "--json"], ["doctor", "--offline"]):
            told = await said(home, *words)
            assert "did you mean model" in told, told
        (waits,) = json.loads(await said(home, "status", "--json"))["inbox"]["waits"]
        assert (waits["folder"], waits["files"], waits["errors"][0]["line"]) == ("bad", 1, 2)
        put(home, "bad/.batchd.md", SAY + "Say {{ a }}")
        assert await home.run()
        assert home.job("bad/x")["state"] == "done"
        assert not reasons.exists()


async def test_put_right_instructions_count_without_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        put(home, ".batchd.md", "---\nmodle: x\n---\n")
        put(home, "deep/er/x.csv", "a\n1\n")
        async with staying(home):
            await until((home.outbox / "rejected/instructions.errors.json").exists)
            put(home, ".batchd.md", SAY + "Say {{ a }}")
            await until((home.outbox / "deep/er/x/job.json").exists)


async def test_the_nearest_instructions_count_and_empty_ones_end_them(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        put(home, ".batchd.md", SAY.replace("200", "50") + "Root {{ a }}")
        put(home, "one/.batchd.md", "---\nmax_tokens: 60\n---\nNear {{ a }}")
        put(home, "two/.batchd.md", " \n")
        for folder in ("", "one/", "one/deeper/", "two/", "three/"):
            put(home, f"{folder}x.csv", "a\n1\n")
        await home.run()
        prompts = {
            str(path.parent.relative_to(home.outbox)): path.read_text().rsplit("\n", 1)[-1]
            for path in home.outbox.rglob("instructions.md")
        }
        assert prompts == {
            "x": "Root {{ a }}",
            "one/x": "Near {{ a }}",
            "one/deeper/x": "Near {{ a }}",
            "three/x": "Root {{ a }}",
        }
        assert "say what to ask" in (home.outbox / "rejected/two/x.csv.errors.json").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
async def test_a_strangers_instructions_are_not_used(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        file = put(home, "q/.batchd.md", SAY + "{{ a }}")
        os.chown(file, 12345, -1)
        put(home, "q/x.csv", "a\n1\n")
        elsewhere = tmp_path / "elsewhere.md"
        elsewhere.write_text(SAY + "{{ a }}")
        (home.inbox / "link").mkdir()
        (home.inbox / "link/.batchd.md").symlink_to(elsewhere)
        put(home, "link/x.csv", "a\n1\n")
        await home.run()
        assert "user 12345" in (home.outbox / "rejected/q/instructions.errors.json").read_text()
        assert "link" in (home.outbox / "rejected/link/instructions.errors.json").read_text()
        assert (home.inbox / "q/x.csv").exists()
        assert (home.inbox / "link/x.csv").exists()
        os.chown(home.inbox / "q", 12345, -1)
        os.utime(file)
        await home.run()
        assert (home.outbox / "q/x/job.json").exists()


async def test_while_an_editor_saves_nothing_is_answered_without_instructions(tmp_path: Path) -> None:
    async with house(tmp_path, speed=1.0) as home:
        put(home, "q/.batchd.md", SAY + "{{ a }}")
        put(home, "q/first.csv", "a\n1\n")
        async with staying(home):
            await until((home.outbox / "q/first/instructions.md").exists)
            for number in range(3):
                (home.inbox / "q/.batchd.md").unlink()
                put(home, f"q/x{number}.csv", "a\n1\n")
                await anyio.sleep(0.3)
                put(home, "q/.batchd.md", SAY + f"{number} {{{{ a }}}}")
                await until((home.outbox / f"q/x{number}/instructions.md").exists)
        assert not (home.outbox / "rejected").exists()


async def test_a_job_has_one_version_of_its_instructions_wherever_it_is_killed(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        put(home, "q/.batchd.md", SAY + "old {{ a }}")
        put(home, "q/x.csv", "a\n" + "".join(f"{number}\n" for number in range(2_000)))
        claims = home.state / "claims"
        await run_and_kill_when(home, lambda: claims.is_dir() and any(claims.iterdir()))
        put(home, "q/.batchd.md", SAY + "new {{ a }}")
        await home.run()
        version = (home.outbox / "q/x/instructions.md").read_text().split()[-4]
        prompts = asked(home)
        home.assert_nothing_twice()
        assert len(table(home, "q/x/results.csv")) == 2_001
    assert version in {"old", "new"}
    # They were stored in slices, whose batches may be made in any order.
    assert sorted(prompts) == sorted(f"{version} {number}" for number in range(2_000))
