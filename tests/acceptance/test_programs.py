"""A program drops, waits and reads: through files alone, and never twice for one ticket."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from batchd import Held, Refused, results, submit, wait
from batchd.client.dropping import new_ticket

from tests.acceptance.installation import Installation

AS_ANOTHER = """
import os, sys
from batchd.cli import commands
sys.argv = ["batchd", "wait", "done"]
assert commands.main() == 0
os.setuid(12345)
sys.exit(commands.main())
"""
ASK = {"model": "claude-haiku-5-5", "max_tokens": 200}


def lines(count: int) -> str:
    return "".join(
        json.dumps(
            {"custom_id": f"q{n}", "params": {**ASK, "messages": [{"role": "user", "content": f"Question {n}?"}]}}
        )
        + "\n"
        for n in range(count)
    )


def run(batchd: Installation, *more: str) -> None:
    batchd.start("run", "--sandbox", *more)
    batchd.wait_until(batchd.inbox.exists)


def test_a_script_submits_waits_and_reads(batchd: Installation) -> None:
    run(batchd)
    (batchd.home / "questions.jsonl").write_text(lines(3))
    submitted = batchd.call("submit", "questions.jsonl")
    assert (submitted.returncode, submitted.stdout) == (0, "questions\n")
    assert re.fullmatch(r"batchd: 3 requests, at most \$\d\.\d+ \(sandbox\)\n", submitted.stderr), submitted.stderr
    waited = batchd.call("wait", "questions")
    assert (waited.returncode, waited.stdout, waited.stderr) == (0, "questions done\n", "")
    printed = batchd.call("results", "questions")
    assert [json.loads(line)["custom_id"] for line in printed.stdout.splitlines()] == ["q0", "q1", "q2"]
    assert batchd.call("results", "questions", "--only", "short,refused").stdout == ""
    assert batchd.call("results", "questions", "--only", "complete").stdout == printed.stdout
    wrong = batchd.call("results", "questions", "--only", "complet")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "'complet': no such verdict; there are canceled, complete" in " ".join(wrong.stderr.split())
    table = batchd.call("results", "questions", "--csv", "-o", "table.csv")
    assert table.returncode == 0
    assert (batchd.home / "table.csv").read_text().splitlines()[0] == "custom_id,answer,verdict,reason,cost_usd"


def test_a_text_comes_back_as_a_text(batchd: Installation) -> None:
    run(batchd)
    (batchd.home / "bees.md").write_text("Say something of bees.")
    said = batchd.call("submit", "bees.md", "--wait", "--json")
    assert said.returncode == 0
    assert json.loads(said.stdout)["state"] == "done"
    text = (batchd.outbox / "bees" / "documents" / "bees.md").read_text()
    assert batchd.call("results", "bees").stdout.strip() == text.strip()


def test_standard_input_and_settings_of_the_command_become_a_job(batchd: Installation) -> None:
    run(batchd)
    (batchd.home / "word.json").write_text('{"type": "object", "properties": {"word": {"type": "string"}}}')
    (batchd.home / "ask.md").write_text("Sort {{ subject }}.")
    (batchd.home / "tickets.csv").write_text("number,subject\na1,Printer\na1,Twice\na2,Bees\n")
    flags = "--prompt ask.md --name sorted --to desk --model claude-haiku-5-5 --max-tokens 60 --budget 1 --json"
    more = ["--schema", "word.json", "--on-error", "skip", "--id", "number"]
    told = json.loads(batchd.call("submit", "tickets.csv", *flags.split(), *more).stdout)
    assert told["job"] == "desk/sorted"
    assert batchd.job("desk/sorted")["requests"]["rejected"] == 1
    messages = [
        json.loads(line)["result"]["message"]
        for line in (batchd.outbox / "desk/sorted/results.jsonl").read_text().splitlines()
    ]
    assert [each["model"] for each in messages] == ["claude-haiku-5-5"] * 2
    assert all(each["usage"]["output_tokens"] <= 60 for each in messages)
    table = (batchd.outbox / "desk/sorted/results.csv").read_text().splitlines()
    assert (table[0].split(",")[:3], len(table)) == (["number", "subject", "word"], 4)
    piped = f"echo 'Say something of bees.' | {sys.executable} -m batchd submit - --as md --name bees --wait"
    said = subprocess.run(
        ["sh", "-c", piped], cwd=batchd.home, env=batchd.environment, capture_output=True, check=False
    )
    assert (said.returncode, said.stdout) == (0, b"bees\n")
    assert batchd.call("submit", "-", "--as", "pdf").returncode == 2
    batchd.drop("long.jsonl", lines(400))
    batchd.job("long")
    quiet = f"{sys.executable} -m batchd results long | head -n 1"
    read = subprocess.run(
        ["sh", "-c", quiet], cwd=batchd.home, env=batchd.environment, capture_output=True, check=False
    )
    assert (len(read.stdout.splitlines()), read.stderr) == (1, b"")


def test_of_a_running_job_it_prints_what_is_there_and_says_so(under_way: Installation) -> None:
    printed = under_way.call("results", "slow")
    assert (printed.returncode, printed.stdout) == (0, "")
    assert printed.stderr.endswith("job slow is under way: this is not all\n")


def test_the_same_ticket_again_and_again_is_one_job_paid_once(batchd: Installation) -> None:
    ticket = new_ticket()
    (batchd.home / "questions.jsonl").write_text(lines(2))
    process = batchd.start("run", "--sandbox")
    batchd.wait_until(batchd.inbox.exists)
    for again in range(50):
        if again % 10:
            submit(batchd.home / "questions.jsonl", ticket=ticket, inbox=batchd.inbox, outbox=batchd.outbox)
        else:
            batchd.call("submit", "questions.jsonl", "--ticket", ticket, "--accept", "0")
        if again % 16 == 15:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = batchd.start("run", "--sandbox")
    assert batchd.call("wait", f"@{ticket}").returncode == 0
    batchd.wait_until(lambda: not list(batchd.inbox.iterdir()) and not list((batchd.state / "claims").iterdir()))
    assert batchd.stop(process) == 0
    assert batchd.sql("SELECT count(*) FROM jobs") == [(1,)]
    assert batchd.sql("SELECT max(sendings) FROM requests") == [(1,)]
    receipt = json.loads((batchd.outbox / ".tickets" / f"{ticket}.json").read_text())
    told = {"schema": "batchd/ticket/1", "ticket": ticket, "state": "accepted", "job": "questions"}
    assert {**receipt, **told} == receipt


def test_what_comes_again_with_the_ticket_of_a_rejection_stays_rejected(batchd: Installation) -> None:
    run(batchd)
    ticket = new_ticket()
    (batchd.home / "bad.jsonl").write_text("{}\n")
    refused = batchd.call("submit", "bad.jsonl", "--ticket", ticket)
    assert refused.returncode == 1
    assert "line 1" in refused.stderr
    assert (batchd.outbox / "rejected" / "bad.jsonl").read_text() == "{}\n"
    assert batchd.call("submit", "bad.jsonl", "--ticket", ticket).returncode == 1
    assert batchd.call("wait", f"@{ticket}").returncode == 1
    assert batchd.call("wait", "bad").returncode == 1
    batchd.wait_until(lambda: taken(batchd))
    assert [path.name for path in (batchd.outbox / "rejected").glob("bad*.jsonl")] == ["bad.jsonl"]


@pytest.mark.parametrize("first", [lines(1), "{}\n"], ids=["accepted", "rejected"])
def test_other_bytes_with_a_known_ticket_are_rejected_and_its_receipt_stands(batchd: Installation, first: str) -> None:
    run(batchd)
    receipt = batchd.outbox / ".tickets" / "2026-11-27.json"
    batchd.drop("orders.@2026-11-27.jsonl", first)
    batchd.wait_until(lambda: receipt.exists() and taken(batchd))
    told = receipt.read_text()
    batchd.drop("orders.@2026-11-27.jsonl", first)
    batchd.wait_until(lambda: taken(batchd))
    batchd.drop("orders.@2026-11-27.jsonl", lines(2))
    reasons = (
        batchd.outbox / "rejected" / ("orders-2.jsonl.errors.json" if first == "{}\n" else "orders.jsonl.errors.json")
    )
    batchd.wait_until(lambda: reasons.exists() and taken(batchd))
    (error,) = json.loads(reasons.read_text())["errors"]
    assert error["message"].startswith("ticket 2026-11-27 came with another file before, which ")
    assert receipt.read_text() == told
    assert batchd.sql("SELECT count(*) FROM jobs") == [(0 if first == "{}\n" else 1,)]


def taken(batchd: Installation) -> bool:
    """Whether nothing lies in the inbox, or is being taken."""
    return not list(batchd.inbox.iterdir()) and not list((batchd.state / "claims").iterdir())


def test_what_nobody_takes_has_a_ticket_that_may_be_waited_for(batchd: Installation) -> None:
    batchd.inbox.mkdir()
    (batchd.home / "q.jsonl").write_text(lines(1))
    left = batchd.call("submit", "q.jsonl", "--accept", "0.2")
    assert left.returncode == 0
    assert left.stdout.startswith("@")
    assert "no daemon has taken it" in left.stderr
    assert batchd.call("wait", left.stdout.strip(), "--timeout", "0.2").returncode == 3
    assert batchd.call("wait", "q", "--timeout", "0.2").returncode == 3
    run(batchd)
    assert batchd.call("wait", left.stdout.strip()).returncode == 0


def test_each_end_has_an_exit_code_of_its_own(batchd: Installation) -> None:
    run(batchd, "--set", "retry.max_attempts=1")
    batchd.drop("done.jsonl", lines(1))
    batchd.drop("bad.jsonl", "{}\n")
    batchd.drop("held.jsonl", '{"job": {"budget": 0.0000001}}\n' + lines(1))
    batchd.drop("partial.jsonl", lines(1) + lines(1).replace("q0", "q1").replace("Question 0?", "[sandbox: refuse]"))
    codes = {name: batchd.call("wait", name).returncode for name in ("done", "partial", "held", "bad", "none")}
    assert codes == {"done": 0, "partial": 1, "held": 4, "bad": 1, "none": 2}
    assert batchd.call("wait", "held", "--through-holds", "--timeout", "0.1").returncode == 3
    assert batchd.call("wait", "done", "held").returncode == 4
    assert batchd.call("wait", "--any", "done", "held", "--through-holds").returncode == 0
    assert batchd.call("wait", "@no ticket").returncode == 2


def test_who_may_not_read_the_outbox_is_told_so(batchd: Installation) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    run(batchd)
    batchd.drop("done.jsonl", lines(1))
    batchd.job("done")
    for folder in (batchd.home, *batchd.home.parents):
        if folder != folder.parent.parent and folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o005)
    # The libraries may lie where only root may look: all is imported, and used once, before.
    told = batchd.python("-c", AS_ANOTHER)
    assert (told.returncode, told.stdout) == (2, "done done\n")
    assert "may not read" in told.stderr


def test_python_programs_do_the_same(batchd: Installation) -> None:
    run(batchd)
    source = batchd.home / "questions.jsonl"
    source.write_text(lines(2))
    ticket = submit(source, inbox=batchd.inbox, outbox=batchd.outbox)
    assert ticket.job(60) == "questions"
    job = wait(ticket, 60, outbox=batchd.outbox, inbox=batchd.inbox)
    assert (job.state, job.requests.complete) == ("done", 2)
    rows = list(results(ticket, batchd.outbox))
    assert [row.custom_id for row in rows] == ["q0", "q1"]
    assert all(row.verdict == "complete" and row.text for row in rows)

    source.write_text("{}\n")
    with pytest.raises(Refused, match="line 1"):
        submit(source, inbox=batchd.inbox, outbox=batchd.outbox).job(60)
    source.write_text('{"job": {"budget": 0.0000001}}\n' + lines(1))
    held = submit(source, inbox=batchd.inbox, outbox=batchd.outbox, name="held")
    with pytest.raises(Held):
        wait(held, 60, outbox=batchd.outbox, inbox=batchd.inbox)
    with pytest.raises(TimeoutError):
        wait(held, 0.1, outbox=batchd.outbox, inbox=batchd.inbox, through_holds=True)
    with pytest.raises(LookupError):
        wait("nowhere", outbox=batchd.outbox, inbox=batchd.inbox)


def test_several_files_and_settings_become_one_folder_that_nobody_sees_half(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "tickets.csv").write_text("subject\nHello\n")
    (tmp_path / "classify.md").write_text("---\nmodel: claude-haiku-5-5\n---\nClassify {{ subject }}\n")
    ticket = submit(
        tmp_path / "tickets.csv", inbox=inbox, outbox=tmp_path, prompt=tmp_path / "classify.md", to="desk", budget=5.0
    )
    [bundle] = (inbox / "desk").iterdir()
    assert bundle.name == f"tickets.@{ticket.id}.job"
    assert (bundle / "tickets.csv").read_text() == "subject\nHello\n"
    assert (bundle / "prompt.md").read_text() == (
        "---\nmodel: claude-haiku-5-5\nbudget: 5.0\nrows: tickets.csv\n---\nClassify {{ subject }}\n"
    )
    again = submit(
        tmp_path / "tickets.csv",
        inbox=inbox,
        outbox=tmp_path,
        prompt=tmp_path / "classify.md",
        to="desk",
        budget=5.0,
        ticket=ticket.id,
    )
    assert again == ticket
    assert list((inbox / "desk").iterdir()) == [bundle]


def test_what_was_paid_for_is_asked_anew_only_when_that_is_said(batchd: Installation) -> None:
    run(batchd)
    batchd.drop("a.jsonl", lines(1) + lines(1).replace("q0", "q1").replace("Question 0?", "[sandbox: refuse]"))
    batchd.job("a")
    assert batchd.call("retry", "a").returncode == 1
    asked = batchd.call("retry", "a", "--also", "refused")
    assert asked.returncode == 1
    assert "1 requests that were paid for are sent anew, which costs $" in asked.stderr
    assert "--yes" in asked.stderr
    assert batchd.call("retry", "a", "--also", "lost", "--yes").returncode == 2
    assert batchd.call("retry", "a", "--also", "refused", "--only", "q9", "--yes").returncode == 2
    told = json.loads(batchd.call("retry", "a", "--also", "refused", "--yes", "--json").stdout)
    assert (told["job"], told["again"], told["anew"]) == ("a", 0, 1)
    assert told["worst_case_usd"] > 0
    batchd.wait_until((batchd.outbox / "a" / "superseded.jsonl").exists)
    assert batchd.job("a")["requests"]["incomplete"] == 1
