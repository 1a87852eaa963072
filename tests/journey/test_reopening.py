"""A retry reads `results.jsonl` as tolerantly as it was taken, and keeps what it cannot read."""

import json
import os
from pathlib import Path

import pytest
from batchd.edges.outbox import JobFolder
from batchd.edges.store.retries import Superseded
from batchd.journey.reopening import take_back


def line(custom_id: str, type_: str, **more: object) -> bytes:
    return json.dumps({"custom_id": custom_id, "result": {"type": type_, **more}}).encode() + b"\n"


FAILED = Superseded(frozenset({"bad"}), frozenset(), ())
GOOD = line("good", "succeeded", message={"content": []})
BAD = line("bad", "errored")
KEPT = {
    "a blank line": b"\n",
    "half a line": b'{"custom_id":"bad","result":{"type":"err',
    "half a character": b'{"custom_id":"other","result":{"type":"succeeded","text":"caf\xc3"}}\n',
    "half an emoji": b'{"custom_id":"other","result":{"type":"succeeded","text":"\\ud83d"}}\n',
    "NaN": b'{"custom_id":"other","result":{"type":"succeeded","usage":{"input_tokens":NaN}}}\n',
    "a type that is a number": b'{"custom_id":"other","result":{"type":5}}\n',
    "no object": b"[1, 2]\n",
    "zeros": bytes(100) + b"\n",
    "depth": b"[" * 100_000 + b"\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    made = JobFolder(tmp_path, "a")
    made.create()
    for name in ("job.json", "report.jsonl", "failures.jsonl"):
        made.write_whole(name, [b"{}"])
    return made


@pytest.mark.parametrize("odd", KEPT.values(), ids=KEPT)
def test_what_cannot_be_read_is_kept_and_failures_go(folder: JobFolder, odd: bytes) -> None:
    folder.write_whole("results.jsonl", [GOOD, BAD, odd])
    length = take_back(folder, FAILED)
    left = (folder.path / "results.jsonl").read_bytes()
    assert left == GOOD + odd.rstrip(b"\n") + b"\n"
    assert length == len(left)
    assert not (folder.path / "job.json").exists()


def test_what_was_paid_of_a_document_whose_later_round_failed_is_kept(folder: JobFolder) -> None:
    paid = line("bad", "succeeded", message={"content": []})
    folder.write_whole("results.jsonl", [paid, BAD])
    take_back(folder, FAILED)
    assert (folder.path / "results.jsonl").read_bytes() == paid


def test_failures_that_were_read_leniently_go_too(folder: JobFolder) -> None:
    odd = b'{"custom_id":"bad","result":{"type":"errored","error":{"message":"\\ud83d"}}}\n'
    folder.write_whole("results.jsonl", [GOOD, odd])
    take_back(folder, FAILED)
    assert (folder.path / "results.jsonl").read_bytes() == GOOD


def test_where_there_are_no_results_there_are_none_afterwards(folder: JobFolder) -> None:
    assert take_back(folder, FAILED) == 0


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_is_no_file_is_that_jobs_trouble_and_changes_nothing(folder: JobFolder, tmp_path: Path, kind: str) -> None:
    place = folder.path / "results.jsonl"
    if kind == "folder":
        place.mkdir()
    elif kind == "link":
        place.symlink_to(tmp_path)
    else:
        os.mkfifo(place)
    with pytest.raises(OSError, match="not a regular file"):
        take_back(folder, FAILED)
    assert (folder.path / "job.json").exists()


PAID = Superseded(frozenset(), frozenset({"good"}), ("documents/good.md",))
OTHER = line("other", "succeeded", message={"content": []})


@pytest.mark.parametrize("left", [b"", GOOD[:20], GOOD], ids=["nothing", "half", "all"])
def test_a_paid_line_is_superseded_once_wherever_a_crash_came_between(folder: JobFolder, left: bytes) -> None:
    folder.write_whole("results.jsonl", [GOOD, OTHER])
    folder.write_whole("documents/good.md", [b"text"])
    if left == GOOD:
        folder.write_whole("superseded.jsonl", [GOOD])
    elif left:
        (folder.path / ".superseded.jsonl.part").write_bytes(left)
    take_back(folder, PAID)
    take_back(folder, PAID)
    assert (folder.path / "superseded.jsonl").read_bytes() == GOOD
    assert (folder.path / "results.jsonl").read_bytes() == OTHER
    assert not (folder.path / "documents" / "good.md").exists()
