"""What a folder lets all of its jobs cost in a day, together: by the real daemon against the sandbox."""

import json

import pytest
from batchd.edges.store import DATABASE, open_store

from tests.support.house import House

pytestmark = pytest.mark.anyio

ASK = "---\nmodel: claude-haiku-4-5\nmax_tokens: 1000\nbudget_day: 0.006\n---\nWrite of {{ a }}. [sandbox: words 3000]"
"""A row may cost about $0.0026, and comes to nearly that: two fit."""


def put(home: House, name: str, text: str) -> None:
    path = home.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.tmp")
    hidden.write_text(text)
    hidden.rename(path)


def sent(home: House) -> int:
    return sum(entry.count for entry in home.server.ledger.batches())


async def release(home: House, name: str, up_to: int | None) -> None:
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named(name)
        assert job is not None
        await store.holds.release(job.id, up_to)


async def test_the_jobs_of_a_folder_share_its_day_and_those_of_others_do_not(home: House) -> None:
    put(home, "q/.batchd.md", ASK)
    put(home, "q/x.csv", "a\none\n")
    put(home, "q/below/y.csv", "a\ntwo\n")
    put(home, "q/z.csv", "a\nthree\n")
    put(home, "other/.batchd.md", ASK)
    put(home, "other/w.csv", "a\nfour\nfive\n")
    assert not await home.run()
    assert sent(home) == 4
    assert home.job("other/w")["state"] != "failed"
    (note,) = (home.outbox / "q").rglob("held.json")
    held = json.loads(note.read_text())
    assert "budget_day of its folder's .batchd.md is $0.0060" in held["reason"]
    assert held["until"].endswith("T00:00:00.000Z")
    name = str(note.parent.relative_to(home.outbox))
    assert not await home.run()
    assert sent(home) == 4, "what was spent is still known after a restart"
    await release(home, name, up_to=10**12)
    await home.run()
    assert sent(home) == 5
    home.assert_nothing_twice()


async def test_the_next_day_has_room_again(home: House) -> None:
    put(home, "q/.batchd.md", ASK)
    put(home, "q/x.csv", "a\none\ntwo\nthree\n")
    assert not await home.run()
    assert sent(home) == 2
    home.jump(86_400.0)
    await home.run()
    assert sent(home) == 3


async def test_nothing_that_is_dropped_widens_it(home: House) -> None:
    put(home, "q/.batchd.md", ASK)
    params = {"model": "claude-haiku-4-5", "max_tokens": 1000, "messages": [{"role": "user", "content": "Go on."}]}
    line = json.dumps({"custom_id": "r", "params": params})
    put(home, "q/wide.jsonl", json.dumps({"job": {"budget_day": 9}}) + "\n" + line)
    (home.inbox / "q/made").mkdir()
    (home.inbox / "q/made/prompt.md").write_text("---\nbudget_day: 9\n---\nGo on.")
    (home.inbox / "q/made").rename(home.inbox / "q/made.job")
    put(home, "q/dear.jsonl", json.dumps({"job": {"budget": 9}}) + "\n" + line.replace("1000", "4000"))
    assert not await home.run()
    assert sent(home) == 0
    assert (home.outbox / "q/dear/held.json").exists()
    told = "".join(path.read_text() for path in (home.outbox / "rejected").rglob("*.errors.json"))
    assert told.count("budget_day") >= 2
