"""Taking from another file system: a copy is whole and named before the original goes."""

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final

from batchd.edges import bundles, disk, trees
from batchd.edges.claims.claim import OWNER, Claim

ORIGIN: Final = ".origin"
"""Which file was copied, and is to be removed."""
_COPY: Final = ".copy"


def take_by_copy(source: int, target: int, name: str, folder: Path) -> None:
    """Take a file from another file system: its copy is whole and named before the original goes.

    A marker names the original. It is written before the copy gets its name and removed after the original. While the
    original is there, a failure leaves no copy under its name: the file would be taken twice.
    """
    stat = os.stat(name, dir_fd=source, follow_symlinks=False)
    if S_ISDIR(stat.st_mode):
        _take_tree_by_copy(source, target, name, folder)
        return
    if not S_ISREG(stat.st_mode):
        _make_again(source, target, name, stat)
        return
    original = disk.open_regular(name, folder=source)
    try:
        before = _identity(os.fstat(original))
        disk.copy_whole(original, target, _COPY)
        now = disk.stat_at(source, name)
        if now is None or _identity(now) != before:
            raise BlockingIOError(errno.EAGAIN, "the file changed while it was copied", name)
        with disk.opened(folder) as top:
            disk.write_whole(top, OWNER, [str(stat.st_uid).encode()])
            disk.write_whole(top, ORIGIN, [json.dumps(before).encode()])
            os.fsync(top)
        os.rename(_COPY, name, src_dir_fd=target, dst_dir_fd=target)
        os.fsync(target)
        os.unlink(name, dir_fd=source)
    except OSError:
        if disk.stat_at(source, name) is not None:
            for half in (name, _COPY):
                disk.unlink_at(target, half)
            raise
    finally:
        os.close(original)


def remove_original(inbox: Path, held: Claim) -> None:
    """Remove the original of a copied claim, if it is still the very file that was copied."""
    marker = held.folder / ORIGIN
    try:
        identity = json.loads(marker.read_bytes())
    except FileNotFoundError:
        return
    with suppress(FileNotFoundError), disk.opened(inbox, held.relative.parent) as source:
        now = disk.stat_at(source, held.relative.name)
        if held.is_bundle:
            disk.sync_folder(held.path.parent)
            if now is not None and bundles.look_at(source, held.relative.name).state.hex() == identity:
                os.rename(held.relative.name, _hidden(held.id), src_dir_fd=source, dst_dir_fd=source)
                os.fsync(source)
            with suppress(OSError):
                trees.remove(source, _hidden(held.id))
        elif now is not None and _identity(now) == identity:
            disk.sync_folder(held.path.parent)
            os.unlink(held.relative.name, dir_fd=source)
            os.fsync(source)
    marker.unlink()


def _take_tree_by_copy(source: int, target: int, name: str, folder: Path) -> None:
    """Take a bundle from another file system: by the same steps as a file, of which the last hides it by a rename.

    So it is gone from the inbox at once, and not piece by piece. What is hidden is removed, here or by
    `recover_claims`; where rights forbid that, it stays hidden.
    """
    try:
        before = bundles.look_at(source, name).state.hex()
        os.mkdir(_COPY, disk.PRIVATE_FOLDER, dir_fd=target)
        with trees.opened_below(source, name) as original, trees.opened_below(target, _COPY) as copied:
            trees.copy(original, copied)
        if bundles.look_at(source, name).state.hex() != before:
            raise BlockingIOError(errno.EAGAIN, "the bundle changed while it was copied", name)
        with disk.opened(folder) as top:
            disk.write_whole(top, OWNER, [str(os.stat(name, dir_fd=source).st_uid).encode()])
            disk.write_whole(top, ORIGIN, [json.dumps(before).encode()])
            os.fsync(top)
        os.rename(_COPY, name, src_dir_fd=target, dst_dir_fd=target)
        os.fsync(target)
        os.rename(name, _hidden(folder.name), src_dir_fd=source, dst_dir_fd=source)
        os.fsync(source)
    except OSError:
        if disk.stat_at(source, name) is not None:
            for half in (name, _COPY):
                trees.remove(target, half)
            raise
    with suppress(OSError):
        trees.remove(source, _hidden(folder.name))


def _hidden(claim: str) -> str:
    """What the original of a copied bundle is called until it is removed: no scan looks at it."""
    return f".{claim}.taken"


def _make_again(source: int, target: int, name: str, stat: os.stat_result) -> None:
    """Recreate what is not a regular file: a link as it is; a pipe or a socket holds nothing."""
    trees.make_again(source, target, name, stat)
    os.fsync(target)
    os.unlink(name, dir_fd=source)


def _identity(stat: os.stat_result) -> list[int]:
    return [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns]
