import json
import shutil
from decimal import Decimal

from tests.acceptance.installation import Installation

GOOD = '{"custom_id": "a", "params": {"messages": [{"role": "user", "content": "Hi"}]}}\n'
LONG = '{"custom_id": "b", "params": {"max_tokens": 300000, "messages": [{"role": "user", "content": "Hi"}]}}\n'
BAD = '{"custom_id": "a", "params": {"max_tokens": 0, "messages": []}}\nnonsense\n'
STRANGE = '{"custom_id": "a", "params": {"model": "claude-x-99", "messages": [{"role": "user", "content": "Hi"}]}}\n'


def test_a_good_file_is_priced_and_nothing_is_touched(batchd: Installation) -> None:
    (batchd.home / "good.jsonl").write_text(GOOD + LONG)
    ended = batchd.call("check", "good.jsonl", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    (file,) = json.loads(ended.stdout)["files"]
    assert (file["ok"], file["requests"], file["errors"], file["long_requests"]) == (True, 2, [], 1)
    assert file["betas"] == ["output-300k-2026-03-24"]
    # 364,000 tokens of output at 5 USD a million in batches, and two short prompts
    assert 1.82 < file["estimate_usd"] < 1.825
    # The long one may be continued three times: 900,000 tokens more, and in each round all that precedes it is read,
    # at the price of writing it to the cache for an hour, and never more than the window of a million.
    assert file["continued_requests"] == 1
    repeated = 300_000 + 2 * 1_000_000
    assert 0 < file["worst_case_usd"] - (0.32 + 6.0 + repeated * 2e-6) < 0.05
    assert Decimal(str(file["worst_case_standard_usd"])) == 2 * Decimal(str(file["worst_case_usd"]))
    assert file["estimate_saving_usd"] == file["estimate_usd"]
    assert (file["history"], file["expected_usd"], file["advice"]) == ([], None, None)
    assert [path.name for path in batchd.home.iterdir()] == ["good.jsonl"]


def test_files_go_along_only_from_folders_that_the_settings_allow(batchd: Installation) -> None:
    (batchd.home / "code").mkdir()
    (batchd.home / "code" / "a.py").write_text("a = 1\n" * 1_000)
    (batchd.home / "port.md").write_text('---\nattach: ["*.py", "gone/*"]\n---\nPort it.')
    refused = batchd.call("check", "port.md", "--json")
    assert refused.returncode == 1
    ((error,),) = [file["errors"] for file in json.loads(refused.stdout)["files"]]
    assert (error["line"], error["field"]) == (1, "attach")
    assert "[attach]" in error["message"]
    (batchd.home / "batchd.toml").write_text('[attach]\nfolders = ["code"]\n')
    ((error,),) = [file["errors"] for file in json.loads(batchd.call("check", "port.md", "--json").stdout)["files"]]
    assert error["field"] == "attach[1]"
    (batchd.home / "code" / "gone").mkdir()
    (batchd.home / "code" / "gone" / "b").write_text("b")
    taken = batchd.call("check", "port.md", "--json")
    (file,) = json.loads(taken.stdout)["files"]
    assert (taken.returncode, file["ok"]) == (0, True)
    assert file["worst_case_usd"] > 6_000 * 1.5e-6, "what goes along is priced"
    assert "code may be attached" in batchd.call("doctor", "--offline").stdout
    (batchd.home / "code").rename(batchd.home / "away")
    assert "take it out of attach.folders" in " ".join(batchd.call("doctor", "--offline").stdout.split())


def test_every_error_is_told_with_its_line_and_field(batchd: Installation) -> None:
    (batchd.home / "bad.jsonl").write_text(BAD)
    ended = batchd.call("check", "bad.jsonl", "--json")
    assert ended.returncode == 1
    (file,) = json.loads(ended.stdout)["files"]
    assert file["error_count"] == 3
    assert {(error["line"], error["field"]) for error in file["errors"]} == {
        (1, "params.max_tokens"),
        (1, "params.messages"),
        (2, ""),
    }
    shown = batchd.call("check", "bad.jsonl").stdout
    assert "3 errors" in shown
    assert "params.max_tokens" in shown


def test_a_price_that_is_not_known_is_not_zero(batchd: Installation) -> None:
    (batchd.home / "strange.jsonl").write_text(STRANGE)
    (file,) = json.loads(batchd.call("check", "strange.jsonl", "--json").stdout)["files"]
    assert (file["ok"], file["worst_case_usd"], file["estimate_usd"]) == (True, None, None)
    assert file["cautions"]
    (batchd.home / "good.jsonl").write_text(GOOD)
    shown = batchd.call("check", "strange.jsonl", "good.jsonl").stdout
    assert "unknown: there is no price for claude-x-99" in shown
    assert "in all: 2 files, 2 requests, cost unknown" in shown
    assert "in all: 2 files, 2 requests, at most $0.64" in batchd.call("check", "good.jsonl", "good.jsonl").stdout


def test_what_cannot_be_read_ends_with_2_and_the_others_are_checked(batchd: Installation) -> None:
    (batchd.home / "good.jsonl").write_text(GOOD)
    ended = batchd.call("check", "none.jsonl", ".", "good.jsonl")
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 2
    assert "good.jsonl" in ended.stdout


def test_the_worst_case_is_what_the_daemon_reserves(batchd: Installation) -> None:
    (batchd.home / "long.jsonl").write_text(GOOD + LONG)
    (file,) = json.loads(batchd.call("check", "long.jsonl", "--json").stdout)["files"]
    batchd.drop("long.jsonl", GOOD + LONG)
    batchd.call("run", "--once", "--sandbox")
    (reserved,) = batchd.sql("SELECT sum(reserved) FROM trips")[0]
    assert Decimal(str(file["worst_case_usd"])) == Decimal(reserved) / 10**12


def test_what_such_requests_came_to_before_is_told_from_twenty_answers_on(batchd: Installation) -> None:
    job = {"model": "claude-haiku-4-5", "max_tokens": 1000}
    text = [{"role": "user", "content": "[sandbox: truncate at 400 rounds 1] Tell me of the sea. [sandbox: words 300]"}]
    requests = [{"custom_id": f"r{n}", "continue": n % 2, "params": {"messages": text}} for n in range(20)]
    (batchd.home / "few.json").write_text(json.dumps({"job": job, "requests": requests[:19]}))
    whole = json.dumps({"job": job, "requests": requests})
    (batchd.home / "all.json").write_text(whole)
    shutil.copytree(batchd.home, batchd.inbox, ignore=lambda *_: ["all.json"])
    batchd.call("run", "--once", "--sandbox")
    (file,) = json.loads(batchd.call("check", "all.json", "--json").stdout)["files"]
    assert (file["history"][0]["answers"], file["expected_usd"]) == (19, None)
    assert "19 answers" in batchd.call("check", "all.json").stdout

    batchd.drop("all.json", whole)
    batchd.call("run", "--once", "--sandbox")
    (file,) = json.loads(batchd.call("check", "all.json", "--json").stdout)["files"]
    (kind,) = file["history"]
    # Also those that were continued, with more room than they had at first, count as requests of 1,000 tokens.
    assert (kind["answers"], kind["max_tokens_from"], kind["max_tokens_to"]) == (39, 256, 1023)
    assert kind["median_output_tokens"] < kind["p95_output_tokens"]
    assert 0 < file["expected_usd"] < file["expected_p95_usd"] < file["worst_case_usd"]
    assert file["history_of_sandbox"]
    assert "39 answers of the sandbox" in batchd.call("check", "all.json").stdout


def test_a_database_that_cannot_be_read_keeps_nobody_from_checking(batchd: Installation) -> None:
    (batchd.home / "good.jsonl").write_text(GOOD)
    batchd.state.mkdir()
    (batchd.state / "batchd.sqlite").write_text("no database")
    ended = batchd.call("check", "good.jsonl")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "usually" in ended.stdout
    assert "cannot be read" in ended.stdout


def test_short_and_few_is_said_to_be_no_case_for_batches(batchd: Installation) -> None:
    (batchd.home / "good.jsonl").write_text(GOOD)
    (batchd.home / "many.jsonl").write_text("".join(GOOD.replace('"a"', f'"a{n}"') for n in range(101)))
    good, many = json.loads(batchd.call("check", "good.jsonl", "many.jsonl", "--json").stdout)["files"]
    assert "24 hours" in good["advice"]
    assert many["advice"] is None


def test_another_region_costs_a_tenth_more_in_every_figure(batchd: Installation) -> None:
    params = {"model": "claude-sonnet-4-6", "max_tokens": 1000, "messages": [{"role": "user", "content": "Sort it."}]}
    for name, more in (("plain.jsonl", {}), ("us.jsonl", {"inference_geo": "us"})):
        line = {"custom_id": "a", "continue": 2, "params": {**params, **more}}
        (batchd.home / name).write_text(json.dumps(line))
    plain, there = json.loads(batchd.call("check", "plain.jsonl", "us.jsonl", "--json").stdout)["files"]
    for figure in ("worst_case_usd", "worst_case_standard_usd", "estimate_usd", "estimate_standard_usd"):
        assert Decimal(str(there[figure])) == Decimal(str(plain[figure])) * Decimal("1.1")
