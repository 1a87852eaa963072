"""Whole folders, moved from one file system to another: whole at every moment, whatever is in them, whatever fails."""

import os
import socket
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from batchd.edges import bundles, claims, disk, rejected, trees
from batchd.edges.outbox import JobFolder
from batchd.errors import Unusable
from batchd.model import Problem

from tests.support.bundles import write

FILES: dict[str, bytes | str] = {"prompt.md": "Why?", "deep/down/x.bin": b"\0" * 3_000_000}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def held(tmp_path: Path, elsewhere: Path) -> claims.Claim:
    """A bundle that was claimed from another file system."""
    write(elsewhere / "queue" / "x.job", FILES)
    return claims.claim(elsewhere, PurePosixPath("queue/x.job"), tmp_path / "claims")


def test_a_bundle_of_another_file_system_is_copied_and_gone_at_once(held: claims.Claim, elsewhere: Path) -> None:
    assert held.is_bundle
    assert contents(held.path) == {"prompt.md": b"Why?", "deep/down/x.bin": bytes(3_000_000)}
    assert list((elsewhere / "queue").iterdir()) == []


@pytest.mark.parametrize("at", range(40))
def test_a_failure_at_any_moment_leaves_one_whole_bundle(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    write(elsewhere / "x.job", FILES)
    disk.prepare(tmp_path / "claims")
    count = 0

    def failing(call: Callable[..., object]) -> Callable[..., object]:
        def failed(*args: object, **named: object) -> object:
            nonlocal count
            count += 1
            if count == at:
                raise OSError(5, "EIO")
            return call(*args, **named)

        return failed

    for name in ("fsync", "rename", "mkdir", "unlink", "rmdir"):
        monkeypatch.setattr(os, name, failing(getattr(os, name)))
    try:
        claims.claim(elsewhere, PurePosixPath("x.job"), tmp_path / "claims")
    except (OSError, Unusable):
        pass
    finally:
        monkeypatch.undo()
    found = claims.recover_claims(elsewhere, tmp_path / "claims")
    there = (elsewhere / "x.job").exists()
    assert there + len(found) == 1
    assert contents(found[0].path if found else elsewhere / "x.job").keys() == FILES.keys()


def test_a_bundle_that_changes_while_it_is_copied_stays(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(elsewhere / "x.job", FILES)
    copy = trees.copy

    def changed(source: int, target: int, depth: int = 0) -> None:
        copy(source, target, depth)
        if not depth:
            write(folder, {"late.txt": "x"})

    monkeypatch.setattr(trees, "copy", changed)
    with pytest.raises(BlockingIOError):
        claims.claim(elsewhere, PurePosixPath("x.job"), tmp_path / "claims")
    assert contents(folder).keys() == {*FILES, "late.txt"}
    assert not list((tmp_path / "claims").iterdir())


def test_links_pipes_and_sockets_are_copied_as_what_they_are(tmp_path: Path, elsewhere: Path) -> None:
    folder = write(elsewhere / "x.job", FILES)
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "socket"))
    held = claims.claim(elsewhere, PurePosixPath("x.job"), tmp_path / "claims")
    assert os.readlink(held.path / "link") == "/etc/passwd"  # noqa: PTH115  the link itself
    assert (held.path / "pipe").is_fifo()
    assert (held.path / "socket").is_socket()
    with bundles.opened(held.path) as bundle:
        assert [problem.field for problem in bundle.contents().problems] == ["link", "pipe", "socket"]
        for name in ("link", "pipe", "socket"):
            with pytest.raises(OSError, match=r"."), bundle.opened(name):
                raise AssertionError(name)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../secret", "", ".", "linked/x", "deep"])
def test_nothing_but_a_file_below_is_opened(tmp_path: Path, path: str) -> None:
    folder = write(tmp_path / "x.job", {"deep/x": "x"})
    write(tmp_path, {"secret": "nobody's", "other/x": "nobody's"})
    (folder / "linked").symlink_to(tmp_path / "other")
    with bundles.opened(folder) as bundle, pytest.raises(OSError, match=r"."), bundle.opened(path):
        raise AssertionError(path)


def test_a_refused_bundle_goes_to_another_file_system_whole(tmp_path: Path, elsewhere: Path) -> None:
    source = write(tmp_path / "x.job", FILES)
    name = rejected.reject(elsewhere, source, PurePosixPath("x.job"), [Problem(0, "", "no")], 1)
    assert contents(elsewhere / "rejected" / name).keys() == FILES.keys()
    assert not source.exists()
    assert sorted(each.name for each in (elsewhere / "rejected").iterdir()) == ["x.job", "x.job.errors.json"]


def test_a_refusal_that_was_interrupted_behind_its_copy_is_no_second_one(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "x.job", FILES)

    def refuse() -> str:
        return rejected.reject(elsewhere, source, PurePosixPath("x.job"), [Problem(0, "", "no")], 1)

    def not_removed(path: Path) -> None:
        raise OSError(5, "EIO", str(path))

    monkeypatch.setattr(trees, "remove_path", not_removed)
    with pytest.raises(OSError, match="EIO"):
        refuse()
    monkeypatch.undo()
    assert refuse() == "x.job"
    assert sorted(each.name for each in (elsewhere / "rejected").iterdir()) == ["x.job", "x.job.errors.json"]


def test_a_bundle_goes_along_to_another_file_system(tmp_path: Path, elsewhere: Path) -> None:
    source = write(tmp_path / "x.job", FILES)
    folder = JobFolder(elsewhere, "job")
    folder.create()
    for _ in range(2):
        folder.place_bundle(source)
        assert contents(elsewhere / "job" / "request").keys() == FILES.keys()
        assert not source.exists()


def test_deep_folders_are_not_copied_and_stay(tmp_path: Path, elsewhere: Path) -> None:
    folder = write(elsewhere / "x.job", {"/".join(["d"] * 40) + "/x": "x"})
    with pytest.raises(OSError, match="nested deeper"):
        claims.claim(elsewhere, PurePosixPath("x.job"), tmp_path / "claims")
    assert folder.exists()
    assert not list((tmp_path / "claims").iterdir())


def test_a_walk_of_a_hostile_tree_keeps_few_folders_open(tmp_path: Path) -> None:
    write(tmp_path, {f"{n}/{'d/' * 20}x": "x" for n in range(50)})
    with disk.opened(tmp_path) as folder:
        most = max(len(os.listdir("/proc/self/fd")) for _ in trees.walk(folder))  # noqa: PTH208  as many as there are
    assert most < 100
