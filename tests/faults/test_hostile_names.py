"""Whatever lies in the inbox, and whatever somebody put into the outbox: the next good file is done all the same.

After each, nothing outside of the house has changed: no name and no link from outside becomes a path of ours.
"""

import json
import os
import socket
import stat
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path, PurePosixPath

import anyio
import pytest
from batchd.decisions.jobfile.reader import Rules, Said, Source
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.decisions.rows.reader import read
from batchd.edges.store import DATABASE, open_store
from batchd.journey.intake import READERS

from tests.support.house import House, until

pytestmark = pytest.mark.anyio

BROKEN = b"caf\xe9: no UTF-8\n"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder of somebody else, which stays as it is whatever is dropped."""
    folder = tmp_path / "outside"
    (folder / "documents").mkdir(parents=True)
    (folder / "secret.md").write_text("not to be read, moved or written")
    (folder / "results.jsonl").write_text("theirs\n")
    before = picture(folder)
    yield folder
    assert picture(folder) == before, "something outside of the house was touched"


def picture(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def put(home: House, name: bytes, content: bytes = b"") -> None:
    """Drop a file under any name that the kernel takes: a prompt that no other has, or what is given."""
    path = home.inbox / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content or b"What do bees eat? I ask as %r.\n" % name)


def lies_there(path: Path) -> bool:
    return os.path.lexists(path)


def rejections(home: House) -> list[dict[str, object]]:
    found = (home.outbox / "rejected").rglob("*.errors.json")
    return [json.loads(path.read_text("utf-8")) for path in sorted(found)]


async def assert_a_good_file_is_done(home: House) -> None:
    """It was dropped after all the others, and comes after them in every listing."""
    home.drop("zz.jsonl", ["good"])
    await home.run()
    assert home.results("zz") == {"r0": "succeeded"}
    home.assert_nothing_twice()


async def assert_a_good_file_is_done_meanwhile(home: House, name: str = "zz") -> None:
    """While something else waits for somebody to put it right."""
    home.drop(f"{name}.jsonl", ["good"])
    async with working(home):
        await until(lambda: finished(home, name))
    assert home.results(name) == {"r0": "succeeded"}


@asynccontextmanager
async def working(home: House) -> AsyncIterator[None]:
    """The daemon works for as long as the block lasts."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(home.run_on)
        yield
        tasks.cancel_scope.cancel()


def finished(home: House, *names: str) -> bool:
    return all((home.outbox / name / "job.json").exists() for name in names)


def assert_all_lies_in(home: House) -> None:
    """Nothing but the house's own folders has come into being, and nothing in them leads out of it."""
    assert {path.name for path in home.place.iterdir()} <= {"inbox", "outbox", "state", "sandbox", "outside"}
    for folder, _, files in os.walk(os.fsencode(home.outbox)):
        for name in files:
            assert name == os.fsencode(os.fsdecode(name).encode("utf-8", "replace").decode()), "a name that is no text"
            assert b"\n" not in name
            assert not name.startswith(b".") or folder == os.fsencode(home.outbox), "something half done"


NAMES = {
    "not UTF-8": b"caf\xe9.md",
    "a new line": b"a\nb.md",
    "control characters": b"\x1b[2Jgone\x07\x7f.md",
    "the other direction": "evil\u202edm.md".encode(),
    "like the folder above": b"..foo/...md".replace(b"..foo/", b""),
    "two dots": b"a..md",
    "a backslash path": b"..\\..\\etc\\passwd.md",
    "a leading dash": b"-rf.md",
    "255 bytes": b"x" * 252 + b".md",
    "255 bytes of emoji": "🐝".encode() * 63 + b".md",
    "a name of ours": b"rejected.md",
    "a device of another system": b"CON.md",
    "blanks": b" .md",
    "quotes and markup": b"[bold]'\"$(touch x);`y`.md",
    "a folder of that kind": b"-n\xff/\n/\xe9.md",
    "a file of ours in a folder": b"zz/job.json/documents.md",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_a_name_of_any_kind_is_one_job_within_the_outbox(home: House, outside: Path, name: bytes) -> None:
    put(home, name)
    await assert_a_good_file_is_done(home)
    assert_all_lies_in(home)
    del outside
    ignored = name.startswith(b".")
    jobs = [path for path in home.outbox.rglob("job.json") if path.is_file()]
    assert len(jobs) == (1 if ignored else 2)
    assert lies_there(home.inbox / os.fsdecode(name)) == ignored


async def test_refused_files_of_any_name_have_their_reasons_beside_them(home: House, outside: Path) -> None:
    for name in NAMES.values():
        put(home, name, BROKEN)
    await assert_a_good_file_is_done(home)
    assert_all_lies_in(home)
    del outside
    assert len(rejections(home)) == sum(not name.startswith(b".") for name in NAMES.values())
    for reasons in rejections(home):
        assert (home.outbox / "rejected" / str(reasons["file"])).read_bytes() == BROKEN


async def test_names_that_differ_by_case_or_become_one_are_told_apart(home: House) -> None:
    for name in (b"a.md", b"A.md", b"x\ny.md", b"x_y.md", b"x\ry.md"):
        put(home, name)
    await assert_a_good_file_is_done(home)
    jobs = [path.parent.name for path in home.outbox.glob("*/job.json")]
    assert len({job.casefold() for job in jobs}) == 6


def link_to(target: str) -> Callable[[Path, Path], None]:
    def place(path: Path, outside: Path) -> None:
        path.symlink_to(target.format(outside=outside))

    return place


def hard_link(path: Path, outside: Path) -> None:
    os.link(outside / "secret.md", path)


def pipe(path: Path, outside: Path) -> None:
    del outside
    os.mkfifo(path)


def bound_socket(path: Path, outside: Path) -> None:
    del outside
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))


def sparse(path: Path, outside: Path) -> None:
    del outside
    with path.open("wb") as file:
        file.truncate(5 << 30)


def device(path: Path, outside: Path) -> None:
    del outside
    if os.geteuid() != 0:
        pytest.skip("making a device node needs root")
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero: it never ends


REFUSED = {
    "a link to a file": (link_to("{outside}/secret.md"), "a symbolic link"),
    "a link to a folder": (link_to("{outside}"), "a symbolic link"),
    "a link to nothing": (link_to("{outside}/nothing"), "a symbolic link"),
    "a link to itself": (link_to("a.md"), "a symbolic link"),
    "a link to the password file": (link_to("/etc/passwd"), "a symbolic link"),
    "a pipe": (pipe, "a named pipe"),
    "a socket": (bound_socket, "a socket"),
    "a sparse file of 5 GB": (sparse, "the file has 5,368,709,120 bytes"),
    "a device": (device, "a device"),
}


@pytest.mark.parametrize(("place", "said"), REFUSED.values(), ids=REFUSED)
async def test_what_is_no_fair_file_is_refused_unopened_and_stops_nothing(
    home: House, outside: Path, place: Callable[[Path, Path], None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.place)  # a socket's path is short
    place(home.inbox / "a.md", outside)
    await assert_a_good_file_is_done(home)
    assert_all_lies_in(home)
    (reasons,) = rejections(home)
    assert reasons["file"] == "a.md"
    assert reasons["count"] == 1
    assert said in json.dumps(reasons)
    assert not lies_there(home.inbox / "a.md")
    assert len(home.accepted()) == 1


async def test_a_hard_link_is_answered_and_the_other_name_of_the_file_is_left_alone(home: House, outside: Path) -> None:
    hard_link(home.inbox / "a.md", outside)
    await assert_a_good_file_is_done(home)
    assert home.job("a")["state"] == "done"


@pytest.fixture
def abyss(home: House) -> Iterator[None]:
    """Folders in the inbox beyond what the kernel takes as one path."""
    at = os.open(home.inbox, os.O_RDONLY)
    for _ in range(2_000):
        os.mkdir("deep", dir_fd=at)
        below = os.open("deep", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    yield
    subprocess.run(["rm", "-rf", home.inbox / "deep"], check=True)


@pytest.mark.usefixtures("abyss")
async def test_deep_folders_are_mirrored_and_absurdly_deep_ones_stop_nothing(home: House) -> None:
    put(home, b"d/" * 20 + b"a.md")
    await assert_a_good_file_is_done(home)
    assert home.job("d/" * 20 + "a")["state"] == "done"


@contextmanager
def stuck(path: Path) -> Iterator[None]:
    """Make a file that cannot be taken out of its folder."""
    with suppress(FileNotFoundError):
        if os.geteuid() == 0 and subprocess.run(["chattr", "+i", path], check=False, capture_output=True).returncode:
            pytest.skip("chattr does not work on this file system")
    mode = path.parent.stat().st_mode
    path.parent.chmod(0o500)  # which is all that it takes where the tests are not root's
    try:
        yield
    finally:
        path.parent.chmod(mode)
        with suppress(FileNotFoundError):
            subprocess.run(["chattr", "-i", path], check=False, capture_output=True)


async def test_a_file_that_cannot_be_taken_away_delays_no_other_and_is_taken_once_it_can_be(home: House) -> None:
    put(home, b"a.md")
    (home.inbox / "queue").mkdir()
    with stuck(home.inbox / "a.md"):
        await assert_a_good_file_is_done_meanwhile(home, "queue/zz")  # which is looked at later
    assert await home.run()
    assert home.job("a")["state"] == "done"


# --- the outbox, in the hands of somebody else ------------------------------------------------------------------------


def replace_by_link(path: Path, target: Path) -> None:
    if path.is_dir():
        path.rename(path.with_name(f"{path.name}.old"))
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize("name", ["a", "a/documents", "a/results.jsonl"])
async def test_a_link_in_the_place_of_what_a_job_writes_is_not_followed_and_stops_no_other_job(
    home: House, outside: Path, name: str
) -> None:
    home.drop("a.jsonl", ["one", "two"])
    home.drop("b.jsonl", ["in the same batch"])
    async with working(home):
        await until(home.accepted)
        replace_by_link(home.outbox / name, outside / "results.jsonl" if name.endswith("jsonl") else outside)
        home.drop("zz.jsonl", ["good"])
        await until(lambda: finished(home, "b", "zz"))
    assert home.results("zz") == home.results("b") == {"r0": "succeeded"}
    assert not (home.outbox / "a" / "job.json").exists()
    (home.outbox / name).unlink()
    old = home.outbox / f"{name}.old"
    if old.exists():
        old.rename(home.outbox / name)
    assert await home.run()
    assert home.results("a") == {"r0": "succeeded", "r1": "succeeded"}
    home.assert_nothing_twice()


async def test_a_job_that_cannot_be_opened_again_stops_no_other(home: House, outside: Path) -> None:
    home.drop("a.jsonl", ["[sandbox: fail invalid_request_error 1] one", "two"])
    assert not await home.run()
    async with open_store(home.state / DATABASE) as store:
        job = await store.jobs.named("a")
        assert job is not None
        await store.retries.want(job.id)
    replace_by_link(home.outbox / "a", outside)
    await assert_a_good_file_is_done_meanwhile(home)
    (home.outbox / "a").unlink()
    (home.outbox / "a.old").rename(home.outbox / "a")
    assert await home.run()
    assert home.results("a") == {"r0": "succeeded", "r1": "succeeded"}


async def test_a_defect_that_one_file_meets_is_told_beside_it_and_stops_neither_the_others_nor_the_next_start(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is known, so one is made: this shows that even that costs no more than the file itself."""

    def defective(source: Source, path: PurePosixPath, rules: Rules, prompt: PromptFile | None) -> Iterator[Said]:
        if path.stem == "a":
            raise ZeroDivisionError("canary-prompt")
        return read(source, path, rules, prompt)

    monkeypatch.setattr("batchd.journey.reading.read", defective)
    put(home, b"a.md")
    await assert_a_good_file_is_done(home)
    (reasons,) = rejections(home)
    assert "a defect of batchd (ZeroDivisionError at " in json.dumps(reasons)
    assert "canary" not in json.dumps(reasons)
    assert (home.outbox / "rejected" / "a.md").exists()


async def test_refusals_that_cannot_be_written_wait_and_keep_no_reader_from_the_others(
    home: House, outside: Path
) -> None:
    home.outbox.mkdir()
    (home.outbox / "rejected").symlink_to(outside)
    for number in range(READERS + 2):
        put(home, f"{number}.md".encode(), BROKEN)
    await assert_a_good_file_is_done_meanwhile(home, "queue/zz")  # which is looked at later
    (home.outbox / "rejected").unlink()
    assert not await home.run()
    assert len(rejections(home)) == READERS + 2


async def test_a_queue_whose_name_somebody_has_taken_in_the_outbox_gets_another(home: House, outside: Path) -> None:
    home.outbox.mkdir()
    (home.outbox / "queue").symlink_to(outside)
    for number in range(READERS + 2):
        put(home, f"queue/{number}.md".encode())
    await assert_a_good_file_is_done(home)
    assert finished(home, *(f"queue-2/{number}" for number in range(READERS + 2)))
