"""Removal of what has been kept long enough: a whole folder at a time, and nothing that is not ours.

A folder first leaves the outbox by one rename, into `state/trash/`; what is in it is removed there. Everything is
opened from folder to folder, following no link. All of it blocks: callers run it in a worker thread.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from batchd.edges import disk, trees
from batchd.text import typed, zstd

FOLDER = "trash"
REJECTED = "rejected"
RESULTS = "results.jsonl"
REQUEST = "request"
"""What was asked: a folder of this name, or a file with some ending."""
_REASONS = ".errors.json"
_GOING = re.compile(r"\.(.+)\.errors\.json\.trash", re.DOTALL)
"""What the reasons are called from the moment that what they are about is being removed until all of it is gone."""


class NotOurs(Exception):
    """What has the name of a job's folder is not that; nothing of it is removed."""


class _Summary(msgspec.Struct):
    job: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A file, or a bundle, that was refused, with its reasons."""

    name: str
    """Its path below `rejected/`."""
    since: float
    """Unix seconds: when its reasons were written."""
    size: int
    """Bytes, those of the reasons included."""


def size_of_job(outbox: Path, name: str) -> int | None:
    """Say how many bytes the folder of a job holds; None where there is none any more.

    Raises:
        NotOurs: It is a link, no folder, or has no `job.json` that names this job.
        OSError: The disk refuses.
    """
    path = PurePosixPath(name)
    try:
        with disk.opened(outbox, path.parent) as parent:
            if disk.stat_at(parent, path.name) is None:
                return None
            _assert_ours(parent, path.name, name)
            return _size(parent, path.name)
    except FileNotFoundError:
        return None


def discard_job(outbox: Path, name: str, trash: Path, key: str) -> None:
    """Remove the folder of a job, if it is there; a crash in between is repaired by a repetition.

    Args:
        trash: Where it goes first; a folder of the state.
        key: Its name there, no other's.

    Raises:
        NotOurs: As `size_of_job`.
        OSError: The disk refuses: repeat.
    """
    path = PurePosixPath(name)
    with suppress(FileNotFoundError), disk.opened(outbox, path.parent) as parent:
        if disk.stat_at(parent, path.name) is not None:
            _assert_ours(parent, path.name, name)
            _move(parent, path.name, trash, key)
        trees.remove(parent, _aside(key))
        os.fsync(parent)
    empty(trash, key)


def size_to_pack(outbox: Path, name: str) -> int:
    """Say how many bytes of a job's folder would be packed, or removed with what was asked.

    Raises:
        NotOurs: As `size_of_job`.
        OSError: The disk refuses.
    """
    path = PurePosixPath(name)
    with suppress(FileNotFoundError), disk.opened(outbox, path.parent) as parent:
        if disk.stat_at(parent, path.name) is not None:
            _assert_ours(parent, path.name, name)
            with trees.opened_below(parent, path.name) as folder:
                return sum(_size(folder, each) for each in trees.names_in(folder) if _goes(each))
    return 0


def pack_job(outbox: Path, name: str) -> None:
    """Pack the results of a job, and remove what was asked; a crash in between is repaired by a repetition.

    Raises:
        NotOurs: As `size_of_job`.
        Missing: This Python has no zstd.
        OSError: The disk refuses: repeat.
    """
    path = PurePosixPath(name)
    with suppress(FileNotFoundError), disk.opened(outbox, path.parent) as parent:
        if disk.stat_at(parent, path.name) is None:
            return
        _assert_ours(parent, path.name, name)
        with trees.opened_below(parent, path.name) as folder:
            if disk.stat_at(folder, RESULTS) is not None:
                _pack(folder, RESULTS)
            for each in trees.names_in(folder):
                if _is_request(each):
                    trees.remove(folder, each)
            os.fsync(folder)


def _pack(folder: int, name: str) -> None:
    """Pack a file, for the same readers, and remove it when that is durable."""
    with os.fdopen(disk.open_regular(name, folder=folder), "rb") as file:
        disk.write_whole(folder, name + zstd.ENDING, zstd.packed(iter(lambda: file.read(disk.COPY_BYTES), b"")))
    os.fsync(folder)
    disk.unlink_at(folder, name)


def _goes(name: str) -> bool:
    return name == RESULTS or _is_request(name)


def _is_request(name: str) -> bool:
    return name == REQUEST or name.startswith(f"{REQUEST}.")


def refused(outbox: Path) -> list[Refused]:
    """List what was refused, and lies beside its reasons, and what a crash has left of it half removed."""
    with suppress(FileNotFoundError), disk.opened(outbox, PurePosixPath(REJECTED)) as folder:
        return list(_refused(folder, PurePosixPath()))
    return []


def discard_refused(outbox: Path, name: str, trash: Path, key: str) -> None:
    """Remove what was refused, and its reasons after it; what a crash leaves of it, `refused` lists again.

    Args:
        name: From `refused`.
        trash: As for `discard_job`, as is the key.

    Raises:
        OSError: The disk refuses: repeat.
    """
    path = PurePosixPath(name)
    reasons, going = f"{path.name}{_REASONS}", f".{path.name}{_REASONS}.trash"
    with suppress(FileNotFoundError), disk.opened(outbox, REJECTED / path.parent) as parent:
        if disk.stat_at(parent, going) is None:
            os.rename(reasons, going, src_dir_fd=parent, dst_dir_fd=parent)
            os.fsync(parent)
        # With reasons of its own again, it is another that was refused meanwhile.
        if disk.stat_at(parent, reasons) is None and disk.stat_at(parent, path.name) is not None:
            _move(parent, path.name, trash, key)
        trees.remove(parent, _aside(key))
        disk.unlink_at(parent, going)
        os.fsync(parent)
    empty(trash, key)


def empty(trash: Path, key: str | None = None) -> None:
    """Remove one thing from the trash, or all that crashes have left there."""
    with suppress(FileNotFoundError), disk.opened(trash) as folder:
        for name in trees.names_in(folder) if key is None else [key]:
            trees.remove(folder, name)


def _move(parent: int, name: str, trash: Path, key: str) -> None:
    """Take a name away in one step; to another file system nothing can be moved so, and it is hidden where it is."""
    disk.prepare(trash)
    empty(trash, key)
    with disk.opened(trash) as there:
        try:
            os.rename(name, key, src_dir_fd=parent, dst_dir_fd=there)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            trees.remove(parent, _aside(key))
            os.rename(name, _aside(key), src_dir_fd=parent, dst_dir_fd=parent)
        os.fsync(there)
        os.fsync(parent)


def _aside(key: str) -> str:
    return f".{key}.trash"


def _assert_ours(parent: int, name: str, job: str) -> None:
    try:
        with (
            trees.opened_below(parent, name) as folder,
            os.fdopen(disk.open_regular("job.json", folder=folder), "rb") as file,
        ):
            told = typed.decode(file.read(), _Summary).job
    except NotADirectoryError:
        raise NotOurs("it is no folder") from None
    except FileNotFoundError:
        raise NotOurs("it has no job.json") from None
    except msgspec.DecodeError:
        raise NotOurs("its job.json is not ours") from None
    except OSError as error:
        if error.errno in disk.NOT_REGULAR:
            raise NotOurs("it, or its job.json, is a link") from None
        raise
    if told != job:
        raise NotOurs("its job.json is another job's")


def _size(parent: int, name: str) -> int:
    stat = os.stat(name, dir_fd=parent, follow_symlinks=False)
    total = stat.st_size
    with suppress(NotADirectoryError), trees.opened_below(parent, name) as folder:
        total = 0
        for _, _, files, at in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
            disk.stop_if_told()
            total += sum(found.st_size for file in files if (found := disk.stat_at(at, file)) is not None)
    return total


def _refused(folder: int, inside: PurePosixPath) -> Iterator[Refused]:
    names = trees.names_in(folder)
    there = set(names)
    told = {each.removesuffix(_REASONS): each for each in names if each.endswith(_REASONS)}
    taken = {*told, *told.values()}
    going = {found[1]: each for each in names if (found := _GOING.fullmatch(each))}
    for name, beside in ({each: told[each] for each in told if each in there} | going).items():
        if (reasons := disk.stat_at(folder, beside)) is not None:
            whole = name in there and not (name in going and name in told)
            yield Refused(str(inside / name), reasons.st_mtime, reasons.st_size + (_size(folder, name) if whole else 0))
    for name in names:
        if not name.startswith(".") and name not in taken and name not in going:
            with suppress(OSError), trees.opened_below(folder, name) as below:
                yield from _refused(below, inside / name)
