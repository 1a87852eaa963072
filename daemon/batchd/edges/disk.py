"""Files and folders as the edges need them: opened without following links, written whole, made durable.

Everything here blocks: callers run it in a worker thread.
"""

import errno
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from stat import S_IMODE, S_ISDIR, S_ISGID, S_ISREG

from anyio import NoEventLoopError, from_thread

from batchd.errors import Unusable

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
SHARED_FOLDER = 0o050
SHARED_FILE = 0o040
"""What is added where others are let in."""
OTHERS = 0o077
COPY_BYTES = 1 << 20
_BACKUP = ".backup"
_WISH_LASTS = 3_600.0
HERE = PurePosixPath()

READ_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Flags for a name that may be a link or a FIFO: neither is followed nor waited for."""

WRITE_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

NOT_REGULAR = frozenset({errno.EINVAL, errno.ELOOP, errno.ENXIO})
"""Error numbers of `open_regular`: on a pipe, a folder or a device, on a link, and on a socket."""


def prepare(folder: Path, mode: int = PRIVATE_FOLDER) -> None:
    """Make a folder if it is missing; one that exists is left as it is.

    Args:
        folder: Where; its parents are made too.
        mode: The rights of a new folder, whatever the umask.

    Raises:
        Unusable: Something else stands there, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not folder.is_dir():
            raise Unusable(f"{folder} is needed as a folder, but something else has that name") from None
    except OSError as error:
        raise Unusable(f"the folder {folder} cannot be made: {error.strerror}") from error
    else:
        folder.chmod(mode)


def close_to_others(folder: Path, ours: Callable[[str], bool]) -> None:
    """Take the rights of others to a folder away, unless something lies in it that is not ours.

    Args:
        ours: Whether a name in it is one that we give.

    Raises:
        Unusable: It is open to others, and not ours to close.
    """
    if not folder.stat().st_mode & OTHERS:
        return
    remedy = f"chmod 700 {folder}, or set another place"
    try:
        if strange := next((each.name for each in sorted(folder.iterdir()) if not ours(each.name)), None):
            raise Unusable(f"{folder} is open to other users, and {strange!r} in it is not ours; {remedy}")
        folder.chmod(PRIVATE_FOLDER)
    except OSError as error:
        raise Unusable(f"{folder} is open to other users, and cannot be closed: {error.strerror}; {remedy}") from error


@contextmanager
def opened(
    root: Path,
    inside: PurePosixPath = HERE,
    *,
    create: bool = False,
    sync: bool = True,
    shared_below: int | None = None,
) -> Iterator[int]:
    """Open a folder below a root, component by component, so that no link on the way can lead elsewhere.

    Args:
        root: A trusted folder; it may be reached through links.
        inside: The path below it.
        create: Whether missing folders are made (0700).
        sync: Whether the names of those are synced; otherwise that is the caller's to do.
        shared_below: How many folders down there is one of which whoever may read it may also read those made in it;
            None for none.

    Yields:
        A descriptor, closed afterwards, for the `dir_fd` of other calls and for `os.fsync`.

    Raises:
        NoRoot: The root is no folder.
        OSError: A component is missing, a link, or no folder.
    """
    at = _open_root(root)
    try:
        for depth, part in enumerate(inside.parts):
            if create:
                _make(part, at, sync=sync)
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            try:
                if create and shared_below is not None and depth >= shared_below:
                    share(below, at)
            finally:
                os.close(at)
                at = below
        yield at
    finally:
        os.close(at)


class NoRoot(OSError):
    """What should be a trusted folder is none: nothing can be said of what is below it."""


def _open_root(root: Path) -> int:
    try:
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except NotADirectoryError as error:
        raise NoRoot(error.errno, f"{root} is not a folder") from error


def share(made: int, folder: int) -> None:
    """Let whoever may read a folder read what was made in it.

    What is made with the rights of its owner alone is closed to all others, whatever list of theirs it inherits.

    Args:
        made: A descriptor of a new file or folder.
        folder: That of the folder it is in.
    """
    mode = os.fstat(folder).st_mode
    if not mode & SHARED_FILE:
        return
    now = os.fstat(made).st_mode
    wanted = PRIVATE_FOLDER | SHARED_FOLDER | mode & S_ISGID if S_ISDIR(now) else PRIVATE_FILE | SHARED_FILE
    if S_IMODE(now) != wanted:
        os.fchmod(made, wanted)


def _make(name: str, at: int, *, sync: bool) -> None:
    """Make a folder, unless it is there; where its name cannot be synced it is not, and a repetition makes it anew."""
    try:
        os.mkdir(name, PRIVATE_FOLDER, dir_fd=at)
    except FileExistsError:
        return
    if not sync:
        return
    try:
        os.fsync(at)
    except OSError:
        with suppress(OSError):
            os.rmdir(name, dir_fd=at)
        raise


def stat_at(folder: int, name: str) -> os.stat_result | None:
    """Look at a name without following it.

    Args:
        folder: A descriptor from `opened`.

    Returns:
        None where nothing has that name.
    """
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def unlink_at(folder: int, name: str) -> None:
    """Remove a name, if it is there.

    Args:
        folder: A descriptor from `opened`.
    """
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def open_regular(name: str | Path, *, folder: int | None = None) -> int:
    """Open a regular file for reading; never follow a link, never wait for the writer of a FIFO.

    Args:
        name: A path, or one component if `folder` is given.
        folder: A descriptor from `opened`.

    Returns:
        A descriptor, the caller's to close.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    # Looked at first, since devices do things when they are opened; and again, since names can be given away meanwhile.
    if not S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(name))
    descriptor = os.open(name, READ_ONLY, dir_fd=folder)
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(name))
    return descriptor


def has_writer(name: str | Path, *, folder: int | None = None) -> bool:
    """Whether a local process has the file open for writing, as a read lease finds out (fcntl(2), F_SETLEASE).

    Args:
        name: A path, or one component if `folder` is given.
        folder: A descriptor from `opened`.

    Returns:
        False also where leases do not work (NFS, another's file): there time alone decides.
    """
    try:
        descriptor = open_regular(name, folder=folder)
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


def copy_whole(source: int, folder: int, name: str) -> None:
    """Copy an open file as `write_whole` writes one.

    Args:
        source: A descriptor, read from where it stands; it stays open.
        folder: A descriptor from `opened`.
        name: One component of at most 249 bytes.
    """
    with os.fdopen(source, "rb", closefd=False) as original:
        write_whole(folder, name, iter(lambda: original.read(COPY_BYTES), b""))


def hidden(name: str) -> str:
    """The name of a file while it is written."""
    return f".{name}.part"


def open_new(folder: int, name: str) -> int:
    """Open a new file to write it; what a crash has left under its name is removed, whatever there is of it.

    Args:
        folder: A descriptor from `opened`.
        name: One component.

    Returns:
        A descriptor, the caller's to close.
    """
    try:
        made = os.open(name, WRITE_NEW, PRIVATE_FILE, dir_fd=folder)
    except FileExistsError:
        unlink_at(folder, name)
        made = os.open(name, WRITE_NEW, PRIVATE_FILE, dir_fd=folder)
    share(made, folder)
    return made


def write_whole(folder: int, name: str, chunks: Iterable[bytes]) -> int:
    """Write a file under a hidden name, sync its bytes, and give it its own name, replacing what had it.

    Args:
        folder: A descriptor from `opened`, whose names are the caller's to sync.
        name: One component of at most 249 bytes.

    Returns:
        Its length in bytes.

    Raises:
        OSError: The disk refuses; nothing has changed under the name.
    """
    partial = hidden(name)
    descriptor = open_new(folder, partial)
    try:
        with os.fdopen(descriptor, "wb") as whole:
            for chunk in chunks:
                stop_if_told()
                whole.write(chunk)
            size = whole.tell()
            whole.flush()
            os.fsync(descriptor)
        os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        unlink_at(folder, partial)
        raise
    return size


@contextmanager
def removals_stopped(state: Path) -> Iterator[None]:
    """Ask the daemon of a state folder to remove nothing there that a backup may need, for an hour at the most."""
    wish = state / _BACKUP
    with os.fdopen(os.open(wish, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE), "w"):
        os.utime(wish)
    try:
        yield
    finally:
        wish.unlink(missing_ok=True)


def may_remove(state: Path) -> bool:
    """Whether nobody just makes a backup; what is not removed for that is left as a crash leaves it."""
    try:
        return time.time() - (state / _BACKUP).lstat().st_mtime > _WISH_LASTS
    except OSError:
        return True


def stop_if_told() -> None:
    """End the work of this worker thread if the task that waits for it was cancelled and is not shielded.

    Whatever reads or writes for more than a second calls it now and then, so that a stop need not wait for it. It does
    nothing outside a worker thread.
    """
    with suppress(NoEventLoopError):
        from_thread.check_cancelled()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut.

    Args:
        folder: A trusted path.
    """
    with opened(folder) as at:
        os.fsync(at)
