"""Counts every effect on the world, at the lowest level that Python has, and dies at one of them.

Nothing is listed by hand: whatever the daemon does to files, database or network goes through one of these calls. What
C does below them (SQLite's own writes) is swept by `syscalls.py`.
"""

import builtins
import io
import os
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from signal import SIGKILL, Signals
from typing import IO, Any, ParamSpec, TypeVar, cast

from batchd.edges import durable
from httpcore2._backends.anyio import AnyIOBackend, AnyIOStream

P = ParamSpec("P")
R = TypeVar("R")

_CALLS = (
    "fsync",
    "rename",
    "replace",
    "link",
    "symlink",
    "unlink",
    "mkdir",
    "rmdir",
    "truncate",
    "ftruncate",
    "pwrite",
)
_WRITING = {"wb": io.BufferedWriter, "ab": io.BufferedWriter, "xb": io.BufferedWriter, "r+b": io.BufferedRandom}


@dataclass(frozen=True, slots=True)
class StepBlow:
    """Strikes at the step of this number; at none, it only counts."""

    at: int | None = None
    signal: Signals = SIGKILL

    @property
    def deadly(self) -> bool:
        return self.signal is SIGKILL

    def strike(self, log: Path) -> None:
        install(Steps(log, self.at, self.signal))

    def __str__(self) -> str:
        return f"{self.signal.name} at step {self.at}"


class Steps:
    """The steps of this process, two for each effect: before it and after it."""

    def __init__(self, log: Path, strike_at: int | None, strike_with: Signals) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._write = os.write
        self._strike_at = strike_at
        self._strike_with = strike_with
        self._count = 0
        self._lock = threading.Lock()

    def step(self, name: str) -> None:
        with self._lock:
            self._count += 1
            self._write(self._log, f"{name}\n".encode())
            if self._count == self._strike_at:
                os.kill(os.getpid(), self._strike_with)

    def around(self, name: str, call: Callable[P, R]) -> Callable[P, R]:
        @wraps(call)
        def stepped(*args: P.args, **named: P.kwargs) -> R:
            self.step(f"before {name}")
            result = call(*args, **named)
            self.step(f"after {name}")
            return result

        return stepped


def install(steps: Steps) -> None:
    """Count from now on, in this process, for good."""
    for name in _CALLS:
        setattr(os, name, steps.around(name, getattr(os, name)))
    setattr(durable, "sync_file_system", steps.around("syncfs", durable.sync_file_system))  # noqa: B010  mypy takes no assignment to a function
    _install_files(steps)
    _install_database(steps)
    _install_network(steps)


def _install_files(steps: Steps) -> None:
    class File(io.FileIO):
        """Each write that leaves the buffer is a step."""

        def write(self, data: Any, /) -> int:
            steps.step("before write")
            written = super().write(data)
            steps.step("after write")
            return written

    plain_open, plain_os_open, plain_fdopen = builtins.open, os.open, os.fdopen
    creating = steps.around("open", plain_os_open)

    def os_open(path: Any, flags: int, *args: Any, **named: Any) -> int:
        return (creating if flags & os.O_CREAT else plain_os_open)(path, flags, *args, **named)

    def fdopen(descriptor: int, mode: str = "r", *args: Any, **named: Any) -> IO[Any]:
        if named.get("buffering") == 0:
            return cast("IO[Any]", File(descriptor, mode))
        if buffered := _WRITING.get(mode):
            return cast("IO[Any]", buffered(File(descriptor, mode, **named)))
        return plain_fdopen(descriptor, mode, *args, **named)

    def file_open(file: Any, mode: str = "r", *args: Any, **named: Any) -> IO[Any]:
        if buffered := _WRITING.get(mode):
            return cast("IO[Any]", buffered(File(file, mode, **named)))
        return plain_open(file, mode, *args, **named)

    vars(os).update(open=os_open, fdopen=fdopen)
    vars(builtins).update(open=file_open)


def _install_database(steps: Steps) -> None:
    plain_connect = sqlite3.connect

    class Connection(sqlite3.Connection):
        """Each commit is a step."""

        def execute(self, sql: str, /, *args: Any) -> sqlite3.Cursor:
            if sql != "COMMIT":
                return super().execute(sql, *args)
            return steps.around("commit", super().execute)(sql)

        def executescript(self, sql: str, /) -> sqlite3.Cursor:
            return steps.around("script", super().executescript)(sql)

    def connect(*args: Any, **named: Any) -> sqlite3.Connection:
        return plain_connect(*args, factory=Connection, **named)

    vars(sqlite3).update(connect=connect)


def _install_network(steps: Steps) -> None:
    read, write, connect = AnyIOStream.read, AnyIOStream.write, AnyIOBackend.connect_tcp

    async def stepped_read(self: AnyIOStream, *args: Any, **named: Any) -> bytes:
        received = await read(self, *args, **named)
        steps.step("after receive")
        return received

    async def stepped_write(self: AnyIOStream, buffer: bytes, *args: Any, **named: Any) -> None:
        steps.step("before send")
        await write(self, buffer, *args, **named)
        steps.step("after send")

    async def stepped_connect(self: AnyIOBackend, *args: Any, **named: Any) -> Any:
        stream = await connect(self, *args, **named)
        steps.step("after connect")
        return stream

    for name, method in (("read", stepped_read), ("write", stepped_write)):
        setattr(AnyIOStream, name, method)
    setattr(AnyIOBackend, "connect_tcp", stepped_connect)  # noqa: B010  mypy forbids to assign a method
