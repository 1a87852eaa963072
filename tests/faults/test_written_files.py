"""Answers that consist of files: written below their job's folder and nowhere else, or told; never half, never lost."""

import json
import os
from typing import Any

import pytest
from batchd.edges.durable import Together
from batchd.edges.store import DATABASE, open_store

from tests.support.house import House

pytestmark = pytest.mark.anyio

MODEL = "claude-sonnet-4-6"


def drop(home: House, name: str, prompt: str, **more: object) -> None:
    params = {"model": MODEL, "max_tokens": 8_000, "messages": [{"role": "user", "content": prompt}]}
    line = {"custom_id": name, "params": params, "files": True, **more}
    (home.inbox / f"{name}.json").write_text(json.dumps(line))


def report(home: House, name: str) -> dict[str, Any]:
    (row,) = home.lines(name, "report.jsonl")
    return row


def written(home: House, name: str) -> dict[str, str]:
    root = home.outbox / name
    files = root / "documents" / name / "files"
    return {str(path.relative_to(root)): path.read_text("utf-8") for path in files.rglob("*") if path.is_file()}


async def test_files_lie_beside_the_whole_document(home: House) -> None:
    drop(home, "port", "Write [FILE: src/a.py] first.\n[FILE: src/a.py]\n[FILE: notes.md]\n[END OF FILES]")
    assert await home.run()
    row = report(home, "port")
    assert row["verdict"] == "complete"
    assert row["document"] == "documents/port.md"
    assert row["files"] == ["documents/port/files/src/a.py", "documents/port/files/notes.md"]
    assert row["files_refused"] == []
    assert sorted(written(home, "port")) == sorted(row["files"])
    assert all(written(home, "port").values())
    assert (home.outbox / "port" / "documents" / "port.md").exists()


async def test_without_the_setting_nothing_is_written_or_told(home: House) -> None:
    drop(home, "port", "[FILE: src/a.py]", files=False)
    assert await home.run()
    assert "files" not in report(home, "port")
    assert written(home, "port") == {}


async def test_nothing_is_written_outside(home: House) -> None:
    drop(home, "evil", "[FILE: ../../../evil.py]\n[FILE: /tmp/evil.py]\n[FILE: good.py]\n[FILE: GOOD.py]\n")
    assert await home.run()
    row = report(home, "evil")
    assert row["files"] == ["documents/evil/files/good.py"]
    assert [each["path"] for each in row["files_refused"]] == ["../../../evil.py", "/tmp/evil.py", "GOOD.py"]  # noqa: S108
    assert all(each["reason"] for each in row["files_refused"])
    assert not list(home.place.rglob("*evil.py"))


async def test_an_answer_without_a_file_is_short_and_continued(home: House) -> None:
    drop(home, "none", "Say hello.", **{"continue": 1})
    assert not await home.run()
    row = report(home, "none")
    assert (row["verdict"], row["rounds"], row["files"]) == ("short", 2, [])
    assert row["reason"].startswith("no file found")
    (failure,) = home.lines("none", "failures.jsonl")
    assert failure["files"] is True


async def test_of_an_answer_that_stays_cut_the_last_file_is_not_written(home: House) -> None:
    drop(home, "cut", "[FILE: a.py]\n[FILE: b.py]\n[sandbox: truncate rounds 9]", **{"continue": 0})
    assert not await home.run()
    row = report(home, "cut")
    assert row["verdict"] == "truncated"
    (refused,) = row["files_refused"]
    assert refused["reason"].startswith("not whole")
    assert f"documents/cut/files/{refused['path']}" not in row["files"]
    assert sorted(written(home, "cut")) == sorted(row["files"])


async def test_cut_and_continued_they_are_those_of_the_uncut_answer(home: House) -> None:
    prompt = "[FILE: a.py]\n[FILE: b/c.py]\n[FILE: d.md]\n"
    drop(home, "whole", prompt)
    drop(home, "cut", prompt + "[sandbox: truncate at 300 rounds 2]", **{"continue": 3})
    assert await home.run()
    assert report(home, "cut")["rounds"] == 3
    same = {path.replace("/whole/", "/cut/"): text for path, text in written(home, "whole").items()}
    assert written(home, "cut") == same


async def test_a_retry_and_a_second_delivery_give_the_same_bytes(home: House) -> None:
    drop(home, "again", "[FILE: a.py]\n[FILE: b.py]\n[sandbox: fail api_error 1]")
    assert not await home.run(retry__max_attempts=1)
    assert report(home, "again")["files"] == []
    async with open_store(home.state / DATABASE) as store:
        await store.retries.want((await store.jobs.recent(1))[0].id)
    troubles = [OSError(5, os.strerror(5))]
    honest = Together.sync

    def unwilling(self: Together) -> None:
        if troubles:
            raise troubles.pop()
        honest(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Together, "sync", unwilling)
        assert await home.run(retry__max_attempts=1)
    assert not troubles, "nothing was delivered twice"
    first = written(home, "again")
    assert sorted(first) == sorted(report(home, "again")["files"])
    drop(home, "again-2", "[FILE: a.py]\n[FILE: b.py]")
    assert await home.run()
    assert {path.replace("again-2", "again"): text for path, text in written(home, "again-2").items()} == first
