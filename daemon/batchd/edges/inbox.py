"""The hostile folder: what lies in it, and what has settled.

Names and kinds of files are not trusted: no link is followed, and no pipe is waited for. All of it blocks: callers run
it in a worker thread.
"""

import errno
import fcntl
import os
import re
import shlex
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISLNK, S_ISREG, S_ISSOCK
from typing import Protocol

from batchd.edges import disk
from batchd.model import Problem

MAX_FILE_BYTES = 4_000_000_000
"""A larger file is refused unread: it would fill some fifteen batches of the largest size."""
INSTRUCTIONS = ".batchd.md"
"""What says in a folder what is to be done with what falls into it, and below."""
MAX_DEPTH = 32
"""Folders nested deeper are not looked into."""
MAX_PATH_BYTES = 2_000
"""Nor are longer paths: with our own folders before them they would pass the kernel's 4,096."""
INBOX_MODE = 0o770
"""A new inbox is open to the group of the daemon: others drop files, and cannot see ours."""

_IGNORED = re.compile(
    r"""
      \..*                                                  # dot files, and with them .DS_Store, .nfs…, .syncthing.…,
                                                            # rsync's .name.XXXXXX, the swap files of vim
    | .*\.(tmp|part|partial|crdownload|swp)                 # the names of the contract
    | .*~                                                   # and its last one, which editors give to backups
    | .*\.(filepart|opdownload|swo|swx|aria2|!ut|!qb)       # WinSCP, Opera, vim, downloaders
    | .*\.sb-.*                                             # macOS saving safely
    | ~\$.*                                                 # owner files of office programs
    | ~syncthing~.*
    | \#.*\#                                                # Emacs saving by itself
    | 4913                                                  # vim finding out whether it may write here
    | thumbs\.db | ehthumbs\.db | desktop\.ini | icon\r
    | @eadir | \#recycle | \$recycle\.bin | system\ volume\ information | lost\+found | __macosx
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)

_CONFLICT_COPY = re.compile(
    r"""
      .*\.sync-conflict-\d{8}-\d{6}.*                                             # Syncthing
    | .*\((.*\W)?(conflict(ed|ing)?\ copy|case\ conflict)\b.*\).*                  # Dropbox, Nextcloud, ownCloud
    | .*_conflict-\d{8}-\d{6}.*                                                   # ownCloud and Nextcloud before
    | .*\[conflict(ed)?(\ \d+)?\].*                                               # Google Drive, pCloud
    | .*\(SFConflict\ .*\).*                                                      # Seafile
    | .*-(DESKTOP|LAPTOP|WIN)-[A-Z0-9]{6,11}(-\d+)?(\.[^.]*)?                     # OneDrive: the computer's name
    | .*\.conflict(\d*|-\d+)(\..*)?                                               # Resilio, rclone bisync, Unison
    | .*\((.*\W)?(Konfliktkopie|in\ Konflikt\ stehende\ Kopie|copie\ en\ conflit|copia\ en\ conflicto).*\).*
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
"""How tools that keep folders alike name what two sides changed at once: one of the two was, or will be, taken."""

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


def ignored(name: str) -> bool:
    """Whether files and folders of this name are never taken."""
    return _IGNORED.fullmatch(name) is not None or conflict_copy(name)


def conflict_copy(name: str) -> bool:
    """Whether a sync tool made this file because two sides had changed another one at once."""
    return _CONFLICT_COPY.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at the inbox has found."""

    candidates: list[Candidate]
    """Whatever is not a folder and has a name not to be ignored, in no order."""
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
                    if entry.name == INSTRUCTIONS:
                        with suppress(FileNotFoundError):
                            stat = entry.stat(follow_symlinks=False)
                            seen.instructions[inside] = _candidate(inside / entry.name, stat)
                        continue
                    if ignored(entry.name) or len(os.fsencode(inside / entry.name)) > MAX_PATH_BYTES:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        if len(inside.parts) < MAX_DEPTH:
                            folders.append(inside / entry.name)
                        continue
                    with suppress(FileNotFoundError):
                        seen.candidates.append(_candidate(inside / entry.name, entry.stat(follow_symlinks=False)))
        except FileNotFoundError:
            continue
        except OSError as error:
            if not inside.parts:
                raise
            seen.closed[inside] = error
    return seen


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


def _candidate(relative: PurePosixPath, stat: os.stat_result) -> Candidate:
    return Candidate(relative, stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_mode)


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
    """Remembers since when size, mtime and inode of each candidate have not changed; `settle` seconds are asked for."""

    def __init__(self, settle: float) -> None:
        self._settle = settle
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
            if now - since >= self._settle:
                still.append(candidate)
        return still

    def due(self, now: float) -> float | None:
        """Say when another look is worth while.

        Args:
            now: Monotonic seconds.

        Returns:
            Seconds until the next candidate that is still settling may have settled; None if none is.
        """
        waits = [since + self._settle - now for _, since in self._since.values() if now - since < self._settle]
        return min(waits, default=None)


def has_writer(path: Path) -> bool:
    """Whether a local process has the file open for writing, as a read lease finds out (fcntl(2), F_SETLEASE).

    Returns:
        False also where leases do not work (NFS, another's file): there time alone decides.
    """
    try:
        descriptor = disk.open_regular(path)
    except OSError:
        return False
    try:
        # A process that opens the file while we hold the lease makes the kernel signal us: SIGIO, by default, would
        # kill the daemon; SIGURG is ignored unless somebody asks for it.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    else:
        return False
    finally:
        os.close(descriptor)
