"""A system to be thrown away: this machine's own, beneath a layer in memory that takes every change."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

_LAID = """
set -e
mount -t tmpfs tmpfs {at}
mkdir {at}/changes {at}/work {at}/root
mount -t overlay overlay -o lowerdir=/,upperdir={at}/changes,workdir={at}/work {at}/root
mount -t proc proc {at}/root/proc
mount --rbind /dev {at}/root/dev
mount -t tmpfs tmpfs {at}/root/run
mount -t tmpfs -o mode=1777 tmpfs {at}/root/tmp
echo laid
exec sleep infinity
"""


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
        inside = ["nsenter", "--target", str(self._held.pid), "--mount", "chroot", f"{self._at}/root"]
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
                ["nsenter", "--target", str(self._held.pid), "--mount", "tee", f"{self._at}/root/tmp/{file.name}"],
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
