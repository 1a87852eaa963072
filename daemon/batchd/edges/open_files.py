"""Who has a file open, as far as this user may see; it blocks."""

import os
from contextlib import suppress
from pathlib import Path


def holders(path: Path) -> list[str]:
    """Name the other processes that have a file open, each as `sqlite3 (4711)`; none where /proc is hidden."""
    wanted, mine = os.path.realpath(path), str(os.getpid())
    processes: list[str] = []
    with suppress(OSError):
        processes = sorted(filter(str.isdecimal, os.listdir("/proc")), key=int)  # noqa: PTH208  names alone
    return [f"{_called(each)} ({each})" for each in processes if each != mine and _has_open(each, wanted)]


def _has_open(process: str, wanted: str) -> bool:
    folder = f"/proc/{process}/fd"
    with suppress(OSError):
        for descriptor in os.listdir(folder):  # noqa: PTH208  as above
            with suppress(OSError):
                if os.readlink(f"{folder}/{descriptor}") == wanted:  # noqa: PTH115  no path is made of it
                    return True
    return False


def _called(process: str) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text("utf-8", "replace").strip()
    return "process"
