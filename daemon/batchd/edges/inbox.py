"""The hostile folder: what lies in it, and what has settled.

Names and kinds of files are not trusted: no link is followed, and no pipe is waited for. All of it blocks: callers run
it in a worker thread.
"""

import errno
import os
import shlex
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISLNK, S_ISREG, S_ISSOCK
from typing import Protocol

from batchd.decisions.bundle.contents import is_bundle
from batchd.edges import bundles, disk
from batchd.edges.bundles import Tree
from batchd.model import Problem
from batchd.text.litter import ignored

MAX_FILE_BYTES = 4_000_000_000
"""A larger file is refused unread: it would fill some fifteen batches of the largest size."""
INSTRUCTIONS = ".batchd.md"
"""What says in a folder what is to be done with what falls into it, and below."""
MAX_DEPTH = 32
"""Folders nested deeper are not looked into."""
MAX_PATH_BYTES = 2_000
"""Nor are longer paths: with our own folders before them they would pass the kernel's 4,096."""
BUNDLE_SETTLE = 5.0
"""Seconds for which a bundle must stand still that did not come by a rename."""
PROMPT_PATIENCE = 600.0
"""Seconds after which a bundle that stands still without a prompt is refused."""
INBOX_MODE = 0o770
"""A new inbox is open to the group of the daemon: others drop files, and cannot see ours."""

_KINDS = (
    (S_ISLNK, "a symbolic link"),
    (S_ISFIFO, "a named pipe"),
    (S_ISSOCK, "a socket"),
    (S_ISBLK, "a device"),
    (S_ISCHR, "a device"),
    (S_ISDIR, "a folder"),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something in the inbox that may be taken once it has settled."""

    relative: PurePosixPath
    """Its path below the inbox; bytes that are not UTF-8 are surrogate-escaped."""
    size: int
    mtime_ns: int
    inode: int
    mode: int
    tree: Tree | None = None
    """Of a bundle: how it stands; None for a file."""


class Found(Protocol):
    """What is known of a candidate or a claim without opening it."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def mode(self) -> int:
        """Kind and rights, as `os.lstat` has them."""


def prepare(inbox: Path) -> None:
    """Make the inbox if it is missing.

    Raises:
        Unusable: It cannot be made.
    """
    disk.prepare(inbox, INBOX_MODE)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at the inbox has found."""

    candidates: list[Candidate]
    """Bundles, and whatever is not a folder, of a name not to be ignored, in no order."""
    closed: dict[PurePosixPath, OSError]
    """The folders that could not be looked into, and why."""
    instructions: dict[PurePosixPath, Candidate]
    """What is called `.batchd.md`, whatever it is, by its folder."""


def look(inbox: Path) -> Seen:
    """Look at everything in the inbox, subfolders included; nothing that one of them holds keeps the others.

    What vanishes meanwhile is passed over; a missing inbox is an empty one.

    Raises:
        OSError: The inbox itself cannot be read.
    """
    seen = Seen([], {}, {})
    folders = [PurePosixPath()]
    while folders:
        inside = folders.pop()
        try:
            with disk.opened(inbox, inside) as at, os.scandir(at) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        _see(seen, entry, at, inside, folders)
        except FileNotFoundError:
            continue
        except OSError as error:
            if not inside.parts:
                raise
            seen.closed[inside] = error
    return seen


def _see(seen: Seen, entry: "os.DirEntry[str]", at: int, inside: PurePosixPath, folders: list[PurePosixPath]) -> None:
    """Add one name of a folder to what is seen, or to the folders to be looked into."""
    path = inside / entry.name
    if entry.name == INSTRUCTIONS:
        seen.instructions[inside] = _candidate(path, entry.stat(follow_symlinks=False))
    elif ignored(entry.name) or len(os.fsencode(path)) > MAX_PATH_BYTES:
        return
    elif not entry.is_dir(follow_symlinks=False):
        seen.candidates.append(_candidate(path, entry.stat(follow_symlinks=False)))
    elif is_bundle(entry.name):
        _look_at_bundle(seen, at, path)
    elif len(inside.parts) < MAX_DEPTH:
        folders.append(path)


def _look_at_bundle(seen: Seen, folder: int, relative: PurePosixPath) -> None:
    """Add a bundle to what is seen, as it stands, or as one that cannot be looked into."""
    try:
        stat = os.stat(relative.name, dir_fd=folder, follow_symlinks=False)
        tree = bundles.look_at(folder, relative.name)
    except FileNotFoundError:
        return
    except OSError as error:
        seen.closed[relative] = error
        return
    seen.candidates.append(_candidate(relative, stat, tree))


def look_at(inbox: Path, relative: PurePosixPath) -> Candidate | None:
    """Look at a single name; None where nothing has it."""
    try:
        return _candidate(relative, (inbox / relative).lstat())
    except FileNotFoundError:
        return None


def scan(inbox: Path) -> list[Candidate]:
    """List the candidates of one look.

    Raises:
        OSError: The inbox itself cannot be read.
    """
    return look(inbox).candidates


def untakeable(inbox: Path) -> dict[PurePosixPath, str]:
    """Name the folders whose files this process could not take, with what is wrong and the remedy."""
    seen = look(inbox)
    found = {folder: why_closed(inbox, folder, error) for folder, error in seen.closed.items()}
    for folder in {candidate.relative.parent for candidate in seen.candidates}:
        if not os.access(inbox / folder, os.W_OK | os.X_OK):
            denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            found[folder] = why_closed(inbox, folder, denied)
    return found


def why_closed(inbox: Path, folder: PurePosixPath, error: OSError) -> str:
    """Say why nothing can be taken out of a folder, and what helps where its rights forbid it."""
    reason = error.strerror or type(error).__name__
    if error.errno not in {errno.EACCES, errno.EPERM}:
        return reason
    return f"{reason}; let the daemon's group in: chmod -R g+rwX {shlex.quote(str(inbox / folder))}"


def _candidate(relative: PurePosixPath, stat: os.stat_result, tree: Tree | None = None) -> Candidate:
    return Candidate(relative, stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_mode, tree)


def kind_of(mode: int) -> str:
    """Say what a name is that is no regular file."""
    return next((name for test, name in _KINDS if test(mode)), "something else")


def objection(found: Found, max_bytes: int = MAX_FILE_BYTES) -> Problem | None:
    """Say why something cannot be a job, without opening it.

    Args:
        found: In the inbox, or taken already.
        max_bytes: The largest file that is read.

    Returns:
        None for a regular file of a fair size.
    """
    if not S_ISREG(found.mode):
        return Problem(0, "", f"only regular files are taken; this is {kind_of(found.mode)}")
    if found.size > max_bytes:
        return Problem(0, "", f"the file has {found.size:,} bytes; at most {max_bytes:,} are taken")
    return None


class Settling:
    """Remembers since when each candidate has not changed, of a bundle all that is in it."""

    def __init__(self, settle: float, bundle_settle: float = BUNDLE_SETTLE) -> None:
        """Begin with nothing.

        Args:
            settle: Seconds for which a file must stand still, and a bundle that came whole by a rename.
            bundle_settle: The same for a bundle that is perhaps still being written.
        """
        self._settle = settle
        self._bundle_settle = max(bundle_settle, settle)
        self._since: dict[PurePosixPath, tuple[Candidate, float]] = {}

    def settled(self, candidates: Iterable[Candidate], now: float) -> list[Candidate]:
        """Compare the candidates of a scan with those of the last one, and forget those that are gone.

        Args:
            now: Monotonic seconds.

        Returns:
            Those that have not changed for long enough.
        """
        before, self._since = self._since, {}
        still: list[Candidate] = []
        for candidate in candidates:
            known, since = before.get(candidate.relative, (candidate, now))
            if known != candidate:
                since = now
            self._since[candidate.relative] = (candidate, since)
            if now - since >= self._patience(candidate):
                still.append(candidate)
        return still

    def _patience(self, candidate: Candidate) -> float:
        if candidate.tree is None:
            return self._settle
        if candidate.tree.prompt is None:
            return PROMPT_PATIENCE
        return self._settle if candidate.tree.renamed else self._bundle_settle

    def unprompted(self) -> list[PurePosixPath]:
        """Name the bundles that stand still and wait for their prompt."""
        return [path for path, (each, _) in self._since.items() if each.tree is not None and each.tree.prompt is None]

    def due(self, now: float) -> float | None:
        """Say when another look is worth while.

        Args:
            now: Monotonic seconds.

        Returns:
            Seconds until the next candidate that is still settling may have settled; None if none is.
        """
        waits = [since + self._patience(candidate) - now for candidate, since in self._since.values()]
        return min((wait for wait in waits if wait > 0), default=None)
