"""Files of the outbox as the page gives them away: by what the row of the job knows, never through a link.

Folders of finished jobs may belong to others, so every name is opened below a descriptor. All of it blocks: callers run
it in a worker thread.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import Final

from batchd.edges import disk

NONE, DOCUMENTS, ALL = "none", "documents", "all"
_REPORTS: Final = ("job.json", "report.jsonl")
_WHOLE: Final = (
    "results.csv",
    "results.tsv",
    "rejects.csv",
    "rejects.tsv",
    "results.jsonl",
    "results.jsonl.zst",
    "failures.jsonl",
    "rejects.jsonl",
    "superseded.jsonl",
    "steps.jsonl",
    "rows.jsonl",
    "files.csv",
    "instructions.md",
)
_REQUEST: Final = "request."
_REJECTED: Final = "rejected"
_REASONS: Final = ".errors.json"
_MOST_REJECTED: Final = 20
_MOST_LOOKED_AT: Final = 5_000
_MOST_BYTES: Final = 1 << 20
EXCERPT: Final = 20_000
"""Bytes of a document that are shown on the page."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that can be had."""

    name: str
    """Relative to the job's folder."""
    size: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was rejected."""

    file: str
    at: float
    """Unix seconds."""
    count: int
    errors: tuple[tuple[int, str, str], ...]
    """Line, field and message of the first."""


def may_be_had(name: str, content: str, *, is_document: bool) -> bool:
    """Whether a file of a job's folder is given away.

    Args:
        name: Relative to the folder.
        content: `page.content`.
        is_document: Whether the row knows it as one.
    """
    if content == NONE:
        return False
    if is_document or (content == ALL and (name in _REPORTS or name in _WHOLE)):
        return True
    return content == ALL and name.startswith(_REQUEST) and "/" not in name


def of_job(outbox: Path, job: str, content: str) -> list[File]:
    """List the files beside a job's documents, those first that people open."""
    if content != ALL:
        return []
    found: list[File] = []
    with suppress(OSError), disk.opened(outbox, PurePosixPath(job)) as folder:
        for name in os.listdir(folder):  # noqa: PTH208  a descriptor
            if may_be_had(name, content, is_document=False):
                stat = disk.stat_at(folder, name)
                if stat is not None and S_ISREG(stat.st_mode):
                    found.append(File(name, stat.st_size))
    order = {name: place for place, name in enumerate((*_WHOLE, *_REPORTS))}
    return sorted(found, key=lambda file: (order.get(file.name, len(order)), file.name))


def open_file(outbox: Path, job: str, name: str) -> int | None:
    """Open a file of a job's folder; None where there is no such regular file there.

    Returns:
        A descriptor, the caller's to close.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or any(part in {".", ".."} or "\0" in part for part in name.split("/")):
        return None
    try:
        with disk.opened(outbox, PurePosixPath(job) / path.parent) as folder:
            return disk.open_regular(path.name, folder=folder)
    except (OSError, ValueError):
        return None


def rejected(outbox: Path) -> tuple[int, list[Refusal]]:
    """Count the files that were rejected and still lie there, and read the reasons of the newest."""
    names = list(_reasons(outbox))
    newest = sorted(names, key=lambda found: -found[1])[:_MOST_REJECTED]
    return len(names), [refusal for inside, at in newest if (refusal := _refusal(outbox, inside, at))]


def _reasons(outbox: Path) -> Iterator[tuple[str, float]]:
    looked = 0
    with suppress(OSError), disk.opened(outbox, PurePosixPath(_REJECTED)) as top:
        for folder, _, files, at in os.fwalk(".", dir_fd=top, follow_symlinks=False):
            for name in files:
                looked += 1
                if looked > _MOST_LOOKED_AT:
                    return
                if name.endswith(_REASONS) and (stat := disk.stat_at(at, name)) is not None:
                    yield os.path.normpath(os.path.join(folder, name)), stat.st_mtime  # noqa: PTH118  no path to open


def _refusal(outbox: Path, inside: str, at: float) -> Refusal | None:
    descriptor = open_file(outbox, _REJECTED, inside)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as opened:
        text = opened.read(_MOST_BYTES)
    try:
        said = json.loads(text)
        errors = tuple((int(e["line"] or 0), str(e["field"] or ""), str(e["message"])) for e in said["errors"][:5])
        return Refusal(inside.removesuffix(_REASONS), at, int(said.get("count", len(errors))), errors)
    except (ValueError, KeyError, TypeError):
        return Refusal(inside.removesuffix(_REASONS), at, 1, ())
