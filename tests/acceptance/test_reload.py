"""SIGHUP: settings and key anew, without a restart, all of them or none."""

import json
import os
import signal
from functools import partial
from pathlib import Path

from tests.acceptance.installation import Installation

RIGHT = "[batch]\nlinger = 0.1\n"


def hangs_up(batchd: Installation) -> None:
    pid = batchd.status()["daemon"]["pid"]
    os.kill(pid, signal.SIGHUP)


def log(batchd: Installation) -> str:
    return (batchd.home / ".log").read_text()


def is_read(batchd: Installation, times: int) -> bool:
    return log(batchd).count("settings read") == times


def ask(text: str) -> str:
    return f"---\nmodel: claude-haiku-4-5\nmax_tokens: 500\n---\n{text} [sandbox: words 5]\n"


def test_wrong_settings_leave_the_old_ones_and_right_ones_hold_at_once(batchd: Installation) -> None:
    toml = batchd.home / "batchd.toml"
    toml.write_text(RIGHT)
    batchd.drop("first.md", ask("One."))
    process = batchd.start("run", "--sandbox")
    assert batchd.job("first")["state"] == "done"

    toml.write_text(RIGHT + "[budget]\nper_jbo = 1\n")
    hangs_up(batchd)
    batchd.wait_until(lambda: batchd.status()["settings_error"])
    assert "per_jbo" in batchd.status()["settings_error"]
    assert log(batchd).count("settings are wrong") == 1
    assert batchd.call("doctor", "--offline").returncode == 1
    batchd.drop("second.md", ask("Two."))
    toml.write_text(RIGHT)
    assert batchd.job("second")["state"] == "done"

    toml.write_text('outbox = "elsewhere"\n' + RIGHT + "[budget]\nper_job = 0.000001\n")
    hangs_up(batchd)
    batchd.wait_until(lambda: "settings read" in log(batchd))
    batchd.wait_until(lambda: batchd.status()["settings_error"] is None)
    told = next(line for line in log(batchd).splitlines() if "settings read" in line)
    assert "budget.per_job" in told
    assert "outbox" in told
    toml.write_text(RIGHT + "[budget]\nper_job = 0.000001\n")
    batchd.drop("third.md", ask("Three."))
    batchd.wait_until((batchd.outbox / "third/held.json").exists)
    assert process.poll() is None
    assert batchd.stop(process) == 0
    assert not (batchd.home / "elsewhere").exists()


def test_what_is_under_way_is_neither_lost_nor_sent_again_by_many_reloads(batchd: Installation) -> None:
    toml = batchd.home / "batchd.toml"
    toml.write_text(RIGHT)
    lines = [
        json.dumps(
            {"custom_id": f"r{n}", "params": {"messages": [{"role": "user", "content": f"{n} [sandbox: take 1]"}]}}
        )
        for n in range(20)
    ]
    batchd.drop("many.jsonl", "\n".join(lines))
    batchd.drop("now.md", "---\nlane: sync\n---\nAt once. [sandbox: words 40]\n")
    process = batchd.start("run", "--sandbox")
    batchd.wait_until_sent()
    for n in range(4):
        toml.write_text(f"{RIGHT}concurrency = {n + 1}\n")
        hangs_up(batchd)
        batchd.wait_until(partial(is_read, batchd, n + 1))
    assert batchd.job("many")["requests"]["complete"] == 20
    assert batchd.job("now")["state"] == "done"
    assert batchd.stop(process) == 0
    results = (batchd.outbox / "many/results.jsonl").read_text().splitlines()
    assert len({json.loads(line)["custom_id"] for line in results}) == len(results) == 20
    assert batchd.sql("SELECT count(*) FROM trips") == [(21,)]


def test_the_file_of_the_key_is_told_by_doctor(batchd: Installation, tmp_path: Path) -> None:
    file = tmp_path / "the key"
    file.write_text("sk-ant-some-key\n")
    told = batchd.call("doctor", "--offline", "--set", f"api.key_file={file}").stdout
    assert f"{file} (api.key_file)" in " ".join(told.split())
    assert "sk-ant" not in told
    missing = batchd.call("doctor", "--offline", "--set", f"api.key_file={file}.new")
    assert missing.returncode == 1
    assert "api.key_file" in missing.stdout
