"""What was noted becomes durable: by one sync where that is quick and as good, and otherwise each by its own."""

import os
import threading
import time
from pathlib import Path, PurePosixPath

import anyio
import pytest
from anyio import to_thread
from batchd.edges import disk, durable
from batchd.edges.durable import CALM, Together


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced, in its order: the names of files and folders, `*` for a file system."""
    found: list[str] = []
    fsync, whole = os.fsync, durable.sync_file_system

    def one(descriptor: int) -> None:
        found.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def all_of_it(folder: int) -> None:
        found.append("*")
        whole(folder)

    monkeypatch.setattr(os, "fsync", one)
    monkeypatch.setattr(durable, "sync_file_system", all_of_it)
    return found


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "first", tmp_path / "second"
    for root in (first, second):
        (root / "a").mkdir(parents=True)
        (root / "a" / f"{root.name}.txt").write_text("whole")
    return first, second


def change(roots: tuple[Path, Path]) -> None:
    with Together(*roots) as together:
        for root in roots:
            together.note(root, PurePosixPath("a"))
            together.note(root, PurePosixPath(f"a/{root.name}.txt"))
            together.note(root, PurePosixPath("gone"))
        together.sync()
        together.sync()


def make(root: Path) -> None:
    names = [f"{number}.txt" for number in range(3)]
    with Together(root) as together:
        for name in names:
            (root / "a" / name).write_text("whole")
        together.note_made(root, PurePosixPath("a"), names)
        together.sync()
        together.sync()


def test_roots_of_one_file_system_share_one_sync(
    roots: tuple[Path, Path], synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "syncs_as_one", lambda _: True)
    change(roots)
    assert synced == ["*"]


def test_one_by_one_the_first_root_is_durable_before_the_second(
    roots: tuple[Path, Path], synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "syncs_as_one", lambda _: False)
    change(roots)
    assert [set(synced[:2]), set(synced[2:])] == [{"a", "first.txt"}, {"a", "second.txt"}]


def test_where_much_of_others_waits_for_the_disk_no_sync_of_ours_waits_for_that(
    roots: tuple[Path, Path], synced: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    node = tmp_path / "nodes" / "node0"
    node.mkdir(parents=True)
    monkeypatch.setattr(durable, "_NODES", node.parent)
    for dirty, as_one in ((0, True), (CALM // 1024, True), (CALM // 500, False)):
        (node / "meminfo").write_text(f"Node 0 Dirty: {dirty} kB\nNode 0 Writeback: 0 kB\nNode 0 WritebackTmp: 9 kB\n")
        synced.clear()
        change(roots)
        assert (synced == ["*"]) is as_one, dirty
    (node / "meminfo").write_text("")
    synced.clear()
    change(roots)
    assert "*" not in synced


def test_what_is_not_there_holds_nothing(tmp_path: Path) -> None:
    with Together(tmp_path / "gone") as together:
        together.note(tmp_path / "gone", PurePosixPath("a"))
        together.sync()


def test_a_refusal_is_told(roots: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(durable, "syncs_as_one", lambda _: False)
    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(OSError, match="Input/output error"):
        change(roots)


def test_what_lies_on_a_mount_of_its_own_is_synced_by_itself(
    roots: tuple[Path, Path], synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sync of the file system around it does nothing for it."""
    monkeypatch.setattr(durable, "syncs_as_one", lambda _: True)
    stat = os.stat

    def mounted(path: str, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        told = list(stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks))
        return os.stat_result([*told[:2], told[2] + (dir_fd is not None), *told[3:]])

    monkeypatch.setattr(os, "stat", mounted)
    change(roots)
    assert set(synced) == {"*", "a", "first.txt", "second.txt"}
    synced.clear()
    make(roots[0])
    assert set(synced) == {"*", "0.txt", "1.txt", "2.txt"}


@pytest.mark.parametrize("as_one", [True, False])
def test_what_was_made_in_a_folder_is_synced_with_it(
    roots: tuple[Path, Path],
    synced: list[str],
    monkeypatch: pytest.MonkeyPatch,
    as_one: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    monkeypatch.setattr(durable, "syncs_as_one", lambda _: as_one)
    make(roots[0])
    assert set(synced) == ({"*"} if as_one else {"0.txt", "1.txt", "2.txt"})


@pytest.mark.anyio
async def test_what_a_thread_does_ends_once_nobody_waits_for_it() -> None:
    began, to_its_end = threading.Event(), threading.Event()

    def read_for_long() -> None:
        began.set()
        until = time.monotonic() + 10
        while time.monotonic() < until:
            disk.stop_if_told()
            time.sleep(0.001)
        to_its_end.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(to_thread.run_sync, read_for_long)
        await to_thread.run_sync(began.wait)
        tasks.cancel_scope.cancel()
    assert not to_its_end.is_set()
