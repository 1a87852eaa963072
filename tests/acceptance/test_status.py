import json
import signal

import pytest

from tests.acceptance.installation import SOON, Installation

HELD = "UPDATE batches SET state = 'held', trouble = 'in doubt', next_poll_at = NULL"
LOST = f"{HELD}, remote_id = NULL, evidence = NULL, submitted_at = NULL, expires_at = NULL"


def test_status_makes_nothing_where_there_is_nothing(batchd: Installation) -> None:
    ended = batchd.call("status")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "there is no installation here" in ended.stderr
    assert not any(batchd.home.iterdir())


def test_status_shows_a_job_without_a_daemon(under_way: Installation) -> None:
    seen = under_way.status()
    (job,), (batch,) = seen["jobs"], seen["batches"]
    assert (job["job"], job["state"], job["requests"]["travelling"]) == ("slow", "travelling", 1)
    assert (batch["jobs"], batch["state"], batch["answers"]) == (["slow"], "processing", [])
    assert job["next_poll_at"] == batch["next_poll_at"] is not None
    text = under_way.call("status").stdout
    assert "does not run" in text
    assert "travelling" in text
    detail = under_way.call("status", "slow").stdout
    assert batch["remote_id"] in detail
    assert under_way.status("slow")["batches"][0]["remote_id"] == batch["remote_id"]


def test_status_can_be_watched_until_ctrl_c(under_way: Installation) -> None:
    process = under_way.start("status", "--watch")
    assert process.stdout is not None
    while "slow" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(SOON) == 0


def test_waiting_files_and_rejections_are_counted(batchd: Installation) -> None:
    batchd.drop("bad.json", "{")
    batchd.call("run", "--once", "--sandbox")
    batchd.drop("a.md", "Hi")
    seen = batchd.status()
    assert (seen["inbox"]["waiting"], seen["outbox"]["rejected"]) == (1, 1)


def test_cancel_is_heard_by_a_running_daemon(batchd: Installation) -> None:
    batchd.drop("endless.md", "Never answer. [sandbox: take 600]")
    process = batchd.start("run", "--sandbox")
    batchd.wait_until_sent()
    cancelled = batchd.call("cancel", "endless")
    assert cancelled.returncode == 0
    assert "within a second" in cancelled.stdout
    assert batchd.job("endless")["state"] == "cancelled"
    assert batchd.stop(process) == 0


def test_a_job_that_has_not_finished_cannot_be_retried(under_way: Installation) -> None:
    ended = under_way.call("retry", "slow")
    assert ended.returncode == 1
    assert "has not finished" in ended.stderr


def test_a_held_job_goes_on_when_it_is_released(under_way: Installation) -> None:
    under_way.sql(HELD)
    assert under_way.status()["jobs"][0]["state"] == "held"
    assert under_way.call("run", "--once", "--sandbox").returncode == 1
    released = under_way.call("release", "slow")
    assert released.returncode == 0
    assert "`batchd run`" in released.stdout
    assert under_way.call("run", "--once", "--sandbox").returncode == 0
    assert under_way.job("slow")["state"] == "done"


def test_a_batch_in_doubt_names_the_three_answers(under_way: Installation) -> None:
    under_way.sql(LOST)
    shown = under_way.call("status").stdout
    assert "in doubt" in shown
    for answer in ("--adopt", "--resend", "--drop"):
        assert f"batchd resolve 1 {answer}" in shown
    refused = under_way.call("release", "slow")
    assert refused.returncode == 1
    assert "batchd resolve 1 --resend" in refused.stderr


@pytest.mark.parametrize("right", [True, False])
def test_adopt_takes_the_batch_that_a_person_names(under_way: Installation, *, right: bool) -> None:
    ((remote,),) = under_way.sql("SELECT remote_id FROM batches")
    under_way.sql(LOST)
    if right:
        assert under_way.call("resolve", "1", "--adopt", remote).returncode == 0
        assert under_way.call("run", "--once", "--sandbox").returncode == 0
        assert under_way.job("slow")["batches"] == [remote]
        assert under_way.call("resolve", "1", "--drop").returncode == 1
    else:
        assert under_way.call("resolve", "7", "--adopt", remote).returncode == 2
        assert under_way.status()["batches"][0]["state"] == "held"


def test_resend_sends_it_again(under_way: Installation) -> None:
    ((before,),) = under_way.sql("SELECT remote_id FROM batches")
    under_way.sql(LOST)
    assert under_way.call("resolve", "1", "--resend").returncode == 0
    assert under_way.call("run", "--once", "--sandbox").returncode == 0
    (after,) = under_way.job("slow")["batches"]
    assert after != before


def test_drop_gives_it_up_and_says_why(under_way: Installation) -> None:
    under_way.sql(LOST)
    assert under_way.call("resolve", "1", "--drop").returncode == 0
    assert under_way.call("run", "--once", "--sandbox").returncode == 1
    assert under_way.job("slow")["requests"]["canceled"] == 1
    failure = json.loads((under_way.outbox / "slow" / "failures.jsonl").read_text())["failure"]
    assert "batchd resolve" in failure["reason"]


def test_a_job_is_released_up_to_a_sum(batchd: Installation) -> None:
    params = {"model": "claude-haiku-4-5", "max_tokens": 1000, "messages": [{"role": "user", "content": "Say hello."}]}
    lines = [json.dumps({"custom_id": f"r{n}", "params": params}) + "\n" for n in range(6)]
    batchd.drop("dear.jsonl", "".join(lines))
    run = ("run", "--once", "--sandbox", "--set", "budget.per_job=0.0001")
    assert batchd.call(*run).returncode == 1
    for amount in ("0", "-1", "nan", "2000000"):
        assert batchd.call("release", "dear", "--up-to", amount).returncode == 2
    released = batchd.call("release", "dear", "--up-to", "0.003")
    assert released.returncode == 0
    assert "goes on up to $0.0030 (sandbox): $0.00 (sandbox) of it are spent or reserved" in released.stdout
    assert "released up to $0.0030 (sandbox)" in batchd.call("status").stdout
    assert batchd.call(*run).returncode == 1
    (job,) = batchd.status()["jobs"]
    assert (job["released"], job["released_up_to_usd"], job["state"]) == (True, 0.003, "held")
    assert "released up to $0.0030" in job["hold"]
    assert 0 < job["cost_usd"] < 0.003
    refused = batchd.call("release", "dear", "--up-to", "0.000001")
    assert refused.returncode == 1
    assert "needs a larger sum" in refused.stderr
    assert batchd.call("release", "dear").returncode == 0
    assert batchd.call(*run).returncode == 0
