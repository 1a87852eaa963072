"""What the outbox tells of the life that a restored state has lost: finished jobs, results, files that were taken.

All of it blocks: callers run it in a worker thread.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from batchd.decisions.batch.restored import Found
from batchd.edges import claims, disk, rejected
from batchd.edges.outbox import JobFolder
from batchd.formats import jobs
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


class _Reasons(msgspec.Struct):
    count: int


_REASONS: Final = ".errors.json"


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
        requests = (folder / _request_of(claim) for folder in _numbered(outbox.joinpath(*queue), stem))
        rejections = _numbered(outbox.joinpath(rejected.FOLDER, *queue), refused)
        for file in (*requests, *(each for each in rejections if int(each.stat().st_mtime) == int(its.st_mtime))):
            with suppress(OSError):
                if file.stat(follow_symlinks=False).st_size == its.st_size and _equal(file, claim.path):
                    found.append(file)
    return found


def begun_with(outbox: Path, claim: claims.Claim, job: str) -> bool:
    """Whether a job's folder holds nothing but a request file, and that has a claim's bytes."""
    return _holds_only(outbox / job, _request_of(claim), claim.path)


def finished_jobs(outbox: Path, since: float) -> list[tuple[jobs.Job, float]]:
    """List the jobs of an outbox that have finished since then, in unix seconds, each with that moment."""
    found: list[tuple[jobs.Job, float]] = []
    for folder, _, names in _walk(outbox):
        if "job.json" in names:
            with suppress(OSError, ValueError, msgspec.DecodeError), _reading(folder / "job.json") as file:
                told = typed.decode(file.read(), jobs.Job)
                at = datetime.fromisoformat(told.finished_at).timestamp()
                if at >= since and told.job == str(folder.relative_to(outbox)):
                    found.append((told, at))
    return sorted(found, key=lambda each: each[1])


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rejected file, as its reasons tell of it."""

    path: Path
    file: str
    """Its path below `rejected/`, as it is shown."""
    errors: int
    at: float
    """Unix seconds."""


def refusals(outbox: Path, since: float) -> list[Refusal]:
    """List the rejected files whose reasons were written since then, in unix seconds."""
    found: list[Refusal] = []
    place = outbox / rejected.FOLDER
    for folder, folders, names in os.walk(place):
        there = {*folders, *names}
        for name in names:
            of = name.removesuffix(_REASONS)
            if of == name or of not in there:  # reasons of instructions, or a refusal that a crash has cut short
                continue
            path = Path(folder, of)
            with suppress(OSError, msgspec.DecodeError), _reading(Path(folder, name)) as file:
                at = os.fstat(file.fileno()).st_mtime
                if at >= since:
                    shown = safepath.printable(str(path.relative_to(place)))
                    found.append(Refusal(path, shown, typed.decode(file.read(), _Reasons).count, at))
    return sorted(found, key=lambda each: each.at)


def left_over(outbox: Path, refused: Path) -> list[str]:
    """Name the folders of jobs that hold nothing but the request that a rejected file is, byte for byte."""
    inside = refused.relative_to(outbox / rejected.FOLDER)
    request = _request_called(refused.suffix)
    return [
        str(folder.relative_to(outbox))
        for folder in _numbered(outbox / inside.parent, refused.stem)
        if _holds_only(folder, request, refused)
    ]


def remove(outbox: Path, job: str) -> None:
    """Remove the folder of a job that holds nothing but its request, which lies elsewhere."""
    folder = outbox / job
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    disk.sync_folder(folder.parent)


def _holds_only(folder: Path, request: str, of: Path) -> bool:
    with suppress(OSError):
        return [each.name for each in folder.iterdir()] == [request] and _equal(folder / request, of)
    return False


def _walk(outbox: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Walk through the folders that jobs may have."""
    for folder, folders, names in os.walk(outbox):
        top = Path(folder) == outbox
        folders[:] = [
            each
            for each in folders
            if not each.startswith(".")
            and not (top and each == rejected.FOLDER)
            and not (each == "documents" and "job.json" in names)
        ]
        yield Path(folder), folders, names


def _request_of(claim: claims.Claim) -> str:
    return _request_called(claim.called.suffix)


def _request_called(suffix: str) -> str:
    return safepath.component(f"request.{suffix.lstrip('.')}".rstrip("."))


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
