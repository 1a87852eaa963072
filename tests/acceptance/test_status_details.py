"""`status JOB` says how far it is and why requests failed; `status --since` lists all since a moment."""

import json

from tests.acceptance.installation import Installation


def asked(batchd: Installation, name: str, *prompts: str, **more: object) -> None:
    batchd.drop(
        f"{name}.jsonl",
        "".join(
            json.dumps(
                {
                    "custom_id": f"q{n}",
                    "params": {
                        "model": "claude-haiku-5-5",
                        "max_tokens": 1000,
                        "messages": [{"role": "user", "content": prompt}],
                    },
                    **more,
                }
            )
            + "\n"
            for n, prompt in enumerate(prompts)
        ),
    )


def test_failures_alike_are_told_together(batchd: Installation) -> None:
    wanted = [f"short [sandbox: words {n}]" for n in (20, 21, 22)]
    asked(batchd, "a", *wanted, "refused [sandbox: refuse]", expect={"words": 500})
    batchd.call("run", "--once", "--sandbox")
    [job] = batchd.status("a")["jobs"]
    counted = {each["verdict"]: each["count"] for each in job["failures"]}
    assert counted == {"short": 3, "refused": 1}
    assert job["age_seconds"] > 0
    shown = batchd.call("status", "a").stdout
    assert "(and 2 more alike)" in shown


def test_a_document_under_way_says_its_round_and_its_words(batchd: Installation) -> None:
    # Each round is waited for by a poll, so that there is time to stop between two of them.
    asked(batchd, "long", "long [sandbox: truncate at 300 rounds 9]", **{"continue": 8}, expect={"words": 50_000})
    process = batchd.start("run", "--sandbox", "--set", "poll.initial=2")
    batchd.wait_until_sent()
    batchd.wait_until(lambda: batchd.sql("SELECT 1 FROM requests WHERE round > 0"))
    process.kill()
    process.wait()
    [document] = batchd.status("long")["jobs"][0]["documents"]
    assert document["round"] > 1
    assert document["rounds"] > document["round"]
    assert document["words"] > 0
    assert document["words_wanted"] == 50_000
    assert "of 50,000 words" in batchd.call("status", "long").stdout


def test_all_since_a_moment_are_listed_and_none_before(batchd: Installation) -> None:
    asked(batchd, "a", "one [sandbox: words 20]")
    batchd.call("run", "--once", "--sandbox")
    assert [job["job"] for job in batchd.status("--since", "1h")["jobs"]] == ["a"]
    assert [job["job"] for job in batchd.status("--since", "yesterday")["jobs"]] == ["a"]
    assert batchd.status("--since", "2999-01-01")["jobs"] == []
    assert batchd.call("status", "--since", "soon").returncode == 2
    assert batchd.call("status", "a", "--since", "1h").returncode == 2
