"""A backup of a state folder while it is in use, and what is made of one: files with their hashes.

The database comes first, at one moment, and the files after it: that is what a crash at that moment leaves, which the
daemon survives anyhow. Claims come before it, too, since a file leaves them as soon as it is a job. Until all is
copied, nothing is removed that the database of that moment still needs (`disk.removals_stopped`). All of it blocks.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path, PurePosixPath
from stat import S_ISDIR, S_ISREG
from typing import Final
from urllib.parse import quote

import msgspec

from batchd.edges import disk, trees
from batchd.errors import Unusable
from batchd.text import typed

SUMMARY: Final = "backup.json"
SETTINGS: Final = "batchd.toml"
_FIRST: Final = ("claims",)
_AFTER: Final = ("claims", "spool", "drafts", "streams")


class Summary(msgspec.Struct, frozen=True):
    """What a backup is of: `backup.json`, written last."""

    installation: str
    """The tag of its wire ids."""
    epoch: int
    """How often it was restored."""
    last_intent: int
    """How many creates it had begun."""
    made_at: str
    files: Mapping[str, str]
    """Relative paths, each with the SHA-256 of its bytes."""


def make_folder(folder: Path) -> None:
    """Make the folder of a backup.

    Raises:
        Unusable: It holds something, or cannot be made.
    """
    disk.prepare(folder)
    try:
        if next(folder.iterdir(), None) is not None:
            raise Unusable(f"{folder} is not empty: name a folder that is, or that is not there yet")
    except OSError as error:
        raise Unusable(f"{folder} cannot be read: {error.strerror}") from error


def copy_state(state: Path, database: str, folder: Path) -> dict[str, str]:
    """Copy a state into an empty folder.

    Args:
        database: The name of its database.

    Returns:
        What was copied, each with the SHA-256 of its bytes.

    Raises:
        OSError: A disk refuses.
        Unusable: The database cannot be read.
    """
    files: dict[str, str] = {}
    for name in _FIRST:
        files |= _copy_tree(state, folder, name)
    _copy_database(state / database, folder / database)
    files[database] = _hash(folder / database)
    for name in _AFTER:
        files |= _copy_tree(state, folder, name)
    return files


def copy_file(source: Path, folder: Path, name: str) -> dict[str, str]:
    """Copy one file into a backup; one that may not be read is left out."""
    with suppress(PermissionError), disk.opened(folder) as at:
        descriptor = disk.open_regular(Path(os.path.realpath(source)))
        try:
            disk.copy_whole(descriptor, at, name)
        finally:
            os.close(descriptor)
        return {name: _hash(folder / name)}
    return {}


def sign(folder: Path, summary: Summary) -> None:
    """Write `backup.json`: with it, a backup is one."""
    with disk.opened(folder) as at:
        disk.write_whole(at, SUMMARY, [msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"])
    disk.sync_folder(folder)


def verified(folder: Path) -> Summary:
    """Read what a backup is of, and compare every file with its hash.

    Raises:
        Unusable: It is none, lacks a file, or has one that is not as it was.
    """
    try:
        with os.fdopen(disk.open_regular(folder / SUMMARY), "rb") as file:
            summary = typed.decode(file.read(), Summary)
    except (OSError, msgspec.DecodeError):
        raise Unusable(f"{folder} is no backup: it has no {SUMMARY} that can be read") from None
    for name, expected in summary.files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise Unusable(f"{folder} is no backup of batchd: it names {name!r}")
        try:
            found = _hash(folder / path)
        except OSError as error:
            raise Unusable(f"{folder} lacks {name}, or it cannot be read: {error.strerror}") from None
        if found != expected:
            raise Unusable(f"{folder / name} is not as it was backed up: its SHA-256 differs")
    return summary


def fill(folder: Path, summary: Summary, new: Path) -> None:
    """Copy the files of a backup into a new folder, durably; not the settings.

    Raises:
        OSError: A disk refuses.
    """
    trees.remove_path(new)
    disk.prepare(new)
    for name in summary.files:
        if name != SETTINGS:
            _copy_one(folder, new, PurePosixPath(name))
    with disk.opened(new) as at:
        trees.sync(at)


def _copy_tree(state: Path, folder: Path, name: str) -> dict[str, str]:
    files: dict[str, str] = {}
    try:
        with disk.opened(state, PurePosixPath(name)) as at:
            found = list(_files(at, PurePosixPath(name)))
    except FileNotFoundError:
        return files
    for path in found:
        with suppress(FileNotFoundError):  # it went on meanwhile
            _copy_one(state, folder, path)
            files[str(path)] = _hash(folder / path)
    return files


def _files(folder: int, inside: PurePosixPath) -> Iterator[PurePosixPath]:
    for name in trees.names_in(folder):
        stat = disk.stat_at(folder, name)
        if stat is not None and S_ISDIR(stat.st_mode):
            with suppress(FileNotFoundError), trees.opened_below(folder, name) as below:
                yield from list(_files(below, inside / name))
        elif stat is not None and S_ISREG(stat.st_mode):
            yield inside / name


def _copy_one(source: Path, target: Path, path: PurePosixPath) -> None:
    with disk.opened(source, path.parent) as at, disk.opened(target, path.parent, create=True, sync=False) as there:
        descriptor = disk.open_regular(path.name, folder=at)
        try:
            disk.copy_whole(descriptor, there, path.name)
            stat = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        # A claim across file systems is known by the time of its file.
        os.utime(path.name, ns=(stat.st_atime_ns, stat.st_mtime_ns), dir_fd=there, follow_symlinks=False)


def _copy_database(source: Path, target: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as original,
            closing(sqlite3.connect(target)) as copy,
        ):
            original.execute("PRAGMA busy_timeout = 5000")
            original.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # so that whoever looks into it writes nothing beside it
            if (said := copy.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise Unusable(f"{source} is damaged: {said}")
    except sqlite3.DatabaseError as error:
        raise Unusable(f"{source} cannot be backed up: {error}") from error
    target.chmod(disk.PRIVATE_FILE)
    with disk.opened(target.parent) as folder:
        descriptor = disk.open_regular(target.name, folder=folder)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def facts_of(database: Path) -> dict[str, str]:
    """Read what the database of a backup says of its installation."""
    with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as copy:
        return dict(copy.execute("SELECT name, value FROM facts"))


def _hash(path: Path) -> str:
    with os.fdopen(disk.open_regular(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
