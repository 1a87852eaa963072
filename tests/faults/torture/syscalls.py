"""Dies, or fails, at one system call: what C does below Python too, SQLite's own writes before all.

The calls are caught by a preloaded library (`syscalls.c`), built where there is a C compiler. `strace -e inject` would
count the calls of each thread apart, and so could not name "the next write" of a program with threads.
"""

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("syscalls.c")
_LIBRARY = "syscalls.so"


class Action(IntEnum):
    """What happens at the call; as in `syscalls.c`."""

    COUNT = 0
    DIE_BEFORE = 1
    DIE_AFTER = 2
    DIE_HALFWAY = 3
    """A write leaves half of its bytes; any other call is made, and then it dies."""
    FAIL = 4


@dataclass(frozen=True, slots=True)
class CallBlow:
    """Strikes at the call of this number."""

    at: int = 0
    action: Action = Action.COUNT
    error: int = errno.EIO
    """What a call that fails says; of a socket, always that the connection was reset."""
    times: int = 1
    """How many calls fail."""

    @property
    def deadly(self) -> bool:
        return self.action is not Action.FAIL

    def strike(self, log: Path) -> None:
        told = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        ctypes.CDLL(None).torture_arm(self.at, int(self.action), self.error, self.times, told)

    def __str__(self) -> str:
        named = f" {errno.errorcode[self.error]} x{self.times}" if self.action is Action.FAIL else ""
        return f"{self.action.name.lower()} at call {self.at}{named}"


def can_preload() -> bool:
    """Whether calls can be caught here."""
    return sys.platform == "linux" and shutil.which("cc") is not None


def preloaded() -> bool:
    """Whether the calls of this process are caught."""
    return os.environ.get("LD_PRELOAD", "").endswith(_LIBRARY)


def preload(folder: Path) -> dict[str, str]:
    """Build the library, and give the environment of a process whose calls are caught."""
    library = folder / _LIBRARY
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(library)}
