"""The same file again, soon: it is held with a question and costs nothing; later it is sent, and told of."""

import json
from pathlib import Path
from typing import Any

import pytest
from batchd.app import serve
from batchd.edges.store import DATABASE, Store, open_store

from tests.support.bundles import drop
from tests.support.house import House, run_until

pytestmark = pytest.mark.anyio

WINDOW = {"intake__duplicate_window": 600.0}


def save(home: House, name: str = "q/a.md", text: str = "Why?") -> None:
    path = home.inbox / name
    path.parent.mkdir(exist_ok=True)
    hidden = path.with_name(f".{path.name}")
    hidden.write_text(f"---\nmodel: claude-haiku-4-5\nmax_tokens: 50\n---\n{text}")
    hidden.rename(path)


def held(home: House, job: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home.outbox / job / "held.json").read_text("utf-8"))
    return found


def ended(home: House, job: str) -> Path:
    return home.outbox / job / "job.json"


async def test_saved_twice_is_one_job_and_one_question(home: House) -> None:
    save(home)
    assert await home.run(**WINDOW)
    save(home)
    assert not await home.run(**WINDOW)
    note = held(home, "q/a-2")
    assert note["reason"].startswith("the same bytes as q/a, received ")
    assert (note["until"], note["release"], note["cancel"]) == (None, "batchd release q/a-2", "batchd cancel q/a-2")
    assert sum(home.accepted().values()) == 1
    # Whatever else happens, and whatever ends, it waits for its answer.
    save(home, "b.md", "How?")
    await home.run(**WINDOW)
    assert ended(home, "b").exists()
    assert not ended(home, "q/a-2").exists()
    async with open_store(home.state / DATABASE) as store:
        await release(store, "q/a-2")
    assert await home.run(**WINDOW)
    assert home.job("q/a-2")["state"] == "done"
    assert home.job("q/a-2")["cautions"] == [note["reason"]]
    assert not (home.outbox / "q/a-2/held.json").exists()


async def release(store: Store, name: str) -> None:
    job = await store.jobs.named(name)
    assert job is not None
    assert job.twin is not None
    await store.holds.release_twin(job.id)


async def test_while_the_first_is_under_way_a_second_waits_and_may_be_cancelled(home: House) -> None:
    save(home)
    await run_until(home, (home.outbox / "q/a/request.md").exists, **WINDOW)
    save(home)
    await run_until(home, (home.outbox / "q/a-2/held.json").exists, **WINDOW)
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named("q/a-2")
        assert job is not None
        await store.jobs.cancel(job.id)
    await home.run(**WINDOW)
    assert (home.job("q/a")["state"], home.job("q/a-2")["state"]) == ("done", "cancelled")
    assert sum(home.accepted().values()) == 1


async def test_a_released_one_is_held_by_budgets_as_any_other(home: House) -> None:
    save(home)
    await home.run(**WINDOW)
    save(home)
    await home.run(**WINDOW)
    async with open_store(home.state / DATABASE) as store:
        await release(store, "q/a-2")
    await home.run(**WINDOW, budget__per_job=0.000001)
    assert "release_up_to" in held(home, "q/a-2")
    assert sum(home.accepted().values()) == 1


@pytest.mark.parametrize(
    "again",
    [{"name": "q/b.md"}, {"name": "r/a.md"}, {"text": "Why not?"}, {"name": f"q/a.@{'0' * 26}.md"}],
    ids=["name", "folder", "bytes", "ticket"],
)
async def test_what_differs_is_another_job(home: House, again: dict[str, str]) -> None:
    save(home)
    await home.run(**WINDOW)
    save(home, **again)
    assert await home.run(**WINDOW)
    assert sum(home.accepted().values()) == 2


async def test_under_other_instructions_it_is_another_job(home: House) -> None:
    for prompt in ("One {{ text }}", "Two {{ text }}"):
        save(home, "q/.batchd.md", prompt)
        save(home, "q/x.csv", "")
        (home.inbox / "q/x.csv").write_text("text\nbees\n")
        assert await home.run(**WINDOW)
    assert ended(home, "q/x-2").exists()


async def test_of_a_bundle_all_files_count(home: House) -> None:
    files: dict[str, bytes | str] = {"prompt.md": "---\nattach: [a.txt]\n---\nSum up.", "a.txt": "bees"}
    for data in ("bees", "bugs", "bugs"):
        drop(home.inbox, "t.job", {**files, "a.txt": data})
        await home.run(**WINDOW)
    assert ended(home, "t-2").exists()
    assert "the same bytes as t-2" in held(home, "t-3")["reason"]


async def test_later_it_is_sent_and_told_of(home: House) -> None:
    save(home)
    await home.run(**WINDOW)
    home.jump(601)
    save(home)
    assert await home.run(**WINDOW)
    [caution] = home.job("q/a-2")["cautions"]
    assert caution.startswith("the same bytes as q/a, received ")
    assert caution.endswith("sent again")


@pytest.mark.parametrize("word", ["[sandbox: fail invalid_request_error]", "cancelled"])
async def test_what_failed_or_was_cancelled_may_come_again(home: House, word: str) -> None:
    save(home, text=word)
    if word == "cancelled":
        await run_until(home, (home.outbox / "q/a/request.md").exists, **WINDOW)
        async with open_store(home.state / DATABASE) as store:
            job = await store.jobs.named("q/a")
            assert job is not None
            await store.jobs.cancel(job.id)
    await home.run(**WINDOW)
    save(home, text=word)
    await home.run(**WINDOW)
    assert ended(home, "q/a-2").exists()


async def test_no_window_and_no_rehearsal_holds_anything(home: House) -> None:
    for changes in ({"intake__duplicate_window": 0.0}, {"intake__duplicate_window": 0.0}):
        save(home)
        assert await home.run(**changes)
    async with open_store(home.state / DATABASE) as store:
        assert await store.facts.claim_for("sandbox")
    for _ in range(2):
        save(home, "r/x.md")
        async with open_store(home.state / DATABASE) as store:
            assert await store.facts.of_sandbox()
        await rehearse(home)
    assert ended(home, "r/x-2").exists()


async def rehearse(home: House) -> None:
    await serve(home.settings(**WINDOW), home.key, once=True, sandbox=True, clock=home.clock)
