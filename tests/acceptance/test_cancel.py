"""`batchd cancel`: what it says, and what `status` says of it, is what comes to pass."""

import json
from contextlib import suppress
from pathlib import Path

from tests.acceptance.installation import SOON, Installation

SLOW = "Hi [sandbox: take {}] [sandbox: words 5]"


def job_of(requests: int, seconds: float) -> str:
    lines = (
        {"custom_id": f"q{n}", "params": {"messages": [{"role": "user", "content": SLOW.format(seconds) + f" {n}"}]}}
        for n in range(requests)
    )
    return "\n".join(map(json.dumps, lines))


def test_of_a_batch_that_is_shared_it_says_what_goes_on_and_is_charged(batchd: Installation) -> None:
    batchd.drop("big.jsonl", job_of(6, 8))
    batchd.drop("tiny.jsonl", job_of(1, 8))
    batchd.start("run", "--sandbox")
    batchd.wait_until_sent()
    told = batchd.call("cancel", "big")
    assert told.returncode == 0
    said = " ".join(told.stdout.split())
    assert "0 of 6 requests have ended, 0 will not be sent." in said
    assert "is shared with tiny: it goes on, and is charged, with 6 of its requests." in said
    assert "stopped if the API still can" not in said
    table = batchd.call("status").stdout
    assert "job big: Batch 1 is shared with tiny: it goes on, and is charged" in " ".join(table.split())
    (job,) = batchd.status("big")["jobs"]
    assert job["shared_batches"] == [{"batch": 1, "requests": 6, "jobs": ["tiny"]}]
    assert batchd.job("big")["requests"]["complete"] == 6


def test_of_a_batch_of_its_own_it_says_that_it_is_stopped(batchd: Installation) -> None:
    batchd.drop("big.jsonl", job_of(6, 60))
    batchd.start("run", "--sandbox")
    batchd.wait_until_sent()
    said = " ".join(batchd.call("cancel", "big").stdout.split())
    assert "6 are on their way and stopped if the API still can" in said
    assert "shared" not in said
    assert batchd.job("big")["requests"]["canceled"] == 6


def test_a_job_that_was_cancelled_while_held_is_not_held_any_more(batchd: Installation) -> None:
    batchd.drop("dear.jsonl", json.dumps({"job": {"budget": 0.000001}}) + "\n" + job_of(2, 0))
    assert batchd.call("run", "--once", "--sandbox").returncode == 1
    assert batchd.status("dear")["jobs"][0]["state"] == "held"
    assert batchd.call("cancel", "dear").returncode == 0
    (job,) = batchd.status("dear")["jobs"]
    assert (job["state"], job["hold"]) == ("cancelling", None)
    assert "release" not in batchd.call("status").stdout
    batchd.call("run", "--once", "--sandbox")
    assert batchd.job("dear")["state"] == "cancelled"
    assert (batchd.outbox / "dear" / "results.jsonl").read_bytes() == b""
    assert not (batchd.outbox / "dear" / "held.json").exists()


def test_a_job_that_is_being_tried_anew_is_released_as_the_held_one_that_it_is(batchd: Installation) -> None:
    """As each result comes back, nothing is held until it is decided what there is room for."""
    batchd.drop("dear.jsonl", json.dumps({"job": {"budget": 0.000001}}) + "\n" + job_of(2, 0))
    assert batchd.call("run", "--once", "--sandbox").returncode == 1
    ((reason, held_from),) = batchd.sql("SELECT hold, held_from FROM jobs")
    batchd.sql("UPDATE jobs SET hold = NULL, held_from = NULL")
    release = batchd.start("release", "dear", "--up-to", "1")
    batchd.wait_until(lambda: has_open(release.pid, "batchd.sqlite"))
    batchd.sql(f"UPDATE jobs SET hold = '{reason}', held_from = {held_from}")  # noqa: S608  its own
    assert release.wait(SOON) == 0
    assert batchd.sql("SELECT hold, released_up_to FROM jobs") == [(None, 10**12)]


def has_open(process: int, name: str) -> bool:
    with suppress(OSError):
        return any(each.readlink().name == name for each in Path(f"/proc/{process}/fd").iterdir())
    return False
