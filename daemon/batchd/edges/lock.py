"""The lock of a state folder: only one daemon works on it. The kernel releases it when the process ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchd.errors import Occupied, Unusable

_GLANCE = 0.3
"""Seconds for which taking the lock is tried."""


@contextmanager
def sole_daemon(state: Path) -> Iterator[None]:
    """Hold the state folder.

    Args:
        state: The folder, which exists.

    Raises:
        Occupied: Another process holds it.
    """
    descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not _held_within(descriptor, _GLANCE):
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise Occupied(f"another batchd (process {owner or 'unknown'}) works on {state}")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(descriptor)


def daemon_runs(state: Path) -> bool:
    """Whether a daemon holds the state folder just now.

    Args:
        state: The folder; it need not exist.

    Raises:
        Unusable: This user may not ask.
    """
    try:
        with (state / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except PermissionError:
        raise Unusable(
            f"{state / 'lock'}: this user lacks the right to read it, and to write in {state}: run the command as the "
            "daemon's user"
        ) from None
    return False


def _held_within(descriptor: int, seconds: float) -> bool:
    """Take the lock, and try for a moment, since `daemon_runs` holds it for an instant while it looks."""
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(_GLANCE / 10)
        else:
            return True
