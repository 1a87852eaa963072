"""What the outbox tells of the life that a restored state has lost: finished jobs, results, files that were taken.

All of it blocks: callers run it in a worker thread.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from batchd.decisions.batch.restored import Found
from batchd.edges import claims, disk, rejected
from batchd.edges.outbox import JobFolder
from batchd.model import Verdict
from batchd.text import safepath, typed, zstd


class Reported(msgspec.Struct):
    """A line of `report.jsonl`, as far as it is taken for the outcome of a request."""

    custom_id: str
    verdict: Verdict | None = None
    reason: str | None = None
    document: str | None = None


class _Finished(msgspec.Struct):
    finished_at: str


def look_at(folder: JobFolder, acknowledged: int, unsettled: bool) -> Found:  # noqa: FBT001  a thread's arguments have no names
    """Say what lies in the folder of a job that the state takes for unfinished.

    Args:
        acknowledged: Bytes of its results that the state knows.
        unsettled: Whether a request of it has no verdict.
    """
    finished = unsettled and (folder.path / "job.json").is_file()
    beyond, last = 0, 0
    count = 0
    with suppress(OSError), _reading(folder.path / "results.jsonl") as file:
        file.seek(acknowledged)
        for line in file:
            count += 1
            beyond, last = beyond + len(line), len(line)
    return Found(folder.name, finished=finished, lines_beyond=count, bytes_beyond=beyond - last)


def keep_results(folder: JobFolder, acknowledged: int) -> None:
    """Keep a copy of results that are longer than acknowledged: what follows cuts them back."""
    results = folder.path / "results.jsonl"
    with suppress(FileNotFoundError), _reading(results) as file:
        if os.fstat(file.fileno()).st_size > acknowledged and not (folder.path / "superseded.jsonl").exists():
            folder.write_whole("superseded.jsonl", iter(lambda: file.read(disk.COPY_BYTES), b""))
            folder.sync()


def finished(folder: JobFolder) -> tuple[float, int, list[Reported]] | None:
    """When a job was finished in the lost life, how long its results are, and what is reported; None if it was not."""
    try:
        with _reading(folder.path / "job.json") as file:
            moment = datetime.fromisoformat(typed.decode(file.read(), _Finished).finished_at).timestamp()
        return moment, _length(folder.path / "results.jsonl"), list(_reports(folder.path / "report.jsonl"))
    except (OSError, ValueError, msgspec.DecodeError):
        return None


def _length(results: Path) -> int:
    """Bytes of the results; none of them were lost where they are packed, or where their folder went that way."""
    with suppress(FileNotFoundError):
        return results.stat(follow_symlinks=False).st_size
    with _reading(results.with_name(results.name + zstd.ENDING)):
        return 0


def is_packed(folder: JobFolder) -> bool:
    """Whether the results of a job are packed, and there is nothing else of them."""
    names = {each.name for each in folder.path.iterdir()}
    return "results.jsonl" not in names and "results.jsonl" + zstd.ENDING in names


def _reports(report: Path) -> Iterator[Reported]:
    decoder = typed.decoder(Reported)
    with _reading(report) as file:
        for line in file:
            yield decoder.decode(line)


def equals_of(outbox: Path, claim: claims.Claim) -> list[Path]:
    """What has a claim's bytes: request files of jobs of its name, and refused files of its name and age."""
    *queue, last = safepath.components(claim.called)
    *_, stem = safepath.components(claim.called.with_suffix(""))
    refused = Path(last).stem
    found: list[Path] = []
    with suppress(OSError):
        its = claim.path.stat(follow_symlinks=False)
        jobs = (folder / _request_of(claim) for folder in _numbered(outbox.joinpath(*queue), stem))
        rejections = _numbered(outbox.joinpath(rejected.FOLDER, *queue), refused)
        for file in (*jobs, *(each for each in rejections if int(each.stat().st_mtime) == int(its.st_mtime))):
            with suppress(OSError):
                if file.stat(follow_symlinks=False).st_size == its.st_size and _equal(file, claim.path):
                    found.append(file)
    return found


def begun_with(outbox: Path, claim: claims.Claim, job: str) -> bool:
    """Whether a job's folder holds nothing but a request file, and that has a claim's bytes."""
    with suppress(OSError):
        inside = list((outbox / job).iterdir())
        return [each.name for each in inside] == [_request_of(claim)] and _equal(inside[0], claim.path)
    return False


def _request_of(claim: claims.Claim) -> str:
    return safepath.component(f"request.{claim.called.suffix.lstrip('.')}".rstrip("."))


def _numbered(folder: Path, name: str) -> list[Path]:
    """What in a folder has a name, before its ending, or that name with a number behind it."""
    with suppress(OSError):
        entries = sorted(folder.iterdir())
        return [
            each
            for each in entries
            for stem in (each.stem if each.is_file() else each.name,)
            if stem == name or (stem.startswith(f"{name}-") and stem[len(name) + 1 :].isdigit())
        ]
    return []


def _equal(one: Path, other: Path) -> bool:
    with _reading(one) as left, _reading(other) as right:
        while piece := left.read(disk.COPY_BYTES):
            if piece != right.read(len(piece)):
                return False
        return not right.read(1)


def _reading(path: Path) -> BinaryIO:
    return os.fdopen(disk.open_regular(path), "rb")
