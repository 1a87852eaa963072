import json
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
    # 364,000 tokens of output at 7.5 USD a million in batches, and two short prompts
    assert 2.73 < file["estimate_usd"] < file["worst_case_usd"] < 2.735
    assert Decimal(str(file["worst_case_standard_usd"])) == 2 * Decimal(str(file["worst_case_usd"]))
    assert [path.name for path in batchd.home.iterdir()] == ["good.jsonl"]


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
    assert "unknown" in batchd.call("check", "strange.jsonl").stdout


def test_what_cannot_be_read_ends_with_2_and_the_others_are_checked(batchd: Installation) -> None:
    (batchd.home / "good.jsonl").write_text(GOOD)
    ended = batchd.call("check", "none.jsonl", ".", "good.jsonl")
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 2
    assert "good.jsonl" in ended.stdout
