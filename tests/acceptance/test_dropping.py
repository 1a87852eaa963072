"""However a file comes into the inbox, and from whatever program, it becomes exactly one job."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation
from tests.support.surroundings import REPOSITORY

TEXT = "Write a paragraph about the sea.\n"
SETTLE = 0.6
REAL = sorted((REPOSITORY / "tests" / "data" / "real").glob("*.*"))


def copied(source: Path, target: Path) -> None:
    subprocess.run(["cp", source, target], check=True)


def moved(source: Path, target: Path) -> None:
    subprocess.run(["mv", source, target], check=True)


def synced(source: Path, target: Path) -> None:
    """rsync writes under a hidden name and renames."""
    subprocess.run(["rsync", "-a", source, target], check=True)


def synced_in_place(source: Path, target: Path) -> None:
    subprocess.run(["rsync", "-a", "--inplace", source, target], check=True)


def saved_by_an_editor(source: Path, target: Path) -> None:
    """As vim saves: a probe, a backup by rename, a new file in place, the backup removed; and once more."""
    for _ in range(2):
        (target.parent / "4913").touch()
        (target.parent / "4913").unlink()
        backup = target.with_name(f"{target.name}~")
        if target.exists():
            target.rename(backup)
        with target.open("w") as written:
            written.write(source.read_text())
        backup.unlink(missing_ok=True)


def edited_in_place(source: Path, target: Path) -> None:
    """`sed -i` writes a temporary file beside it and renames."""
    target.write_text("placeholder\n")
    subprocess.run(["sed", "-i", f"s/.*/{source.read_text().strip()}/", target], check=True)


def written_slowly(source: Path, target: Path) -> None:
    """As scp does over a slow line: it stands still for longer than a file must to be whole, but is held open."""
    with target.open("w") as written:
        for word in source.read_text().split(" "):
            written.write(word if written.tell() == 0 else f" {word}")
            written.flush()
            time.sleep(SETTLE / 2)
        time.sleep(2 * SETTLE)


def linked(source: Path, target: Path) -> None:
    subprocess.run(["ln", source, target], check=True)


WAYS: list[Callable[[Path, Path], None]] = [
    copied,
    moved,
    synced,
    synced_in_place,
    saved_by_an_editor,
    edited_in_place,
    written_slowly,
    linked,
]


def test_every_way_of_dropping_makes_exactly_one_job(batchd: Installation) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed; .ci/run installs it")
    process = batchd.start("run", "--sandbox", "--set", f"intake.settle={SETTLE}")
    batchd.wait_until(batchd.inbox.exists)
    desk = batchd.home / "desk"
    desk.mkdir()
    for way in WAYS:
        source = desk / f"{way.__name__}.txt"
        source.write_text(TEXT)
        way(source, batchd.inbox / source.name)
    for way in WAYS:
        assert batchd.job(way.__name__)["state"] == "done"
        assert (batchd.outbox / way.__name__ / "request.txt").read_text() == TEXT
    jobs = [path.name for path in batchd.outbox.iterdir() if path.is_dir() and not path.name.startswith(".")]
    assert sorted(jobs) == sorted(way.__name__ for way in WAYS)
    assert not any(batchd.inbox.iterdir())
    assert batchd.stop(process) == 0


def test_requests_that_others_wrote_run_or_are_refused_with_reasons(batchd: Installation) -> None:
    """See tests/data/real/SOURCES.md."""
    files = [file for file in REAL if file.name != "SOURCES.md"]
    batchd.inbox.mkdir()
    for file in files:
        shutil.copy(file, batchd.inbox / file.name)
    batchd.call("run", "--once", "--sandbox")
    refused = {file for file in files if (batchd.outbox / "rejected" / file.name).exists()}
    assert {file.stem for file in refused} == {file.stem for file in files if "_as_" in file.stem}
    for file in refused:
        reasons = json.loads((batchd.outbox / "rejected" / f"{file.name}.errors.json").read_text())
        assert all(error["message"] for error in reasons["errors"])
    for file in set(files) - refused:
        job = batchd.job(file.stem)
        assert job["requests"]["complete"] == job["requests"]["total"] > 0
