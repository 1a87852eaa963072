import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.acceptance.installation import SOON, Installation


def test_once_in_the_sandbox_brings_every_job_to_its_end(batchd: Installation) -> None:
    batchd.drop("letter.md", "CANARY-PROMPT: write a letter of at least 50 words.")
    lines = ({"custom_id": f"q {n}", "params": {"messages": [{"role": "user", "content": "Hi"}]}} for n in range(3))
    batchd.drop("many.jsonl", "\n".join(map(json.dumps, lines)))
    ended = batchd.call("run", "--once", "--sandbox", ANTHROPIC_LOG="debug", ANTHROPIC_API_KEY="CANARY-KEY")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert batchd.job("letter")["state"] == "done"
    assert batchd.job("many")["requests"]["complete"] == 3
    assert (batchd.outbox / "letter" / "documents" / "letter.md").read_text()
    assert not any(batchd.inbox.iterdir())
    # The log is logfmt, without colour, prompt or key.
    log = ended.stderr.splitlines()
    assert all(line.startswith("timestamp=") and " level=" in line and " event=" in line for line in log)
    assert "CANARY" not in ended.stderr
    assert "\x1b" not in ended.stderr
    # The request keeps the rights that its user gave it, in a folder that is closed.
    made = [batchd.outbox, batchd.state, *batchd.outbox.rglob("*"), *batchd.state.rglob("*")]
    assert not [path for path in made if path.stat().st_mode & 0o077 and not path.name.startswith("request.")]


def test_once_ends_with_1_when_a_file_was_rejected_and_the_journal_has_its_own_time(batchd: Installation) -> None:
    batchd.drop("bad.json", "{")
    ended = batchd.call("run", "--once", "--sandbox", JOURNAL_STREAM="8:1")
    assert ended.returncode == 1
    assert (batchd.outbox / "rejected" / "bad.json.errors.json").exists()
    assert "file rejected" in ended.stderr
    assert all(line.startswith("level=") for line in ended.stderr.splitlines())


def test_once_ends_with_1_when_a_request_failed_and_retry_sends_it_again(batchd: Installation) -> None:
    batchd.drop("flaky.md", "Hi [sandbox: fail api_error 1]")
    assert batchd.call("run", "--once", "--sandbox", "--set", "retry.max_attempts=1").returncode == 1
    assert batchd.job("flaky")["state"] == "failed"
    retried = batchd.call("retry", "FLAKY")
    assert (retried.returncode, retried.stderr) == (0, "")
    assert "1 of 1 requests" in retried.stdout
    assert batchd.status("flaky")["jobs"][0]["state"] == "to be retried"
    assert batchd.call("run", "--once", "--sandbox").returncode == 0
    assert batchd.job("flaky")["state"] == "done"
    again = batchd.call("retry", "flaky")
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "nothing to send again" in again.stderr
    assert batchd.call("cancel", "flaky").returncode == 1
    assert batchd.call("release", "flaky").returncode == 1
    unknown = batchd.call("retry", "flakey")
    assert unknown.returncode == 2
    assert "did you mean flaky?" in unknown.stderr


def test_a_second_daemon_says_so_and_sigterm_ends_the_first(batchd: Installation) -> None:
    first = batchd.start("run", "--sandbox")
    batchd.wait_until_running()
    assert batchd.status()["daemon"]["pid"] == first.pid
    second = batchd.call("run", "--sandbox")
    assert second.returncode == 2
    assert "another batchd" in second.stderr.splitlines()[-1]
    assert batchd.stop(first) == 0
    assert batchd.status()["daemon"] == {"running": False, "pid": None}


@pytest.mark.parametrize(("number", "after"), [(signal.SIGINT, 0.0), (signal.SIGTERM, 0.1)])
def test_it_can_be_stopped_while_it_starts(batchd: Installation, number: signal.Signals, after: float) -> None:
    process = batchd.start("run", "--sandbox")
    batchd.wait_until(batchd.state.exists)
    time.sleep(after)
    process.send_signal(number)
    assert process.wait(SOON) == 0


def test_what_was_killed_goes_on_in_the_sandbox_too_and_quietly(batchd: Installation) -> None:
    batchd.drop("slow.md", "Answer slowly. [sandbox: take 2]")
    process = batchd.start("run", "--sandbox")
    batchd.wait_until_sent()
    process.kill()
    process.wait()
    ended = batchd.call("run", "--once", "--sandbox", "--quiet")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert len(batchd.job("slow")["batches"]) == 1


def test_the_demo_shows_everything_from_any_folder(batchd: Installation, tmp_path: Path) -> None:
    (tmp_path / "batchd.toml").write_text("nonsense = 1")
    ended = batchd.call("demo", TMPDIR=str(tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")
    for said in ("questions: done, 200 of 200", "beekeeping.md", "job.json", "no money was spent", "sandbox text"):
        assert said in ended.stdout
    assert not batchd.outbox.exists()


def test_the_sandbox_alone_serves_another_program_and_the_doctor(batchd: Installation) -> None:
    process = batchd.start("sandbox")
    assert process.stdout is not None
    address = process.stdout.readline().split()[-1]
    well = batchd.call("doctor", "--json", ANTHROPIC_BASE_URL=address, ANTHROPIC_API_KEY="CANARY-KEY")
    assert well.returncode == 0, well.stdout
    assert "CANARY" not in well.stdout
    assert {"settings", "key", "inbox", "outbox", "state", "database", "daemon", "api", "clock"} <= {
        finding["about"] for finding in json.loads(well.stdout)["findings"]
    }
    assert batchd.stop(process) == 0
    ill = batchd.call("doctor", ANTHROPIC_BASE_URL=address.replace("//", "//me:CANARY@"), ANTHROPIC_API_KEY="x")
    assert ill.returncode == 1
    assert "✗ api" in ill.stdout
    assert "CANARY" not in ill.stdout
    assert not batchd.state.exists()


def test_the_sandbox_takes_its_settings_as_flags(batchd: Installation) -> None:
    process = batchd.start(
        "sandbox", "--url-file", "url", "--api-key", "sk-only", "--organization", "", "--max-bytes", "9"
    )
    assert process.stdout is not None
    address = process.stdout.readline().split()[-1]
    assert (batchd.home / "url").read_text() == f"{address}\n"
    headers = {"x-api-key": "sk-only", "anthropic-version": "2026-10-21"}
    assert httpx2.get(f"{address}/v1/models", headers={**headers, "x-api-key": "sk-other"}).status_code == 401
    found = httpx2.get(f"{address}/v1/models", headers=headers)
    assert (found.status_code, "anthropic-organization-id" in found.headers) == (200, False)
    assert httpx2.post(f"{address}/v1/messages/batches", headers=headers, content=b"x" * 10).status_code == 413
    assert batchd.stop(process) == 0
    ended = batchd.call("sandbox", "--host", "192.0.2.1")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "--host" in ended.stderr


def test_the_doctor_names_what_is_wrong_with_settings(batchd: Installation) -> None:
    ended = batchd.call("doctor", "--offline", "--set", "poll.initial=-1")
    assert ended.returncode == 1
    assert "poll.initial" in ended.stdout


def test_a_reader_that_leaves_is_no_error(batchd: Installation) -> None:
    batchd.drop("a.md", "Hi")
    process = subprocess.Popen(
        [sys.executable, "-m", "batchd", "check", "--json", *["inbox/a.md"] * 300],
        cwd=batchd.home,
        env=batchd.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(SOON)


def test_where_a_library_kills_it_is_said_and_nothing_of_what_it_did(batchd: Installation) -> None:
    batchd.drop("slow.md", "CANARY-PROMPT [sandbox: take 3]")
    process = batchd.start("run", "--sandbox")
    batchd.wait_until_sent()
    process.send_signal(signal.SIGSEGV)
    assert process.wait(SOON) == -signal.SIGSEGV
    log = (batchd.home / ".log").read_text()
    assert "Fatal Python error: Segmentation fault" in log
    assert 'File "' in log.partition("Fatal Python error")[2]
    assert "CANARY" not in log
