"""Claims: files and bundles that were taken from the inbox and are not yet jobs, each alone in a new folder.

A file is taken by one rename, so that at every instant it is either in the inbox or claimed. From another file system
it is copied, and the original is removed when the copy is whole. Below its claim's folder it keeps the path that it had
below the inbox, which therefore needs no record of its own. All of it blocks: callers run it in a worker thread.
"""

import errno
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO, Self

from batchd.decisions.bundle.contents import is_bundle
from batchd.edges import bundles, disk, trees
from batchd.edges.durable import Together
from batchd.errors import Rejected
from batchd.model import Problem
from batchd.text.tickets import parted

_ORIGIN = ".origin"
"""Of a claim by copy: which file was copied, and is to be removed."""
_ALONG = ".along"
"""What the reading of a claim has written for its job's folder."""
_COPY = ".copy"
_INSTRUCTIONS = ".instructions"
"""What a folder said to do with the file, when it was taken; it lies where that folder is in the claim."""


@dataclass(frozen=True, slots=True)
class Given:
    """What was said to do with what was taken."""

    text: bytes
    folder: PurePosixPath
    """Whose instructions they are, below the inbox: that of the file, or one above."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A file or a bundle that was taken, alone in a folder of its own, below which it keeps its path."""

    id: str
    """Sorts by the time of taking."""
    folder: Path
    relative: PurePosixPath
    """Its path below the inbox, and now below `folder`."""
    size: int
    mode: int

    @property
    def path(self) -> Path:
        """Where it lies now."""
        return self.folder / self.relative

    @property
    def called(self) -> PurePosixPath:
        """Its path below the inbox, without the ticket that it may have."""
        return parted(self.relative)[0]

    @property
    def ticket(self) -> str | None:
        """The ticket in its name; None where it has none."""
        return parted(self.relative)[1]

    @property
    def is_bundle(self) -> bool:
        """Whether it is a folder, all of which is one job."""
        return S_ISDIR(self.mode)


def claim(inbox: Path, relative: PurePosixPath, claims: Path, instructions: Given | None = None) -> Claim:
    """Take a file out of the inbox, whatever it is; nothing may be done with it before it is `secure`.

    Args:
        relative: Its path below it, as `scan` found it.
        claims: The folder of claims, in the state folder.
        instructions: What is to be done with it; durable before it is taken. None where nobody has said.

    Returns:
        The claim. The file may have been replaced since the scan: ask `inbox.objection` again.

    Raises:
        FileNotFoundError: It has vanished.
        BlockingIOError: It changed while it was copied from another file system: it has not settled, and stays.
        OSError: It cannot be taken, and stays in the inbox.
    """
    disk.prepare(claims)
    # Milliseconds in 12 hexadecimal digits sort until the year 10889.
    name = f"{time.time_ns() // 1_000_000:012x}-{secrets.token_hex(6)}"
    inside = PurePosixPath(name) / relative.parent
    try:
        with (
            disk.opened(inbox, relative.parent) as source,
            # Instructions must be durable before the file is taken; all else may become so with it.
            disk.opened(claims, inside, create=True, sync=instructions is not None) as target,
        ):
            if instructions is not None:
                with disk.opened(claims / name, instructions.folder) as theirs:
                    disk.write_whole(theirs, _INSTRUCTIONS, [instructions.text])
                    os.fsync(theirs)
            try:
                os.rename(relative.name, relative.name, src_dir_fd=source, dst_dir_fd=target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _sync_names(claims, inside)
                _claim_by_copy(source, target, relative.name, claims / name)
            stat = os.stat(relative.name, dir_fd=target, follow_symlinks=False)
    except OSError:
        _discard_if_empty(claims / name)
        raise
    return Claim(name, claims / name, relative, stat.st_size, stat.st_mode)


def _sync_names(claims: Path, inside: PurePosixPath) -> None:
    """Make the folders of a claim durable, the deepest first."""
    for folder in (inside, *inside.parents):
        disk.sync_folder(claims / folder)


def secure(taken: Sequence[Claim], durable: Together, claims: Path, inbox: Path) -> None:
    """Make claims durable with what they hold, and their absence from the inbox; idempotent.

    Args:
        durable: The folder of claims is one of its roots, the inbox the last. All else that was noted is made durable,
            too.

    Raises:
        OSError: The disk refuses; repeat.
    """
    for claim in taken:
        if claim.is_bundle:
            with disk.opened(claim.folder, claim.relative) as tree:
                trees.sync(tree)
        inside = PurePosixPath(claim.id) / claim.relative
        # The content as well: whatever wrote the file need not have synced it.
        for each in (inside, *inside.parents):
            durable.note(claims, each)
        durable.note(inbox, claim.relative.parent)
    durable.sync()
    for claim in taken:
        (claim.folder / _ORIGIN).unlink(missing_ok=True)


def _claim_by_copy(source: int, target: int, name: str, folder: Path) -> None:
    """Take a file from another file system: its copy is whole and named before the original goes.

    A marker names the original. It is written before the copy gets its name and removed after the original. While the
    original is there, a failure leaves no copy under its name: the file would be taken twice.
    """
    stat = os.stat(name, dir_fd=source, follow_symlinks=False)
    if S_ISDIR(stat.st_mode):
        _claim_tree_by_copy(source, target, name, folder)
        return
    if not S_ISREG(stat.st_mode):
        _claim_special(source, target, name, stat)
        return
    original = disk.open_regular(name, folder=source)
    try:
        before = _identity(os.fstat(original))
        disk.copy_whole(original, target, _COPY)
        now = disk.stat_at(source, name)
        if now is None or _identity(now) != before:
            raise BlockingIOError(errno.EAGAIN, "the file changed while it was copied", name)
        with disk.opened(folder) as top:
            disk.write_whole(top, _ORIGIN, [json.dumps(before).encode()])
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


def _claim_tree_by_copy(source: int, target: int, name: str, folder: Path) -> None:
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
            disk.write_whole(top, _ORIGIN, [json.dumps(before).encode()])
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


def _claim_special(source: int, target: int, name: str, stat: os.stat_result) -> None:
    """Recreate what is not a regular file: a link as it is; a pipe or a socket holds nothing."""
    trees.make_again(source, target, name, stat)
    os.fsync(target)
    os.unlink(name, dir_fd=source)


def _identity(stat: os.stat_result) -> list[int]:
    return [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns]


def recover_claims(inbox: Path, claims: Path, spoiled: dict[str, Exception] | None = None) -> list[Claim]:
    """Finish what a crash interrupted in `claim`; to be called at start, before anything else takes files.

    Args:
        inbox: The folder.
        claims: The folder of claims.
        spoiled: Takes up what cannot be recovered, by the name of its claim. It stays as it is, and keeps no other.

    Returns:
        Every claim that holds its file or bundle, oldest first. Those that hold nothing, or half a copy, are removed.
    """
    disk.prepare(claims)
    found: list[Claim] = []
    for folder in sorted(claims.iterdir()):
        try:
            held = _held(folder)
            if held is None:
                shutil.rmtree(folder)
                continue
            _remove_original(inbox, held)
        except (OSError, ValueError) as error:
            if spoiled is not None:
                spoiled[folder.name] = error
            continue
        found.append(held)
    return found


def _held(claimed: Path) -> Claim | None:
    """Find the file of a claim. Names of our own begin with a dot; names of taken files never do."""
    folder = claimed
    while True:
        with os.scandir(folder) as entries:
            entry = next((entry for entry in entries if not entry.name.startswith(".")), None)
        if entry is None:
            return None
        path = Path(entry.path)
        if not entry.is_dir(follow_symlinks=False) or is_bundle(entry.name):
            stat = path.lstat()
            return Claim(claimed.name, claimed, PurePosixPath(path.relative_to(claimed)), stat.st_size, stat.st_mode)
        folder = path


def _remove_original(inbox: Path, held: Claim) -> None:
    """Remove the original of a copied claim, if it is still the very file that was copied."""
    marker = held.folder / _ORIGIN
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


def holds(claim: Claim) -> bool:
    """Whether what was taken still lies in its claim: it does not once it was moved on.

    Args:
        claim: From `claim` or `recover_claims`.
    """
    return os.path.lexists(claim.path)


def open_claim(claim: Claim) -> BinaryIO:
    """Open what was taken, for reading.

    Args:
        claim: From `claim` or `recover_claims`.

    Returns:
        A file, the caller's to close.

    Raises:
        Rejected: It is not a regular file, or its rights do not let us read it.
        OSError: The disk's fault.
    """
    try:
        return os.fdopen(disk.open_regular(claim.path), "rb")
    except OSError as error:
        if error.errno in disk.NOT_REGULAR:
            raise Rejected([Problem(0, "", "only regular files are taken")]) from None
        if error.errno == errno.EACCES:
            raise Rejected([Problem(0, "", "the daemon may not read this file: its rights forbid it")]) from None
        raise


def instructed(claim: Claim) -> bool:
    """Whether anybody has said what is to be done with what was taken."""
    return any(os.path.lexists(claim.folder / above / _INSTRUCTIONS) for above in claim.relative.parents)


def going_along(claim: Claim) -> Iterator[str]:
    """Name what was kept beside a claim for its job's folder."""
    with suppress(FileNotFoundError), os.scandir(claim.folder / _ALONG) as entries:
        yield from sorted(entry.name for entry in entries if not entry.name.startswith("."))


def open_along(claim: Claim, name: str) -> BinaryIO:
    """Open what was kept beside a claim, for reading."""
    return (claim.folder / _ALONG / name).open("rb")


class Along:
    """Files that are kept beside a claim for its job's folder, written piece by piece; durable behind `finish`."""

    def __init__(self, claim: Claim) -> None:
        self._folder = claim.folder / _ALONG
        self._files: dict[str, BinaryIO] = {}
        with suppress(FileNotFoundError):  # what an earlier reading has written
            shutil.rmtree(self._folder)

    def write(self, name: str, piece: bytes) -> None:
        """Add a piece to a file."""
        if name not in self._files:
            self._folder.mkdir(mode=disk.PRIVATE_FOLDER, exist_ok=True)
            self._files[name] = (self._folder / name).open("xb")
        self._files[name].write(piece)

    def has(self, name: str) -> bool:
        """Whether anything was written to a file."""
        return name in self._files

    def finish(self) -> None:
        """Make all of them durable."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        if self._files:
            disk.sync_folder(self._folder)
            disk.sync_folder(self._folder.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()


def instructions(claim: Claim) -> Given | None:
    """Read what is to be done with what was taken; None where nobody has said.

    Raises:
        OSError: The disk's fault.
    """
    for above in claim.relative.parents:
        with suppress(FileNotFoundError):
            return Given((claim.folder / above / _INSTRUCTIONS).read_bytes(), above)
    return None


def chunks(file: BinaryIO, size: int = 1 << 20) -> Iterator[bytes]:
    """Read a file piece by piece.

    Args:
        size: Bytes of a piece, but for the last.
    """
    while piece := file.read(size):
        yield piece


def discard(claim: Claim) -> None:
    """Remove a claim whose file was moved on, or whose job is refused and lies in `rejected/`; twice does no harm.

    Args:
        claim: From `claim` or `recover_claims`.
    """
    try:
        for folder in claim.relative.parents:
            (claim.folder / folder).rmdir()
    except OSError:  # something else is in it, or nothing is left of it
        with suppress(FileNotFoundError):
            shutil.rmtree(claim.folder)


def _discard_if_empty(folder: Path) -> None:
    """Remove a claim that took nothing; one that holds its file is left to `recover_claims`."""
    if folder.exists() and _held(folder) is None:
        shutil.rmtree(folder)
