"""Children that can be killed: forked from a process that has imported everything, and has no threads.

A killed child is gone as a killed daemon is: nothing of Python runs at its end.
"""

import ctypes
import faulthandler
import json
import os
import select
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import msgspec
from batchd.sandbox import SandboxSettings, serve

from tests.faults.torture.scenario import Scenario
from tests.support.house import FastClock

_PR_SET_PDEATHSIG = 1
_GLANCE = 0.002
"""Seconds between looks at a process: nothing tells when one is stopped."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    status: int | None
    """Its exit code, or minus the number of the signal; None where it had to be stopped because it did not end."""
    seconds: float
    ready: float | None
    """Seconds until it said `READY=1`."""

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL


@dataclass(slots=True)
class Child:
    """A process of ours."""

    pid: int
    began: float
    tell: socket.socket
    """Where it says `READY=1`."""
    ready: float | None = None

    def wait(self, seconds: float, *, until_ready: bool = False) -> Ended | None:
        """Wait for its end, or until it is ready; None when neither has come in that time."""
        handle = os.pidfd_open(self.pid)
        deadline = time.monotonic() + seconds
        try:
            while not (until_ready and self.ready is not None):
                watched: list[int | socket.socket] = [handle] if self.ready is not None else [handle, self.tell]
                left = deadline - time.monotonic()
                found, _, _ = select.select(watched, [], [], max(left, 0))
                if self.tell in found and b"READY=1" in self.tell.recv(1024):
                    self.ready = time.monotonic() - self.began
                if handle in found:
                    return self._reap()
                if not found and left <= 0:
                    return None
            return None
        finally:
            os.close(handle)

    def wait_until_stopped(self, seconds: float) -> bool:
        """Wait until it is stopped (SIGSTOP); False when it has ended before."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WUNTRACED | os.WNOHANG)
            if pid:
                return os.WIFSTOPPED(status)
            time.sleep(_GLANCE)
        raise TimeoutError(f"process {self.pid} neither stopped nor ended")

    def kill(self) -> Ended:
        """Kill it, if it still lives."""
        os.kill(self.pid, signal.SIGKILL)
        return self._reap()

    def end(self, seconds: float) -> Ended:
        """Wait for its end; what does not end in time is stopped, and that is said."""
        ended = self.wait(seconds)
        if ended is None:
            self.kill()
            return Ended(None, seconds, self.ready)
        return ended

    def _reap(self) -> Ended:
        _, status = os.waitpid(self.pid, 0)
        self.tell.close()
        return Ended(os.waitstatus_to_exitcode(status), time.monotonic() - self.began, self.ready)


def listen(folder: Path) -> socket.socket:
    """A service manager's ear, where a daemon says that it is ready."""
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    address = folder / "notify"
    address.unlink(missing_ok=True)
    ear.bind(str(address))
    return ear


def fork(work: Callable[[], object], folder: Path) -> Child:
    """Do some work in a child; what it prints goes to `log` in the folder."""
    tell = listen(folder)
    began = time.monotonic()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return Child(pid, began, tell)
    status = 70
    try:
        die_with(parent)
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        faulthandler.enable()  # a crash of what is not Python says where it was
        os.environ["NOTIFY_SOCKET"] = str(folder / "notify")
        work()
        status = 0
    except BaseException as error:  # noqa: BLE001  a child must never go on as its parent
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def die_with(parent: int) -> None:
    """Let the kernel end this process when its parent ends, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(70)


@dataclass(frozen=True, slots=True)
class Judge:
    """A sandbox in a process of its own, which outlives every daemon."""

    url: str

    def ledger(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/sandbox/ledger", timeout=30) as answer:  # noqa: S310  our own server
            found: dict[str, Any] = json.load(answer)
            return found

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        gone = urllib.request.Request(f"{self.url}/sandbox/faults", method="DELETE")  # noqa: S310  our own server
        urllib.request.urlopen(gone, timeout=30).close()  # noqa: S310  our own server

    def add_faults(self, scenario: Scenario) -> None:
        told = msgspec.json.encode(list(scenario.faults))
        urllib.request.urlopen(f"{self.url}/sandbox/faults", told, timeout=30).close()  # noqa: S310  our own server


@contextmanager
def judge(scenario: Scenario, folder: Path, clock: FastClock) -> Iterator[Judge]:
    """Start a sandbox on a clock that its daemons share: the monotonic one goes on through forks and kills."""
    folder.mkdir(parents=True, exist_ok=True)
    mouth, ear = os.pipe()[::-1]
    settings = SandboxSettings(duration=scenario.duration, state=folder / "book", faults=tuple(scenario.faults))

    async def run() -> None:
        async with serve(settings, clock.now) as server:
            os.write(mouth, server.base_url.encode())
            await anyio.sleep_forever()

    child = fork(lambda: anyio.run(run), folder)
    os.close(mouth)
    try:
        url = os.read(ear, 100).decode()
        if not url:
            raise RuntimeError(f"the sandbox did not start: see {folder / 'log'}")
        yield Judge(url)
    finally:
        os.close(ear)
        child.kill()
