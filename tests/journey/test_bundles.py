"""Folders that are one job each: taken as one when they are whole, and refused whole."""

import json
import os
import random
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from batchd.edges import bundles, inbox
from batchd.edges.inbox import Settling
from batchd.edges.store import DATABASE

from tests.support import media
from tests.support.bundles import drop, write
from tests.support.house import House, at_work, run_until, until

pytestmark = pytest.mark.anyio

FILES: dict[str, bytes | str] = {"prompt.md": "---\nmodel: claude-haiku-4-5\n---\nWhy?", "data/notes.txt": "bees"}


def reasons(home: House, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home.outbox / "rejected" / f"{name}.errors.json").read_text())
    return found


async def test_a_bundle_becomes_a_job_and_goes_along(home: House) -> None:
    drop(home.inbox, "nightly/ask.job", FILES)
    assert await home.run()
    assert home.results("nightly/ask") == {"ask": "succeeded"}
    kept = home.outbox / "nightly" / "ask" / "request"
    assert {str(file.relative_to(kept)) for file in kept.rglob("*") if file.is_file()} == set(FILES)
    assert (kept / "data/notes.txt").read_text() == "bees"
    assert not list(home.inbox.rglob("*.job"))
    assert not list((home.state / "claims").iterdir())


async def test_a_bundle_may_be_removed_instead(home: House) -> None:
    drop(home.inbox, "ask.job", FILES)
    assert await home.run(intake__keep_bundle=False)
    assert not (home.outbox / "ask" / "request").exists()
    assert home.job("ask")["state"] == "done"


async def test_two_bundles_of_one_name_are_two_jobs(home: House) -> None:
    drop(home.inbox, "ask.job", FILES)
    await home.run()
    drop(home.inbox, "ask.job", FILES)
    await home.run()
    assert home.job("ask-2")["state"] == "done"


async def test_one_that_comes_by_a_rename_is_taken_at_once_and_one_that_is_written_is_waited_for(home: House) -> None:
    drop(home.inbox, "renamed.job", FILES)
    write(home.inbox / "written.job", FILES)
    taken = home.outbox / "renamed" / "job.json"
    await run_until(home, taken.exists, intake__bundle_settle=1e9)
    assert (home.inbox / "written.job").exists()
    assert await home.run(intake__bundle_settle=1.0)
    assert home.job("written")["state"] == "done"


async def test_a_bundle_that_is_copied_slowly_is_taken_once_and_whole(home: House) -> None:
    """60 files, one a second of this world, the prompt last: shorter than the settling time apart."""
    folder = home.inbox / "slow.job"
    folder.mkdir()
    async with at_work(home, intake__bundle_settle=5.0):
        for number in range(60):
            (folder / f"{number:03}.txt").write_text(f"text {number}")
            await home.clock.sleep(1.0)
        write(folder, {"prompt.md": "---\neach: '*.txt'\nmodel: claude-haiku-4-5\n---\nSum up."})
    assert home.job("slow")["requests"]["total"] == 60
    assert set(home.results("slow")) == {f"{number:03}.txt" for number in range(60)}
    assert [each.name for each in home.outbox.iterdir() if each.is_dir() and not each.name.startswith(".")] == ["slow"]


@pytest.mark.parametrize("name", [".ask.job", "ask.job.part", "ask.job.tmp"])
async def test_under_another_name_it_is_not_looked_at(home: House, name: str) -> None:
    write(home.inbox / name, FILES)
    await home.run()
    assert (home.inbox / name / "prompt.md").exists()


async def test_without_a_prompt_it_waits_says_so_and_is_rejected_whole(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PROMPT_PATIENCE", 300.0)
    write(home.inbox / "ask.job", {"a.txt": "x", "deep/b.txt": "y"})
    async with at_work(home, intake__bundle_settle=1.0):
        await until(lambda: "waits for its prompt" in _troubles(home))
        assert (home.inbox / "ask.job").exists()
    assert "prompt.md" in reasons(home, "ask.job")["errors"][0]["message"]
    assert (home.outbox / "rejected" / "ask.job" / "deep" / "b.txt").read_text() == "y"


def _troubles(home: House) -> str:
    """What is written down of what waits; nothing before there is a store."""
    place = home.state / DATABASE
    if not place.exists():
        return ""
    with closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as database:
        try:
            return str(database.execute("SELECT * FROM troubles").fetchall())
        except sqlite3.OperationalError:
            return ""


async def test_a_prompt_that_comes_late_is_in_time(home: House) -> None:
    write(home.inbox / "ask.job", {"a.txt": "x"})
    async with at_work(home, intake__bundle_settle=1.0):
        await until(lambda: "waits for its prompt" in _troubles(home))
        write(home.inbox / "ask.job", FILES)
    assert home.job("ask")["state"] == "done"
    assert "waits" not in _troubles(home)


async def test_what_may_not_lie_in_it_is_told_each_with_its_path_and_nothing_is_sent(
    home: House, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("nobody's")
    folder = write(home.inbox / ".x.job", FILES)
    (folder / "data" / "link").symlink_to(secret)
    (folder / "data" / "folder").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    write(folder / "inner.job", {"prompt.md": "x"})
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    write(folder / "/".join("d" * 33), {"deep.txt": "x"})
    write(folder, {"/".join(["n" * 200] * 6): "x"})
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(folder)
        made.bind("socket")
        os.chdir("/")
    folder.rename(home.inbox / "x.job")
    assert not await home.run()
    told = {each["field"]: each["message"] for each in reasons(home, "x.job")["errors"]}
    expected = {
        "data/link": "symbolic link",
        "data/folder": "symbolic link",
        "pipe": "named pipe",
        "socket": "socket",
        "inner.job": "bundle within a bundle",
        "'caf\\udce9.txt'": "not UTF-8",
        "/".join("d" * 33): "nested deeper than 32",
        "/".join(["n" * 200] * 5): "at most 1,000",
    }
    assert {path: said for path, said in expected.items() if said not in told.get(path, "")} == {}
    assert home.accepted() == {}
    assert (home.outbox / "rejected" / "x.job" / "data" / "link").is_symlink()
    assert secret.read_text() == "nobody's"


async def test_a_bundle_of_too_many_files_is_refused(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MOST_FILES", 3)
    monkeypatch.setattr(bundles, "MOST_BYTES", 100)
    drop(home.inbox, "many.job", {**FILES, "1": "x", "2": "x", ".hidden": "x", "Thumbs.db": "x"})
    drop(home.inbox, "large.job", {**FILES, "1": "x" * 100})
    assert not await home.run()
    assert "more than 3 files" in reasons(home, "many.job")["errors"][0]["message"]
    assert "more than 100 bytes" in reasons(home, "large.job")["errors"][0]["message"]


async def test_a_refused_bundle_of_the_same_name_keeps_the_first(home: House) -> None:
    for text in ("one", "two"):
        drop(home.inbox, "ask.job", {"prompt.md": f"{{{{ {text} }}}}"})
        await home.run()
    rejected = home.outbox / "rejected"
    assert "one" in (rejected / "ask.job" / "prompt.md").read_text()
    assert "two" in (rejected / "ask-2.job" / "prompt.md").read_text()
    assert reasons(home, "ask-2.job")["file"] == "ask-2.job"


async def test_a_bundle_that_somebody_still_writes_is_left_alone(home: House) -> None:
    folder = write(home.inbox / ".x.job", FILES)
    with (folder / "data" / "notes.txt").open("a") as writing:
        folder.rename(home.inbox / "x.job")
        with anyio.move_on_after(0.5):
            await home.run()
        assert (home.inbox / "x.job").exists()
        writing.write("!")
    await home.run()
    assert (home.outbox / "x" / "request" / "data" / "notes.txt").read_text() == "bees!"


async def test_two_hundred_photos_are_two_hundred_requests(home: House) -> None:
    photos = {f"photos/{n:03}.jpg": media.jpeg(640, 480) for n in range(200)}
    prompt = "---\neach: photos/*.jpg\nmodel: claude-haiku-4-5\n---\nDescribe the photo."
    drop(home.inbox, "p.job", {"prompt.md": prompt, **photos})
    assert await home.run()
    assert set(home.results("p")) == set(photos)


async def test_what_is_wrong_with_a_row_is_told_by_line_and_row(home: House) -> None:
    files: dict[str, bytes | str] = {
        "prompt.md": '---\nattach: ["{{ photo }}"]\n---\nSee.',
        "t.csv": "photo\na.png\n../b\n",
        "a.png": media.png(9, 9),
    }
    drop(home.inbox, "x.job", files)
    await home.run()
    [error] = reasons(home, "x.job")["errors"]
    assert (error["line"], error["row"], error["field"]) == (3, 3, "attach[0]")


def tree(folder: Path) -> bundles.Tree:
    [candidate] = inbox.scan(folder)
    assert candidate.tree
    return candidate.tree


def test_any_change_within_it_is_a_change(tmp_path: Path) -> None:
    folder = write(tmp_path / "x.job", FILES)
    seen = [tree(tmp_path).state]
    for change in (
        lambda: write(folder, {"data/more.txt": ""}),
        lambda: write(folder, {"data/more.txt": "longer"}),
        lambda: (folder / "data/more.txt").rename(folder / "data/other.txt"),
        lambda: os.utime(folder / "data/other.txt", ns=(1, 1)),
        (folder / "data/other.txt").unlink,
    ):
        change()
        seen.append(tree(tmp_path).state)
    assert len({*seen[:-1]}) == len(seen) - 1


def test_a_rename_is_known_by_its_times(tmp_path: Path) -> None:
    folder = write(tmp_path / "x.job", FILES)
    assert not tree(tmp_path).renamed
    folder.chmod(0o755)
    os.utime(folder / "prompt.md", ns=(1, 1))
    folder.rename(tmp_path / ".y.job").rename(tmp_path / "y.job")
    assert tree(tmp_path).renamed
    write(tmp_path / "y.job", {"late.txt": "x"})
    assert not tree(tmp_path).renamed


def test_bundles_settle_by_their_own_time(tmp_path: Path) -> None:
    write(tmp_path / "x.job", FILES)
    write(tmp_path / "y.job", {"a.txt": "x"})
    (tmp_path / "a.txt").write_text("x")
    settling, found = Settling(1.0, 5.0), inbox.scan(tmp_path)

    def settled(now: float) -> list[str]:
        return sorted(each.relative.name for each in settling.settled(found, now))

    assert settled(0) == []
    assert settling.due(0) == 1.0
    assert settled(1) == ["a.txt"]
    assert settled(5) == ["a.txt", "x.job"]
    assert settling.due(5) == inbox.PROMPT_PATIENCE - 5
    assert settled(inbox.PROMPT_PATIENCE) == ["a.txt", "x.job", "y.job"]


async def test_files_of_which_each_is_asked_are_the_rows_of_a_table(home: House) -> None:
    files = {"in/a,b.png": media.png(9, 9), "in/c.png": media.png(9, 9)}
    drop(home.inbox, "p.job", {"prompt.md": "---\neach: in/*\nmodel: claude-haiku-4-5\n---\nDescribe.", **files})
    assert await home.run()
    assert (home.outbox / "p" / "files.csv").read_text() == 'file\n"in/a,b.png"\nin/c.png\n'


async def test_the_table_of_a_bundle_is_kept_where_the_bundle_is_not(home: House) -> None:
    drop(
        home.inbox,
        "p.job",
        {"prompt.md": "---\nmodel: claude-haiku-4-5\n---\n{{ s }}?", "t.csv": "s\nbees\n", "x.txt": "x"},
    )
    assert await home.run(intake__keep_bundle=False)
    assert [each.name for each in (home.outbox / "p" / "request").iterdir()] == ["t.csv"]


async def asked(home: House, job: str) -> list[dict[str, Any]]:
    """What the spool holds of a job's requests, while it is held for want of money."""
    await run_until(home, (home.outbox / job / "held.json").exists, budget__per_job=0.0000001)
    [spooled] = [file for file in (home.state / "spool").iterdir() if "." not in file.name]
    return [json.loads(line) for line in spooled.read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("photo.png", media.png(9, 9), "image"),
        ("photo.jpg", media.png(9, 9), "image"),
        ("scan.PDF", media.pdf(2, packed=True, draw=random.Random(1)), "document"),  # noqa: S311  a document
    ],
)
async def test_a_picture_that_falls_into_a_folder_with_instructions_is_asked_of(
    home: House, name: str, data: bytes, kind: str
) -> None:
    write(home.inbox / "scans", {".batchd.md": "---\nmodel: claude-haiku-4-5\n---\nDescribe {{ stem }}."})
    drop_file(home.inbox / "scans" / name, data)
    [request] = await asked(home, f"scans/{Path(name).stem}")
    block, text = request["messages"][0]["content"]
    assert (block["type"], text["text"]) == (kind, f"Describe {Path(name).stem}.")
    assert block["source"]["media_type"] == ("application/pdf" if kind == "document" else "image/png")


def drop_file(file: Path, data: bytes) -> None:
    hidden = file.with_name(f".{file.name}")
    hidden.write_bytes(data)
    hidden.rename(file)


@pytest.mark.parametrize("instructed", [False, True])
async def test_a_picture_that_nobody_asks_anything_of_says_what_would_do(home: House, instructed: bool) -> None:  # noqa: FBT001
    if instructed:
        write(home.inbox, {".batchd.md": "---\nmodel: claude-haiku-4-5\n---\n"})
    drop_file(home.inbox / "a.png", media.png(9, 9))
    assert not await home.run()
    assert "prompt" in reasons(home, "a.png")["errors"][0]["message"]


@pytest.mark.parametrize("name", sorted(media.CYCLIC_PDFS))
async def test_a_pdf_within_params_is_opened_as_one_that_lies_in_a_file(home: House, name: str) -> None:
    document = {"type": "document", "source": media.base64_source("application/pdf", media.CYCLIC_PDFS[name])}
    ask = {"role": "user", "content": [document, {"type": "text", "text": "Why?"}]}
    line = {"custom_id": "a", "params": {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [ask]}}
    drop_file(home.inbox / "a.jsonl", json.dumps(line).encode())
    assert not await home.run()
    [error] = reasons(home, "a.jsonl")["errors"]
    assert error["field"] == "params.messages[0].content[0].source.data"
    assert "cannot be read as a PDF" in error["message"]


async def test_photos_cost_by_their_pixels_and_not_by_their_bytes(home: House) -> None:
    photos = {f"{n:02}.jpg": media.jpeg(1_000, 800) + bytes(1_500_000) for n in range(24)}
    prompt = "---\neach: '*.jpg'\nmodel: claude-haiku-4-5\nmax_tokens: 100\nbudget: 0.04\n---\nDescribe."
    drop(home.inbox, "p.job", {"prompt.md": prompt, **photos})
    await home.run()
    assert home.job("p")["requests"]["total"] == 24
    assert not (home.outbox / "p" / "held.json").exists()
    assert len(home.results("p")) == 24


async def test_the_bounds_of_a_folder_hold_for_its_bundles(home: House) -> None:
    write(home.inbox / "q", {".batchd.md": "---\nbudget: 0.0000001\ntakes: ['*.job', '*.csv']\n---\n"})
    drop(home.inbox, "q/a.job", {"prompt.md": "---\nbudget: 5\n---\nWhy?"})
    await run_until(home, (home.outbox / "q" / "a" / "held.json").exists)
    assert (home.outbox / "q" / "a" / "instructions.md").read_text() == "---\nbudget: 5\n---\nWhy?"


async def test_a_bundle_with_a_ticket_is_one_job_however_often_it_comes(home: House) -> None:
    ticket = "00mbx3k8v1q0r7c2d5f9g4h6j2"
    for _ in range(3):
        drop(home.inbox, f"ask.@{ticket}.job", FILES)
        await home.run()
    assert home.job("ask")["state"] == "done"
    assert not (home.outbox / "ask-2").exists()
    assert json.loads((home.outbox / ".tickets" / f"{ticket}.json").read_text())["job"] == "ask"
    assert sum(home.accepted().values()) == 1
