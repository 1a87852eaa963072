"""Many files at one time: each is whole as soon as it has its name, whatever a crash or the disk did before."""

import os
from pathlib import Path, PurePosixPath

import pytest
from batchd.edges import disk, durable
from batchd.edges.durable import FEW, Together
from batchd.edges.outbox import JobFolder

MANY = [(f"documents/r{number}.md", f"answer {number} é\n" * 100) for number in range(100)]
SECTIONS = [("documents/a/01.md", "one"), ("documents/a/02.md", "two"), ("documents/a.md", "one two")]


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    folder = JobFolder(tmp_path, "job")
    folder.create()
    return folder


def write_together(job: JobFolder, files: list[tuple[str, str]]) -> None:
    with Together(job.outbox) as together:
        job.write_hidden(files)
        for name, _ in files:
            path = PurePosixPath(name)
            together.note(job.outbox, job.inside(str(path.with_name(disk.hidden(path.name)))))
        together.sync()
        job.give_names(name for name, _ in files)


def texts(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def named(folder: Path) -> dict[str, str]:
    return {name: text for name, text in texts(folder).items() if not PurePosixPath(name).name.startswith(".")}


@pytest.fixture(params=["as one", "one by one"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the file system is made durable: not each can be made so as one."""
    if request.param == "one by one":
        monkeypatch.setattr(durable, "syncs_as_one", lambda _: False)
    return str(request.param)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("files", [MANY, MANY[:1], SECTIONS, []])
def test_files_are_written_whole(job: JobFolder, files: list[tuple[str, str]]) -> None:
    write_together(job, files)
    write_together(job, files)
    assert texts(job.path) == dict(files)


@pytest.mark.usefixtures("way")
def test_what_a_crash_left_half_written_is_made_again(job: JobFolder) -> None:
    write_together(job, MANY[:50])
    for number in (3, 70):
        (job.path / "documents" / disk.hidden(f"r{number}.md")).write_text("answ")
    write_together(job, MANY)
    assert texts(job.path) == dict(MANY)


@pytest.mark.usefixtures("way")
def test_the_last_of_several_texts_of_one_name_stays(job: JobFolder) -> None:
    write_together(job, [*MANY, ("documents/r7.md", "anew")])
    assert texts(job.path) == dict(MANY) | {"documents/r7.md": "anew"}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("files", [MANY, MANY[:FEW]])
def test_no_file_has_its_name_before_all_are_durable(
    job: JobFolder, files: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    unsynced: set[str] = set()
    named_too_soon: list[str] = []
    opened, fsync, rename, sync_file_system = disk.open_new, os.fsync, os.rename, durable.sync_file_system

    def open_new(folder: int, name: str) -> int:
        unsynced.add(name)
        return opened(folder, name)

    def one_synced(descriptor: int) -> None:
        unsynced.discard(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def all_synced(folder: int) -> None:
        unsynced.clear()
        sync_file_system(folder)

    def named(old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        named_too_soon.extend(unsynced & {old})
        rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(disk, "open_new", open_new)
    monkeypatch.setattr(os, "fsync", one_synced)
    monkeypatch.setattr(os, "rename", named)
    monkeypatch.setattr(durable, "sync_file_system", all_synced)
    write_together(job, files)
    assert not named_too_soon
    assert texts(job.path) == dict(files)


def test_where_the_disk_refuses_nothing_has_changed(job: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_together(job, MANY[:1])

    def refused(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(durable, "syncs_as_one", lambda _: True)
    monkeypatch.setattr(durable, "sync_file_system", refused)
    with pytest.raises(OSError, match="Input/output"):
        write_together(job, MANY)
    assert named(job.path) == dict(MANY[:1])


def test_a_file_that_cannot_be_synced_is_told(job: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "syncs_as_one", lambda _: False)
    monkeypatch.setattr(os, "fsync", refused)
    (job.path / "documents").mkdir(mode=0o700)
    with pytest.raises(OSError, match="No space"):
        write_together(job, MANY)
    assert named(job.path) == {}
