import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath

import anyio
import pytest
from batchd.edges import claims, disk, inbox, watcher
from batchd.edges.claims import Claim
from batchd.edges.durable import Together
from batchd.edges.inbox import Candidate, Settling
from batchd.edges.watcher import watch
from batchd.errors import Rejected, Unusable

from tests.support.effort import assert_linear

NOT_UTF8 = os.fsdecode(b"caf\xe9.md")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def box(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    inbox.prepare(folder)
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "claims"


def drop(folder: Path, name: str, text: str = "hello") -> PurePosixPath:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return PurePosixPath(name)


def names(folder: Path) -> set[str]:
    return {str(candidate.relative) for candidate in inbox.scan(folder)}


def test_a_new_inbox_is_open_to_its_group_and_an_old_one_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "inbox"
    inbox.prepare(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o770
    folder.chmod(0o755)
    inbox.prepare(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_an_inbox_that_cannot_be_made_is_said_in_a_line(tmp_path: Path) -> None:
    drop(tmp_path, "file")
    for place in (tmp_path / "file", tmp_path / "file" / "inbox"):
        with pytest.raises(Unusable, match="file"):
            inbox.prepare(place)


def test_a_scan_finds_every_file_below_whatever_its_name(box: Path) -> None:
    found = {
        "a.jsonl", "nightly/b.md", "nightly/deep/c", NOT_UTF8, "new\nline.md", "~.md", "a.b.c", "-x",
        "a (1).md", "a (copy).md", "conflict.md", "a (conflict of laws).md", "conflicts.jsonl", "a-desktop.md",
    }  # fmt: skip
    for name in found:
        drop(box, name)
    assert names(box) == found


@pytest.mark.parametrize(
    "name",
    [
        ".hidden", ".DS_Store", ".nfs0000", ".a.md.Xy12Zq", ".syncthing.a.md", ".git/config", ".a.md.swp",
        "a.tmp", "a.part", "a.partial", "a.crdownload", "a.swp", "a~", "A.TMP",
        "Thumbs.db", "desktop.ini", "~$letter.docx", "Icon\r", "a.md.sb-1a2b3c4d-AbCdEf", "~syncthing~a.md",
        "a.filepart", "4913", "#a.md#", "@eaDir/a.md", "lost+found/a.md",
        "a.sync-conflict-20261101-101500-ABCDEF1.md", "a (Ada's conflicted copy 2026-11-26).jsonl",
        "a (conflicted copy 2026-11-26 101500).md", "a (case conflict 1).md", "a_conflict-20261126-101500.md",
        "a-DESKTOP-8H3K2LM.md", "a-LAPTOP-AB12CD34.jsonl", "a [Conflict].md", "a[Conflict 2].md", "a.conflict1.md",
        "a (SFConflict ada@example.org 2026-11-26-10-15-00).md", "a (Adas in Konflikt stehende Kopie 2026-11-26).md",
    ],
)  # fmt: skip
def test_what_is_not_meant_for_us_is_ignored(box: Path, name: str) -> None:
    drop(box, name)
    assert names(box) == set()


def test_links_to_folders_are_found_as_links_and_never_followed(box: Path, tmp_path: Path) -> None:
    drop(tmp_path, "outside/secret.md")
    (box / "link").symlink_to(tmp_path / "outside")
    (box / "loop").symlink_to(box)
    found = inbox.scan(box)
    assert {str(candidate.relative) for candidate in found} == {"link", "loop"}
    assert all("a symbolic link" in objection(candidate) for candidate in found)


def test_a_missing_inbox_is_empty_and_very_deep_folders_are_not_looked_into(box: Path) -> None:
    assert inbox.scan(box / "missing") == []
    at = os.open(box, os.O_RDONLY)
    for _ in range(3_000):  # a path that the kernel does not take in one piece
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    drop(box, "a.md")
    assert names(box) == {"a.md"}
    subprocess.run(["rm", "-rf", str(box / "d")], check=True)


def test_many_names_are_found_as_quickly_as_few(box: Path) -> None:
    def finding(many: int) -> Callable[[], object]:
        folder = box / f"{many}"
        folder.mkdir(exist_ok=True)
        for number in range(many):
            (folder / f"{number}.md").touch()
        assert len(inbox.scan(folder)) == many
        return partial(inbox.scan, folder)

    assert_linear(finding, 1_000)


def objection(found: inbox.Found, max_bytes: int = inbox.MAX_FILE_BYTES) -> str:
    problem = inbox.objection(found, max_bytes)
    return "" if problem is None else problem.message


def test_only_regular_files_of_a_fair_size_are_jobs(box: Path) -> None:
    drop(box, "a.md")
    os.mkfifo(box / "fifo.md")
    (box / "link.md").symlink_to("a.md")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(box / "socket.md"))
    found = {str(candidate.relative): candidate for candidate in inbox.scan(box)}
    assert objection(found["a.md"]) == ""
    assert "5 bytes; at most 4" in objection(found["a.md"], max_bytes=4)
    assert "a named pipe" in objection(found["fifo.md"])
    assert "a symbolic link" in objection(found["link.md"])
    assert "a socket" in objection(found["socket.md"])


def candidate(name: str = "a.md", size: int = 1, mtime_ns: int = 1, inode: int = 1) -> Candidate:
    return Candidate(PurePosixPath(name), size, mtime_ns, inode, stat.S_IFREG)


def test_a_file_has_settled_when_nothing_changed_for_long_enough() -> None:
    settling = Settling(1.0)
    assert settling.settled([candidate()], 10.0) == []
    assert settling.due(10.25) == 0.75
    assert settling.settled([candidate()], 10.9) == []
    assert settling.settled([candidate()], 11.0) == [candidate()]
    assert settling.due(11.0) is None


@pytest.mark.parametrize("changed", [candidate(size=2), candidate(mtime_ns=2), candidate(inode=2)])
def test_any_change_begins_anew(changed: Candidate) -> None:
    settling = Settling(1.0)
    settling.settled([candidate()], 10.0)
    assert settling.settled([changed], 11.0) == []
    assert settling.settled([changed], 12.0) == [changed]


def test_what_was_gone_for_a_while_begins_anew() -> None:
    settling = Settling(1.0)
    settling.settled([candidate()], 10.0)
    assert settling.settled([], 10.5) == []
    assert settling.due(10.5) is None
    assert settling.settled([candidate()], 11.5) == []


def test_with_nothing_to_wait_for_a_file_has_settled_at_once() -> None:
    assert Settling(0).settled([candidate()], 10.0) == [candidate()]


WRITER = "import sys, time; held = open(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"


def leases_work(folder: Path) -> bool:
    probe = folder / "probe"
    probe.touch()
    with probe.open("rb") as file:
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError:
            return False
    return True


def test_a_process_that_has_the_file_open_for_writing_is_seen(box: Path, tmp_path: Path) -> None:
    if not leases_work(tmp_path):
        pytest.skip("leases do not work on this file system")
    path = box / drop(box, "a.md")
    assert not disk.has_writer(path)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert disk.has_writer(path)
        writer.communicate()
    assert not disk.has_writer(path)


def test_asking_for_a_writer_survives_one_that_comes_meanwhile(box: Path) -> None:
    """The kernel signals the holder of a lease; by default that signal kills."""
    path = box / drop(box, "a.md")
    opening = "import sys, time\nend = time.time() + 1\nwhile time.time() < end: open(sys.argv[1], 'a').close()"
    asking = (
        "import sys, time; from pathlib import Path; from batchd.edges.disk import has_writer\n"
        "end = time.time() + 1\nwhile time.time() < end: has_writer(Path(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", opening, str(path)]) as writer:
        asked = subprocess.run([sys.executable, "-c", asking, str(path)], check=False, cwd=Path(__file__).parents[2])
        writer.wait()
    assert asked.returncode != -signal.SIGIO
    assert asked.returncode == 0


def test_nothing_else_has_a_writer_and_nothing_is_waited_for(box: Path) -> None:
    os.mkfifo(box / "fifo")
    (box / "link").symlink_to("fifo")
    assert not any(disk.has_writer(box / name) for name in ("fifo", "link", "missing"))


def read(claim: Claim) -> bytes:
    with claims.open_claim(claim) as file:
        return b"".join(claims.chunks(file, 2))


@pytest.mark.parametrize("name", ["a.md", "nightly/deep/a.md", NOT_UTF8, f"{NOT_UTF8}/x", "new\nline"])
def test_a_claim_moves_the_file_and_keeps_its_path(box: Path, state: Path, name: str) -> None:
    drop(box, name)
    claim = claims.claim(box, PurePosixPath(name), state)
    assert claim.path == state / claim.id / name
    assert claim.relative == PurePosixPath(name)
    assert read(claim) == b"hello"
    assert names(box) == set()
    assert claims.recover_claims(box, state) == [claim]
    claims.discard(claim)
    claims.discard(claim)
    assert claims.recover_claims(box, state) == []


def test_claims_of_one_name_never_meet_and_sort_by_time(box: Path, state: Path) -> None:
    taken = []
    for text in ("1", "2", "3"):
        taken.append(claims.claim(box, drop(box, "a.md", text), state))
        time.sleep(0.002)
    assert [read(claim) for claim in claims.recover_claims(box, state)] == [b"1", b"2", b"3"]
    assert sorted(claim.id for claim in taken) == [claim.id for claim in taken]


def test_what_has_vanished_leaves_no_claim(box: Path, state: Path) -> None:
    with pytest.raises(FileNotFoundError):
        claims.claim(box, PurePosixPath("gone/a.md"), state)
    with pytest.raises(FileNotFoundError):
        claims.claim(box, PurePosixPath("gone.md"), state)
    assert list(state.iterdir()) == []


def test_a_folder_that_became_a_link_leads_nowhere(box: Path, state: Path, tmp_path: Path) -> None:
    drop(tmp_path, "outside/a.md")
    (box / "nightly").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="nightly"):
        claims.claim(box, PurePosixPath("nightly/a.md"), state)
    assert (tmp_path / "outside" / "a.md").exists()


def place_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def place_link_to_folder(path: Path) -> None:
    path.symlink_to("/etc")


def place_pipe(path: Path) -> None:
    os.mkfifo(path)


def place_socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


SPECIAL = [place_link, place_link_to_folder, place_pipe, place_socket]


@pytest.mark.parametrize("place", SPECIAL)
def test_what_is_no_regular_file_is_claimed_as_it_is_and_not_opened(
    box: Path, state: Path, place: Callable[[Path], None]
) -> None:
    place(box / "a.md")
    claim = claims.claim(box, PurePosixPath("a.md"), state)
    assert "only regular files" in objection(claim)
    with pytest.raises(Rejected):
        claims.open_claim(claim)
    assert claims.recover_claims(box, state) == [claim]
    assert not os.path.lexists(box / "a.md")


@pytest.mark.parametrize("place", SPECIAL)
def test_from_another_file_system_it_is_the_same(elsewhere: Path, state: Path, place: Callable[[Path], None]) -> None:
    place(elsewhere / "a.md")
    kind = stat.S_IFMT((elsewhere / "a.md").lstat().st_mode)
    claim = claims.claim(elsewhere, PurePosixPath("a.md"), state)
    assert stat.S_IFMT(claim.path.lstat().st_mode) == kind
    assert not os.path.lexists(elsewhere / "a.md")


def test_a_file_of_another_file_system_is_copied_and_then_removed(elsewhere: Path, state: Path) -> None:
    text = "x" * 3_000_000
    claim = claims.claim(elsewhere, drop(elsewhere, "nightly/a.md", text), state)
    assert read(claim) == text.encode()
    assert names(elsewhere) == set()
    with Together(state, elsewhere) as durable:
        claims.secure([claim], durable, state, elsewhere)
    assert {path.name for path in claim.folder.rglob("*") if path.is_file()} == {".owner", "a.md"}


def test_a_crash_within_a_copy_leaves_the_original_to_be_taken_again(elsewhere: Path, state: Path) -> None:
    claim = claims.claim(elsewhere, drop(elsewhere, "a.md"), state)
    claim.path.rename(claim.folder / ".a.md.part")
    drop(elsewhere, "a.md")
    assert claims.recover_claims(elsewhere, state) == []
    assert list(state.iterdir()) == []
    assert names(elsewhere) == {"a.md"}


def test_a_crash_before_the_original_went_lets_it_go_at_the_next_start(elsewhere: Path, state: Path) -> None:
    original = elsewhere / drop(elsewhere, "nightly/a.md")
    there = original.stat()
    claim = claims.claim(elsewhere, PurePosixPath("nightly/a.md"), state)
    marker = claim.folder / ".origin"
    original.write_text("hello")
    now = original.stat()
    marker.write_text(f"[{now.st_dev}, {now.st_ino}, {now.st_size}, {now.st_mtime_ns}]")
    assert claims.recover_claims(elsewhere, state) == [claim]
    assert not original.exists()
    assert not marker.exists()
    original.write_text("another")
    marker.write_text(f"[{there.st_dev}, {there.st_ino}, {there.st_size}, {there.st_mtime_ns}]")
    assert claims.recover_claims(elsewhere, state) == [claim]
    assert original.read_text() == "another"


KILLED = """
import os, signal, sys
from pathlib import Path, PurePosixPath
from batchd.edges import claims, disk
steps = int(sys.argv[3])
def strike(frame, event, arg):
    global steps
    if event == "c_call" and getattr(arg, "__module__", "") == "posix":
        if steps == 0: os.kill(os.getpid(), signal.SIGKILL)
        steps -= 1
claims_folder = Path(sys.argv[2])
disk.prepare(claims_folder)
sys.setprofile(strike)
claims.claim(Path(sys.argv[1]), PurePosixPath("nightly/a.md"), claims_folder)
sys.setprofile(None)
"""


@pytest.mark.parametrize("copying", [False, True])
def test_killed_at_any_call_the_file_is_there_exactly_once(
    *, copying: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue("elsewhere") if copying else tmp_path / "inbox"
    for steps in range(200):
        state = tmp_path / f"claims-{steps}"
        drop(folder, "nightly/a.md")
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(folder), str(state), str(steps)],
            check=False,
            cwd=Path(__file__).parents[2],
        )
        held = [read(claim) for claim in claims.recover_claims(folder, state)]
        left = [(folder / name).read_bytes() for name in names(folder)]
        assert held + left == [b"hello"], steps
        for path in folder.rglob("*.md"):
            path.unlink()
        if done.returncode == 0:
            return
        assert done.returncode == -signal.SIGKILL
    pytest.fail("the claim never came to its end")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look around more often than is needed in a service."""
    monkeypatch.setattr(watcher, "GLANCE_MS", 100)
    monkeypatch.setattr(watcher, "PAUSE", 0.1)
    monkeypatch.setattr(watcher, "LONGEST_PAUSE", 0.2)


RARELY = 30.0
SOON = 120.0
"""Seconds after which what should come never will, on a busy machine too."""


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look around so rarely that nothing may wait for it."""
    monkeypatch.setattr(watcher, "GLANCE_MS", int(1_000 * RARELY))


class Bell:
    def __init__(self) -> None:
        self._rung = anyio.Event()

    def __call__(self) -> None:
        self._rung.set()

    async def heard(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            await self._rung.wait()
        return self._rung.is_set()

    def forget(self) -> None:
        self._rung = anyio.Event()

    async def quiet(self) -> None:
        """Wait until the rings of the start are over."""
        while await self.heard(0.5):
            self.forget()


@pytest.mark.anyio
@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("force_polling", [False, True])
async def test_the_watcher_rings_for_a_file_and_stops_at_once(box: Path, *, force_polling: bool) -> None:
    bell, stop = Bell(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: watch(box, bell, force_polling=force_polling, stop=stop))
        await bell.quiet()
        drop(box, "a.md")
        assert await bell.heard(SOON)
        began = time.monotonic()
        stop.set()
    assert time.monotonic() - began < RARELY / 2


@pytest.mark.anyio
@pytest.mark.usefixtures("unhurried")
async def test_the_watcher_is_cancelled_at_once(box: Path) -> None:
    bell = Bell()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: watch(box, bell, force_polling=False, stop=anyio.Event()))
        await bell.quiet()
        began = time.monotonic()
        tasks.cancel_scope.cancel()
    assert time.monotonic() - began < RARELY / 2


@pytest.mark.anyio
@pytest.mark.usefixtures("hasty")
async def test_the_watcher_survives_a_name_that_is_not_utf8(box: Path) -> None:
    bell, stop = Bell(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: watch(box, bell, force_polling=False, stop=stop))
        await bell.quiet()
        drop(box, NOT_UTF8)
        assert await bell.heard(SOON)
        bell.forget()
        await bell.quiet()
        drop(box, "a.md")
        assert await bell.heard(SOON)
        stop.set()


@pytest.mark.anyio
@pytest.mark.usefixtures("hasty")
async def test_the_watcher_follows_the_name_when_the_folder_is_replaced(box: Path) -> None:
    bell, stop = Bell(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: watch(box, bell, force_polling=False, stop=stop))
        await bell.quiet()
        await anyio.Path(box).rename(box.with_name("old"))
        await anyio.sleep(0.5)
        await anyio.Path(box).mkdir()
        bell.forget()
        assert await bell.heard(SOON)
        bell.forget()
        await bell.quiet()
        drop(box, "a.md")
        assert await bell.heard(SOON)
        stop.set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
@pytest.mark.parametrize("bundle", [False, True])
@pytest.mark.parametrize("across", [False, True])
def test_a_claim_knows_who_dropped_it(state: Path, tmp_path: Path, elsewhere: Path, bundle: bool, across: bool) -> None:  # noqa: FBT001
    box = elsewhere if across else tmp_path / "box"
    name = drop(box, "x.job/prompt.md" if bundle else "x.md")
    top = PurePosixPath(name.parts[0])
    os.chown(box / top, 12345, -1)
    assert claims.claim(box, top, state).uid == 12345
    [again] = claims.recover_claims(box, state)
    assert again.uid == 12345
