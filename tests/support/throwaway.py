"""A system to be thrown away: this machine's own, beneath a layer in memory that takes every change."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

_LAYER = """
set -e
mount -t tmpfs tmpfs {at}
mkdir {at}/changes {at}/work {at}/system
mount -t overlay overlay -o lowerdir=/,upperdir={at}/changes,workdir={at}/work {at}/system
"""
_LAID = f"""{_LAYER}
mount -t proc proc {{at}}/system/proc
mount --rbind /dev {{at}}/system/dev
mount -t tmpfs tmpfs {{at}}/system/run
mount -t tmpfs -o mode=1777 tmpfs {{at}}/system/tmp
echo laid
exec sleep infinity
"""
_BOOTED = f"""{_LAYER}
mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd
for group in {{groups}}; do echo $$ > $group/cgroup.procs; done
echo laid
exec systemd-nspawn --quiet --boot --directory={{at}}/system --machine={{name}} --private-network --register=no \\
    --keep-unit --console=pipe systemd.unit=basic.target
"""
"""Its process 1 is a systemd of its own; nspawn leaves traces in /run/systemd, and a group of processes."""


def lacking() -> str | None:
    """Say why no such system can be laid here."""
    if os.geteuid() != 0:
        return "a layer over this machine needs root"
    if missing := [name for name in ("unshare", "nsenter", "chroot", "dpkg-deb") if shutil.which(name) is None]:
        return f"not installed: {', '.join(missing)}"
    probe = "mount -t tmpfs t /mnt && cd /mnt && mkdir c w r && mount -t overlay o -o lowerdir=/,upperdir=c,workdir=w r"
    tried = ["unshare", "--mount", "--propagation", "private", "sh", "-c", probe]
    if subprocess.run(tried, capture_output=True, check=False).returncode:
        return "no layer can be laid over the root of this machine"
    return None


class System:
    """Where packages may be installed, run and purged; nothing of it outlives it."""

    def __init__(self, at: Path) -> None:
        """Lay it at an empty folder."""
        self._at = at
        self._held = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", _LAID.format(at=at)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._held.stdout
        assert self._held.stdout.readline() == "laid\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._held.stdout
        self._held.stdout.close()
        self._held.kill()
        self._held.wait()

    def run(self, script: str, *, check: bool = True) -> str:
        """Run shell lines as root, with a plain environment; returns what they printed."""
        inside = ["nsenter", "--target", str(self._held.pid), "--mount", "chroot", f"{self._at}/system"]
        plain = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root", "sh", "-ec", script]
        done = subprocess.run(
            [*inside, *plain], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd="/"
        )
        assert done.returncode == 0 or not check, f"{script}: {done.stdout}"
        return done.stdout

    def bring(self, file: Path) -> str:
        """Copy a file into it; returns its place there."""
        with file.open("rb") as opened:
            subprocess.run(
                ["nsenter", "--target", str(self._held.pid), "--mount", "tee", f"{self._at}/system/tmp/{file.name}"],
                stdin=opened,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        return f"/tmp/{file.name}"  # noqa: S108  of the system that is thrown away

    def changed(self) -> set[str]:
        """Name all files that are there and were not, or are not as they were."""
        listed = subprocess.run(
            ["nsenter", "--target", str(self._held.pid), "--mount", "find", f"{self._at}/changes", "-type", "f"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        return {line.removeprefix(f"{self._at}/changes") for line in listed.splitlines()}


class Booted:
    """The same with a systemd of its own, which starts and watches services."""

    def __init__(self, at: Path) -> None:
        """Boot it at an empty folder; a few seconds."""
        name = f"batchd-booted-{os.getpid()}"
        self._groups = [mount / name for mount in cgroups()]
        for group in self._groups:
            group.mkdir()
        script = _BOOTED.format(at=at, name=name, groups=" ".join(map(str, self._groups)))
        self._held = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._init = 0
        wait_for(self._is_up)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in _children(self._held.pid):
            os.kill(child, signal.SIGKILL)
        self._held.wait()
        for group in self._groups:
            wait_for(partial(_removed, group))

    def run(self, script: str, *, check: bool = True, user: str = "") -> str:
        """Run shell lines, as root or with the home and the systemd of a user; returns what they printed."""
        given = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", f"HOME=/{f'home/{user}' if user else 'root'}"]
        mine = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"] if user else []
        script = f'export XDG_RUNTIME_DIR=/run/user/$(id -u); cd "$HOME"; {script}' if user else script
        done = subprocess.run(
            ["nsenter", "--target", str(self._init), "--all", *mine, "env", "-i", *given, "sh", "-ec", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd="/",
        )
        assert done.returncode == 0 or not check, f"{script}: {done.stdout}"
        return done.stdout

    def bring(self, file: Path) -> str:
        """Copy a file into it; returns its place there."""
        with file.open("rb") as opened:
            subprocess.run(
                ["nsenter", "--target", str(self._init), "--all", "tee", f"/opt/{file.name}"],
                stdin=opened,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        return f"/opt/{file.name}"

    def _is_up(self) -> bool:
        assert self._held.poll() is None, "it has ended"
        self._init = next(iter(_children(self._held.pid)), 0)
        return bool(self._init) and self.run("systemctl is-system-running", check=False) == "running\n"


def not_bootable() -> str | None:
    """Say why none can be booted here."""
    if reason := lacking():
        return reason
    if shutil.which("systemd-nspawn") is None:
        return "not installed: systemd-nspawn (Debian: systemd-container)"
    return None if cgroups() else "no cgroup v2 is mounted"


def cgroups() -> list[Path]:
    """Where systemd keeps track of processes: cgroup v2, and v1's `name=systemd` where that exists besides."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    second = [Path(at) for _, at, kind, *_ in mounts if kind == "cgroup2"]
    return second and second + [Path(at) for _, at, kind, options, *_ in mounts if "name=systemd" in options]


def wait_for(what: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until something is so."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(0.1)


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _removed(group: Path) -> bool:
    """Take away a tree of cgroups; the kernel refuses while a process in it has not quite ended."""
    with suppress(FileNotFoundError, OSError):
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()
    return not group.exists()
