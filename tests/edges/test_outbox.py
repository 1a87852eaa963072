import errno
import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from batchd.decisions.document.answer_files import LONGEST_COMPONENT
from batchd.edges import outbox
from batchd.edges.outbox import Appended, JobFolder
from batchd.edges.rejected import reject
from batchd.model import Problem

ROOT = Path(__file__).parents[2]
PROBLEM = Problem(3, "params.model", "is missing")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "outbox"
    outbox.prepare(folder)
    return folder


@pytest.fixture
def job(out: Path) -> JobFolder:
    folder = JobFolder(out, "nightly/a")
    folder.create()
    return folder


def drop(path: Path, text: str = "hello") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def everything(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def name_for(out: Path, wanted: str | PurePosixPath, *taken: str) -> str:
    return outbox.choose_name(out, wanted, {*taken}.__contains__)


def test_nobody_else_may_look_into_the_outbox(out: Path, job: JobFolder) -> None:
    job.write_whole("job.json", [b"{}"])
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (out, job.path.parent, job.path, job.path / "job.json")]
    assert modes == [0o700, 0o700, 0o700, 0o600]


def test_a_job_is_called_as_its_source(out: Path) -> None:
    assert name_for(out, "a") == "a"
    assert name_for(out, PurePosixPath("nightly/a.b")) == "nightly/a.b"


def test_taken_names_are_numbered(out: Path) -> None:
    assert name_for(out, "a", "a", "a-2") == "a-3"
    drop(out / "nightly" / "a" / "job.json")
    assert name_for(out, "nightly/a") == "nightly/a-2"
    drop(out / "b")
    (out / "c").symlink_to("/etc")
    (out / "d").mkdir()
    assert [name_for(out, name) for name in ("b", "c", "d", "nightly")] == ["b-2", "c-2", "d", "nightly-2"]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("rejected", "rejected-2"),
        ("Rejected", "Rejected-2"),
        ("rejected/a", "rejected-2/a"),
        ("nightly/rejected", "nightly/rejected"),
    ],
)
def test_the_folder_of_refusals_is_taken_from_the_start(out: Path, wanted: str, name: str) -> None:
    assert name_for(out, wanted) == name


def test_a_job_never_gets_the_place_of_what_another_job_holds(out: Path) -> None:
    assert name_for(out, "a/documents", "a") == "a/documents-2"
    assert name_for(out, "a/Documents/x", "a") == "a/Documents-2/x"
    assert name_for(out, "a/results.jsonl", "a") == "a/results.jsonl-2"
    assert name_for(out, "a/documents") == "a/documents"


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("../../etc/passwd", "_./_./etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        (".ssh/keys", "_ssh/keys"),
        ("a\nb\x1b[31m\x7f", "a_b_[31m_"),
        ("a\u202egpj.exe", "a_gpj.exe"),
        (os.fsdecode(b"caf\xe9"), "caf_"),
        ("résumé 漢字", "résumé 漢字"),
        ("", "_"),
        ("é" * 300, "é" * 100),
    ],
)
def test_no_name_leads_out_or_hides_or_is_too_long(out: Path, wanted: str, name: str) -> None:
    assert name_for(out, wanted) == name


def test_numbers_fit_into_the_longest_name(out: Path) -> None:
    assert name_for(out, "x" * 300, "x" * 200) == "x" * 198 + "-2"


def test_a_request_is_placed_once_however_often_it_is_tried(out: Path, tmp_path: Path) -> None:
    folder = JobFolder(out, "a")
    source = drop(tmp_path / "claims" / "1" / "a.jsonl")
    folder.place_request(source, ".jsonl")
    folder.place_request(source, ".jsonl")
    assert everything(folder.path) == {"request.jsonl": "hello"}
    assert not source.exists()
    with pytest.raises(FileNotFoundError):
        JobFolder(out, "b").place_request(source, "md")


def test_a_request_from_another_file_system_is_copied(out: Path, elsewhere: Path) -> None:
    folder = JobFolder(out, "a")
    source = drop(elsewhere / "a.md", "x" * 3_000_000)
    folder.place_request(source, "md")
    drop(elsewhere / "a.md", "x" * 3_000_000)  # as if killed before its removal
    folder.place_request(source, "md")
    assert everything(folder.path) == {"request.md": "x" * 3_000_000}
    assert not source.exists()


@pytest.mark.parametrize(("extension", "file"), [("../../x", "request._.._x"), ("", "request"), ("\n", "request._")])
def test_an_extension_leads_nowhere(job: JobFolder, tmp_path: Path, extension: str, file: str) -> None:
    job.place_request(drop(tmp_path / "a"), extension)
    assert everything(job.path) == {file: "hello"}


def test_appending_cuts_off_what_a_crash_left(job: JobFolder) -> None:
    first = job.append("results.jsonl", 0, [b"one\n"])
    assert first == Appended(0, 4)
    job.append("results.jsonl", first.end, [b"lost", b" in a crash\n"])
    assert job.append("results.jsonl", first.end, [b"t", b"", b"wo\n"]) == Appended(4, 8)
    assert (job.path / "results.jsonl").read_bytes() == b"one\ntwo\n"
    assert job.append("results.jsonl", 8, []) == Appended(8, 8)


def test_appending_to_a_file_that_somebody_cut_or_removed_leaves_no_hole(job: JobFolder) -> None:
    path = job.path / "results.jsonl"
    assert job.append("results.jsonl", 100, [b"one\n"]) == Appended(0, 4)
    path.write_bytes(b"on")
    assert job.append("results.jsonl", 4, [b"two\n"]) == Appended(3, 7)
    assert path.read_bytes() == b"on\ntwo\n"


def test_a_failure_within_an_append_is_repeated_from_the_committed_length(
    job: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite

    def full(descriptor: int, some: memoryview, at: int) -> int:
        if at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(descriptor, some[:4], at)

    with monkeypatch.context() as at_first:
        at_first.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space left"):
            job.append("results.jsonl", 0, [b"half of it\n"])
    assert everything(job.path) == {"results.jsonl": "half"}
    assert job.append("results.jsonl", 0, [b"whole\n"]) == Appended(0, 6)
    assert everything(job.path) == {"results.jsonl": "whole\n"}


def test_a_file_is_whole_when_it_has_its_name(job: JobFolder) -> None:
    def watched() -> Iterator[bytes]:
        yield b"new "
        assert (job.path / "documents" / "a.md").read_bytes() == b"old"
        yield b"text"

    assert job.write_whole("documents/a.md", [b"old"]) == 3
    assert job.write_whole("documents/a.md", watched()) == 8
    assert everything(job.path) == {"documents/a.md": "new text"}
    job.sync()
    job.remove("documents/a.md")
    job.remove("documents/a.md")
    assert everything(job.path) == {}


def test_a_file_that_failed_leaves_nothing_behind(job: JobFolder) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    job.write_whole("job.json", [b"old"])
    with pytest.raises(ConnectionError):
        job.write_whole("job.json", broken())
    (job.path / ".job.json.part").write_text("left by a kill")
    assert job.write_whole("job.json", [b"new"]) == 3
    assert everything(job.path) == {"job.json": "new"}


def test_a_full_disk_is_said_and_nothing_counts_as_written(job: JobFolder) -> None:
    job.write_whole("job.json", [b"old"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            job.write_whole("job.json", [b"x" * 2_000])
        with pytest.raises(OSError, match="too large"):
            job.append("results.jsonl", 0, [b"x" * 2_000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert (job.path / "job.json").read_text() == "old"
    assert job.append("results.jsonl", 0, [b"one\n"]) == Appended(0, 4)


def test_the_longest_name_that_a_files_path_may_have_can_be_written(job: JobFolder) -> None:
    longest = "documents/a/files/" + "ü" * (LONGEST_COMPONENT // 2) + "x"
    job.write_whole(longest, [b"text"])
    assert everything(job.path) == {longest: "text"}


def test_every_name_on_the_way_to_a_file_is_made_durable(job: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ("documents/a/files/src/deep/x.py", "documents/a/01-one.md", "documents/a.md", "report.jsonl")
    for file in files:
        job.write_whole(file, [b"text"])
    synced: list[str] = []
    honest = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(job.path)))
        honest(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    job.sync(files)
    # Each before the one that leads to it.
    assert synced == [
        "documents/a/files/src/deep", "documents/a/files/src", "documents/a/files", "documents/a", "documents", "."
    ]  # fmt: skip
    synced.clear()
    job.sync()
    assert synced == ["."]


@pytest.mark.parametrize("folder", ["a", "queue/a"])
def test_a_sync_that_failed_is_repeated_together_with_what_it_was_for(
    out: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """The kernel takes what it could not write for written: a second sync of the same would tell of success."""
    honest, done = os.fsync, list[str]()

    def fails_at(place: str) -> None:
        def fails_once(descriptor: int) -> None:
            name = str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(out))
            done.append(name)
            if name == place and done.count(name) == 1:
                raise OSError(errno.EIO, "Input/output error")
            honest(descriptor)

        done.clear()
        monkeypatch.setattr(os, "fsync", fails_once)

    job, source = JobFolder(out, folder), drop(out.parent / "claimed" / "a.jsonl")
    fails_at(str(Path(folder).parent))
    with pytest.raises(OSError, match="Input"):
        job.place_request(source, ".jsonl")
    assert not job.path.exists(), "the folder is made, and synced, anew"
    fails_at(folder)
    with pytest.raises(OSError, match="Input"):
        job.place_request(source, ".jsonl")
    job.place_request(source, ".jsonl")
    assert done.count(folder) == 2, "the name of the file is synced again"


def test_links_put_in_the_place_of_folders_and_files_are_not_followed(out: Path, tmp_path: Path) -> None:
    outside = drop(tmp_path / "outside" / "victim")
    (out / "a").symlink_to(outside.parent)
    (out / "b").mkdir()
    (out / "b" / "results.jsonl").symlink_to(outside)
    (out / "b" / "documents").symlink_to(outside.parent)
    (out / "b" / ".job.json.part").symlink_to(outside)
    (out / "b" / "job.json").symlink_to(outside)
    for attempt in (
        lambda: JobFolder(out, "a").create(),
        lambda: JobFolder(out, "a").write_whole("victim", [b"!"]),
        lambda: JobFolder(out, "b").append("results.jsonl", 0, [b"!"]),
        lambda: JobFolder(out, "b").write_whole("documents/victim", [b"!"]),
    ):
        with pytest.raises(OSError, match=r".") as caught:
            attempt()
        assert caught.value.errno in {errno.ELOOP, errno.ENOTDIR}
    JobFolder(out, "b").write_whole("job.json", [b"mine"])
    assert everything(outside.parent) == {"victim": "hello"}
    assert (out / "b" / "job.json").read_text() == "mine"
    assert not (out / "b" / "job.json").is_symlink()


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(job: JobFolder) -> None:
    os.mkfifo(job.path / "results.jsonl")
    with pytest.raises(OSError, match="not a regular file"):
        job.append("results.jsonl", 0, [b"one\n"])


def refuse(out: Path, source: Path, name: str | None = None) -> str:
    return reject(out, source, PurePosixPath(name or source.name), [PROBLEM], 1)


def test_a_refused_file_lies_unchanged_beside_its_reasons(out: Path, tmp_path: Path) -> None:
    source = drop(tmp_path / "claims" / "1" / "nightly" / "a.jsonl")
    assert refuse(out, source, "nightly/a.jsonl") == "nightly/a.jsonl"
    assert (out / "rejected/nightly/a.jsonl").read_text() == "hello"
    assert not source.exists()
    assert json.loads((out / "rejected/nightly/a.jsonl.errors.json").read_text()) == {
        "schema": "batchd/errors/1",
        "file": "nightly/a.jsonl",
        "errors": [{"line": 3, "field": "params.model", "message": "is missing"}],
        "count": 1,
    }


def test_a_second_file_of_the_name_gets_a_number_before_its_extension(out: Path, tmp_path: Path) -> None:
    for number in ("1", "2", "3"):
        refuse(out, drop(tmp_path / "a.jsonl", number))
    refuse(out, drop(tmp_path / "plain"))
    refuse(out, drop(tmp_path / "plain"))
    assert {name for name in everything(out / "rejected") if not name.endswith(".errors.json")} == {
        "a.jsonl", "a-2.jsonl", "a-3.jsonl", "plain", "plain-2"
    }  # fmt: skip
    assert json.loads((out / "rejected/a-3.jsonl.errors.json").read_text())["file"] == "a-3.jsonl"


def test_a_refused_file_is_never_called_as_the_reasons_of_another(out: Path, tmp_path: Path) -> None:
    assert refuse(out, drop(tmp_path / "a.errors.json", "mine")) == "a.errors-1.json"
    assert refuse(out, drop(tmp_path / "a")) == "a"
    assert (out / "rejected/a.errors-1.json").read_text() == "mine"


def test_at_most_a_thousand_reasons_are_written_and_the_count_of_all(out: Path, tmp_path: Path) -> None:
    problems = (Problem(line, "", "\udce9 is no text") for line in range(1, 5_000))
    reject(out, drop(tmp_path / "a"), PurePosixPath("a"), problems, 4_999)
    reasons = json.loads((out / "rejected/a.errors.json").read_text())
    assert (len(reasons["errors"]), reasons["count"]) == (1_000, 4_999)


@pytest.mark.parametrize(
    ("name", "safe"),
    [(os.fsdecode(b"caf\xe9.md"), "caf_.md"), ("a\nb.md", "a_b.md"), ("../a.md", "_./a.md"), ("x" * 255, "x" * 200)],
)
def test_refused_names_become_safe(out: Path, tmp_path: Path, name: str, safe: str) -> None:
    assert refuse(out, drop(tmp_path / "source"), name) == safe
    assert (out / "rejected" / safe).read_text() == "hello"


def test_links_and_pipes_are_moved_as_they_are(out: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    refuse(out, tmp_path / "link")
    refuse(out, tmp_path / "pipe")
    assert (out / "rejected/link").readlink() == Path("/etc")
    assert stat.S_ISFIFO((out / "rejected/pipe").lstat().st_mode)
    assert list(tmp_path.iterdir()) == [out]


def test_from_another_file_system_all_kinds_are_refused_too(out: Path, elsewhere: Path) -> None:
    drop(elsewhere / "a.md")
    (elsewhere / "link").symlink_to("/etc")
    os.mkfifo(elsewhere / "pipe")
    for name in ("a.md", "link", "pipe"):
        refuse(out, elsewhere / name)
    assert list(elsewhere.iterdir()) == []
    assert {path.name for path in (out / "rejected").iterdir()} == {
        "a.md", "a.md.errors.json", "link", "link.errors.json", "pipe.errors.json"
    }  # fmt: skip
    assert (out / "rejected/link").readlink() == Path("/etc")


KILLED = """
import os, signal, sys
from pathlib import Path, PurePosixPath
from batchd.model import Problem
from batchd.edges.rejected import reject
steps = int(sys.argv[3])
def strike(frame, event, arg):
    global steps
    if event == "c_call" and getattr(arg, "__module__", "") == "posix":
        if steps == 0: os.kill(os.getpid(), signal.SIGKILL)
        steps -= 1
sys.setprofile(strike)
reject(Path(sys.argv[1]), Path(sys.argv[2]), PurePosixPath("nightly/a.md"), [Problem(1, "", "wrong")], 1)
sys.setprofile(None)
"""


@pytest.mark.parametrize("copying", [False, True])
def test_killed_at_any_call_a_repetition_ends_the_same(
    *, copying: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    claims = request.getfixturevalue("elsewhere") if copying else tmp_path / "claims"
    for steps in range(200):
        out = tmp_path / f"out-{steps}"
        out.mkdir()
        drop(out / "rejected" / "nightly" / "a.md", "an older one")
        source = drop(claims / "a.md")
        command = [sys.executable, "-c", KILLED, str(out), str(source), str(steps)]
        killed = subprocess.run(command, check=False, cwd=ROOT).returncode
        if source.exists():
            reject(out, source, PurePosixPath("nightly/a.md"), [Problem(1, "", "wrong")], 1)
        found = everything(out / "rejected" / "nightly")
        reasons = json.loads(found.pop("a-2.md.errors.json"))
        assert reasons["file"] == "nightly/a-2.md"
        leftover = {name: text for name, text in found.items() if not name.startswith(".")}
        assert leftover == {"a.md": "an older one", "a-2.md": "hello"}, steps
        assert not source.exists()
        if killed == 0:
            return
        assert killed == -signal.SIGKILL
    pytest.fail("the rejection never came to its end")
