"""`batchd prune`, as a person calls it."""

import hashlib
import json
from pathlib import Path

from tests.acceptance.installation import Installation


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")
    }


def test_it_says_what_goes_and_then_exactly_that_goes(batchd: Installation) -> None:
    batchd.drop("a.md", "Hello [sandbox: words 5]")
    batchd.drop("wrong.jsonl", "{")
    assert batchd.call("run", "--once", "--sandbox").returncode == 1
    costs = batchd.call("costs", "--json").stdout, batchd.call("costs", "--by", "job", "--json").stdout
    nothing = batchd.call("prune")
    assert (nothing.returncode, "nothing is removed" in nothing.stdout) == (0, True)
    told = json.loads(batchd.call("prune", "--json").stdout)
    assert told == {"schema": "batchd/prune/1", "removes": [], "keeps": []}
    assert json.loads(batchd.call("prune", "--json", BATCHD_KEEP__OUTBOX="30").stdout)["removes"] == []

    before = bytes_of(batchd.home)
    would = json.loads(batchd.call("prune", "--older-than", "0d", "--dry-run", "--json").stdout)
    assert bytes_of(batchd.home) == before
    assert {each["what"] for each in would["removes"]} == {"outbox", "rejected", "rows"}
    assert all(set(each) == {"what", "path", "bytes"} and each["bytes"] > 0 for each in would["removes"])
    done = json.loads(batchd.call("prune", "--older-than", "0d", "--json").stdout)
    assert done == would
    assert sorted(path.name for path in batchd.outbox.rglob("*") if path.is_file()) == [".batchd.json", "events.jsonl"]
    assert costs == (batchd.call("costs", "--json").stdout, batchd.call("costs", "--by", "job", "--json").stdout)
    (job,) = batchd.status("a")["jobs"]
    assert (job["state"], job["requests"]["complete"]) == ("done", 1)
    assert batchd.call("retry", "a").returncode == 1


def test_results_are_packed_before_their_folder_goes_and_are_read_as_before(batchd: Installation) -> None:
    batchd.drop("a.md", "Hello [sandbox: words 5]")
    assert batchd.call("run", "--once", "--sandbox").returncode == 0
    read = batchd.call("results", "a", "--jsonl").stdout
    days = {"BATCHD_KEEP__DOCUMENTS_ONLY": "30"}
    assert json.loads(batchd.call("prune", "--json", **days).stdout)["removes"] == []
    done = batchd.call("prune", "--older-than", "0d", "--what", "documents_only", "--json")
    (gone,) = json.loads(done.stdout)["removes"]
    assert (gone["what"], Path(gone["path"]).name) == ("documents_only", "a")
    assert sorted(path.name for path in (batchd.outbox / "a").iterdir() if path.is_file()) == [
        "job.json",
        "report.jsonl",
        "results.jsonl.zst",
    ]
    assert batchd.call("results", "a", "--jsonl").stdout == read != ""
    assert batchd.call("retry", "a").returncode == 1


def test_wrong_calls(under_way: Installation) -> None:
    for words in (("--older-than", "soon"), ("--what", "everything"), ("--what", "")):
        ended = under_way.call("prune", *words)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    told = json.loads(under_way.call("prune", "--older-than", "0d", "--json").stdout)
    assert told["removes"] == []
    assert {each["reason"] for each in told["keeps"]} == {"outbox: it has not finished", "rows: it has not finished"}
