"""What was refused, and why: `outbox/rejected/`, where nothing is ever replaced.

All of it blocks: callers run it in a worker thread.
"""

import errno
import json
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePosixPath
from stat import S_ISDIR, S_ISLNK, S_ISREG

from batchd.edges import disk, trees
from batchd.formats import signed
from batchd.model import Problem
from batchd.text import safepath

FOLDER = "rejected"
_OF_INSTRUCTIONS = "instructions"
"""What no rejected file is called: the reasons beside it would have the name of those for a folder's instructions."""
MAX_PROBLEMS = 1_000

_naming = threading.Lock()
"""Held from choosing a name until it is used: two files of one name would overwrite each other's reasons."""


def reject(  # noqa: PLR0913  what is told of it
    outbox: Path,
    source: Path,
    name: PurePosixPath,
    problems: Iterable[Problem],
    count: int,
    *,
    again: bool = False,
    tell: Callable[[str], None] | None = None,
) -> str:
    """Move a refused file to `rejected/`, unchanged, beside its reasons; idempotent, also after a crash.

    The reasons are written first, so that a refused file never lies there without them. A crash may leave reasons
    without a file: the repetition uses the same name.

    Args:
        source: What was claimed; it may be a link or a pipe. It is gone afterwards.
        name: Its path below the inbox.
        problems: What is wrong, in the order of the file; the first 1,000 are written.
        again: Whether it may have been refused before, by a life that the state knows nothing of: a file of its age
            and its bytes that lies there already is taken for it.
        tell: Told its path below `rejected/`, once its reasons are there and before it is; a crash may repeat that, and
            it is repeated for what may have been refused before.

    Returns:
        Its path below `rejected/`.

    Raises:
        OSError: The disk refuses; repeat.
    """
    *queue, last = safepath.components(name)
    inside = PurePosixPath(*queue)
    with _naming, disk.opened(outbox, FOLDER / inside, create=True) as folder:
        stat = source.lstat()
        # Where it is copied: a name that only this very file has, by which a repetition knows its copy again.
        copy = f".{stat.st_dev:x}-{stat.st_ino:x}-{stat.st_mtime_ns:x}.copy"
        tree = S_ISDIR(stat.st_mode)

        def taken(name: str) -> bool:
            if name.casefold() == _OF_INSTRUCTIONS:
                return True
            there = disk.stat_at(folder, name)
            if tree:
                return there is not None and not _is_tree(there, stat, folder, copy)
            if there is None or _is_it(there, stat, disk.stat_at(folder, copy)):
                return False
            return not (again and _is_alike(there, stat) and _same_bytes(source, folder, name))

        final = safepath.first_free(*safepath.beside_reasons(last), taken)
        shown = str(inside / final)
        missing = disk.stat_at(folder, final) is None
        if missing:
            disk.write_whole(folder, f"{final}.errors.json", [_reasons(shown, problems, count)])
        if tell is not None and (missing or again):  # what a lost life was told is not known here
            tell(shown)
        if missing:
            _move(source, stat, folder, final, copy)
        os.fsync(folder)
        if tree:
            trees.remove_path(source)
        else:
            with suppress(FileNotFoundError):
                source.unlink()
        trees.remove(folder, copy)
        disk.unlink_at(folder, _moved(copy))
        disk.sync_folder(source.parent)
        return shown


def _is_alike(there: os.stat_result, stat: os.stat_result) -> bool:
    regular = S_ISREG(there.st_mode) and S_ISREG(stat.st_mode)
    return regular and (there.st_size, int(there.st_mtime)) == (stat.st_size, int(stat.st_mtime))


def _same_bytes(source: Path, folder: int, name: str) -> bool:
    with (
        os.fdopen(disk.open_regular(source), "rb") as one,
        os.fdopen(disk.open_regular(name, folder=folder), "rb") as other,
    ):
        while piece := one.read(disk.COPY_BYTES):
            if piece != other.read(len(piece)):
                return False
    return True


def tell_of_instructions(outbox: Path, folder: PurePosixPath, file: str, problems: Sequence[Problem]) -> None:
    """Write, or remove, what is wrong with the instructions of a folder of the inbox.

    Args:
        folder: Below the inbox.
        file: What they are called.
        problems: None, and what was told before is taken back.

    Raises:
        OSError: The disk refuses; repeat.
    """
    inside = PurePosixPath(*safepath.components(folder)) if folder.parts else PurePosixPath()
    name = f"{_OF_INSTRUCTIONS}.errors.json"
    try:
        with disk.opened(outbox, FOLDER / inside, create=bool(problems)) as at:
            if problems:
                disk.write_whole(at, name, [_reasons(str(folder / file), problems, len(problems))])
            elif disk.stat_at(at, name) is not None:
                disk.unlink_at(at, name)
            else:
                return
            os.fsync(at)
    except FileNotFoundError:
        return  # nothing was ever refused there


def _reasons(file: str, problems: Iterable[Problem], count: int) -> bytes:
    first = [
        {
            "line": problem.line,
            **({"row": problem.row} if problem.row else {}),
            "field": problem.field,
            "message": problem.message,
        }
        for problem in islice(problems, MAX_PROBLEMS)
    ]
    text = json.dumps({**signed("errors"), "file": file, "errors": first, "count": count}, ensure_ascii=False, indent=2)
    # A message may quote a lone surrogate of the file.
    return text.encode(errors="backslashreplace") + b"\n"


def _move(source: Path, stat: os.stat_result, folder: int, name: str, copy: str) -> None:
    """Give the source this name without replacing another file; where that is no rename, the source still stays."""
    if S_ISREG(stat.st_mode):
        _move_regular(source, folder, name, copy)
        return
    if S_ISDIR(stat.st_mode):
        _move_tree(source, folder, name, copy)
        return
    try:
        os.rename(source, name, dst_dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # A pipe, socket or device holds nothing: of one from another file system only the reasons stay.
        if S_ISLNK(stat.st_mode):
            os.symlink(source.readlink(), name, dir_fd=folder)


def _move_regular(source: Path, folder: int, name: str, copy: str) -> None:
    try:
        os.link(source, name, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno != errno.EXDEV:
            # Hard links are refused for another's file, and unknown to some file systems.
            os.rename(source, name, dst_dir_fd=folder)
            return
        descriptor = disk.open_regular(source)
        try:
            disk.copy_whole(descriptor, folder, copy)
        finally:
            os.close(descriptor)
        os.link(copy, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)


def _move_tree(source: Path, folder: int, name: str, copy: str) -> None:
    """Give a bundle this name. What tells a repetition that its copy has the name already is written before it has."""
    try:
        os.rename(source, name, dst_dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        trees.remove(folder, copy)
        os.mkdir(copy, disk.PRIVATE_FOLDER, dir_fd=folder)
        with disk.opened(source) as original, trees.opened_below(folder, copy) as copied:
            trees.copy(original, copied)
            inode = os.fstat(copied).st_ino
        disk.write_whole(folder, _moved(copy), [str(inode).encode()])
        os.fsync(folder)
        os.rename(copy, name, src_dir_fd=folder, dst_dir_fd=folder)


def _moved(copy: str) -> str:
    return f"{copy}.moved"


def _is_tree(there: os.stat_result, source: os.stat_result, folder: int, copy: str) -> bool:
    """Whether a crash came after a bundle, or its copy, had got this name."""
    if os.path.samestat(there, source):
        return True
    try:
        with os.fdopen(disk.open_regular(_moved(copy), folder=folder), "rb") as noted:
            return noted.read() == str(there.st_ino).encode()
    except FileNotFoundError:
        return False


def _is_it(there: os.stat_result, source: os.stat_result, copy: os.stat_result | None) -> bool:
    """Whether a crash came after the source, or its copy, had got this name, and before the source was removed."""
    return os.path.samestat(there, source) or (copy is not None and os.path.samestat(there, copy))
