"""The unit under a real systemd, booted in a container of its own: no Debian to download, no network, no host touched.

The container sees the host's /usr, read-only, and has its own /etc, /var, /tmp and cgroup: half a second from nothing
to a running system. The service is the one of `systemd/`, with drop-ins where a test says so.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.support.surroundings import REPOSITORY

UNIT = "batchd.service"
KEY = "sk-ant-canary-5d41402abc4b2a76"
SANDBOX = "ExecStart=\nExecStart=/opt/batchd/bin/batchd run --sandbox\n"
BASE = Path("/var/lib/batchd")
LISTENER = """
import http.server
class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.headers["authorization"], flush=True)
        self.send_error(401)
    log_message = lambda *_: None
server = http.server.HTTPServer(("127.0.0.1", 8099), Api)
print("listening", flush=True)
server.handle_request()
"""
"""Stands for the API until it has been shown a key, which it tells."""
REQUIRED = ("systemd-nspawn", "systemctl", "unshare", "nsenter", "setpriv", "/usr/lib/systemd/systemd")


def _lacking() -> str | None:
    if os.geteuid() != 0:
        return "booting a container needs root"
    if missing := [name for name in REQUIRED if shutil.which(name) is None]:
        return f"not installed: {', '.join(missing)} (Debian: systemd, systemd-container)"
    if not Path("/bin").is_symlink():
        return "the container lives on /usr alone: /bin and /lib have to be links into it"
    if not _cgroups():
        return "no cgroup v2 is mounted"
    return None


def _cgroups() -> list[Path]:
    """Where systemd keeps track of processes: cgroup v2, and v1's `name=systemd` where that exists besides."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    second = [Path(at) for _, at, kind, *_ in mounts if kind == "cgroup2"]
    return second and second + [Path(at) for _, at, kind, options, *_ in mounts if "name=systemd" in options]


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_lacking() is not None, reason=_lacking() or ""),
]


@dataclass(frozen=True)
class Machine:
    """A booted container."""

    root: Path
    init: int
    """The host's number of its process 1."""

    def run(self, *command: str, check: bool = True, text: str | None = None) -> str:
        done = subprocess.run(
            ["nsenter", "--target", str(self.init), "--all", *command],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def has(self, path: Path) -> bool:
        return self.run("ls", "--directory", str(path), check=False) != ""

    def property(self, name: str) -> str:
        return self.run("systemctl", "show", "--value", "--property", name, UNIT)

    def journal(self) -> str:
        return self.run("journalctl", "--quiet", "--boot", "--unit", UNIT, "--output", "cat")

    def start(self, drop_in: str) -> None:
        """Start from nothing, with these lines in [Service] besides the unit's own."""
        self.run("rm", "-rf", *(str(BASE / name) for name in ("outbox", "state")))
        self.run("mkdir", "-p", f"/run/systemd/system/{UNIT}.d")
        self.run("tee", f"/run/systemd/system/{UNIT}.d/test.conf", text=f"[Service]\nRestartSec=0.5\n{drop_in}")
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "start", UNIT, check=False)

    def drop(self, path: str, text: str, user: str = "alice") -> None:
        """Put a file into the inbox as a member of the group who keeps everything to herself would."""
        there = BASE / "inbox" / path
        as_user = ("setpriv", "--reuid", user, "--regid", user, "--init-groups", "sh", "-c")
        folder, part = there.parent, there.with_name(f"{there.name}.part")
        self.run(*as_user, f"umask 077; mkdir -p {folder}; cat > {part} && mv {part} {there}", text=text)


def wait_for(what: Callable[[], object], seconds: float = 120.0) -> float:
    """Wait until something is so; returns how long that took."""
    began = time.monotonic()
    while not what():
        waited = time.monotonic() - began
        assert waited < seconds, f"not within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - began


def _furnish(root: Path) -> None:
    """Lay out a system: what it shares with the host is bound over empty folders by nspawn."""
    for folder in ("etc/systemd/system", "etc/batchd", "usr", "var", "opt/python", "opt/batchd/bin", "opt/batchd/app"):
        (root / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "opt/batchd/packages").mkdir()
    (root / "opt/batchd/app/daemon").mkdir()
    (root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")  # or it is a first boot, with presets
    (root / "etc/os-release").write_text("ID=test\n")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nalice:x:1000:\nbatchd:x:900:alice\n")
    key = root / "etc/batchd/anthropic-api-key"
    key.write_text(f"{KEY}\n")
    key.chmod(0o600)
    shutil.copy(REPOSITORY / "systemd" / UNIT, root / "etc/systemd/system")
    for folder in ("sysusers.d", "tmpfiles.d"):
        shutil.copytree(REPOSITORY / "systemd" / folder, root / "etc" / folder)
    # In place of a virtual environment, which would name places of the host; exec keeps the process systemd's main one.
    command = root / "opt/batchd/bin/batchd"
    command.write_text(
        "#!/bin/sh\n"
        "export LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/opt/batchd/app/daemon:/opt/batchd/packages\n"
        f'exec /opt/python/bin/python{sys.version_info.major}.{sys.version_info.minor} -m batchd "$@"\n'
    )
    command.chmod(0o755)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    root = tmp_path_factory.mktemp("machine") / "root"
    _furnish(root)
    shared = {
        "/usr": "/usr",
        sys.base_prefix: "/opt/python",
        sysconfig.get_path("platlib"): "/opt/batchd/packages",
        str(REPOSITORY / "daemon"): "/opt/batchd/app/daemon",
    }
    name = f"batchd-test-{os.getpid()}"
    groups = [mount / name for mount in _cgroups()]
    for group in groups:
        group.mkdir()
    nspawn = [
        *("systemd-nspawn", "--quiet", "--boot", f"--directory={root}", f"--machine={name}"),
        *("--private-network", "--register=no", "--keep-unit", "--console=pipe"),
        *(f"--bind-ro={here}:{there}" for here, there in shared.items()),
        "systemd.unit=basic.target",
    ]
    # nspawn leaves traces in /run/systemd, and its group of processes where it stands: it gets its own of both.
    prepare = " && ".join(
        ["mkdir -p /run/systemd", "mount -t tmpfs tmpfs /run/systemd"]
        + [f"echo $$ > {group}/cgroup.procs" for group in groups]
    )
    container = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{prepare} && exec "$@"', "sh", *nspawn],
        env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield Machine(root, _booted(container, root))
    finally:
        # Its process 1, with which all others die; nspawn then ends by itself, but does not take it along.
        for child in _children(container.pid):
            os.kill(child, signal.SIGKILL)
        container.wait(120)
        assert container.stderr
        container.stderr.close()
        for group in groups:
            wait_for(partial(_removed, group))


def _booted(container: subprocess.Popen[bytes], root: Path) -> int:
    init = 0

    def is_up() -> bool:
        nonlocal init
        assert container.poll() is None, container.stderr and container.stderr.read().decode()
        for init in _children(container.pid):
            return Machine(root, init).run("systemctl", "is-system-running", check=False) == "running"
        return False

    wait_for(is_up)
    return init


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _removed(group: Path) -> bool:
    """Take away a tree of cgroups; the kernel refuses while a process in it has not quite ended."""
    with suppress(FileNotFoundError, OSError):
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()
    return not group.exists()


@pytest.fixture
def service(machine: Machine) -> Iterator[Machine]:
    yield machine
    machine.run("systemctl", "kill", "--signal=SIGCONT", UNIT, check=False)
    machine.run("systemctl", "stop", UNIT)
    machine.run("systemctl", "reset-failed", UNIT, check=False)
    machine.run("find", str(BASE / "inbox"), "-mindepth", "1", "-delete")


def test_works_in_its_sandbox_from_ready_to_stop(service: Machine) -> None:
    service.start(SANDBOX)
    assert service.property("ActiveState") == "active", service.journal()
    process = service.run("cat", f"/proc/{service.property('MainPID')}/status")
    assert re.search(r"^CapBnd:\t0+$", process, re.MULTILINE), "the sandbox is in force"
    assert re.search(r"^Seccomp:\t2$", process, re.MULTILINE), "the sandbox is in force"
    service.drop("letters/hello.md", "Say hello.")

    wait_for(lambda: service.has(BASE / "outbox/letters/hello/job.json"))

    assert service.run("stat", "--format", "%a %U", str(BASE / "inbox"), str(BASE / "outbox"), str(BASE / "state")) == (
        "1770 batchd\n700 batchd\n700 batchd"
    )
    began = time.monotonic()
    service.run("systemctl", "stop", UNIT)
    assert time.monotonic() - began < 10
    assert service.property("Result") == "success"
    assert service.property("ExecMainStatus") == "0"


def test_killed_it_starts_again_and_finishes(service: Machine) -> None:
    service.start(SANDBOX)
    first = service.property("MainPID")
    service.drop("work.md", "Say hello.")

    service.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", UNIT)

    wait_for(lambda: service.property("NRestarts") == "1" and service.property("ActiveState") == "active")
    assert service.property("MainPID") != first
    wait_for(lambda: service.has(BASE / "outbox/work/job.json"))


def test_a_process_that_hangs_is_replaced(service: Machine) -> None:
    service.start(f"{SANDBOX}WatchdogSec=3\nTimeoutStopSec=1\n")
    first = service.property("MainPID")
    time.sleep(4)
    assert service.property("MainPID") == first, "it was fed, and must live"

    service.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGSTOP", UNIT)

    wait_for(lambda: service.property("NRestarts") == "1" and service.property("ActiveState") == "active")
    assert "Watchdog timeout" in service.journal()


def test_the_key_reaches_the_daemon_and_nothing_else(service: Machine) -> None:
    python = ("env", "LD_LIBRARY_PATH=/opt/python/lib", f"/opt/python/bin/python{sys.version_info.major}")
    with subprocess.Popen(
        ["nsenter", "--target", str(service.init), "--all", *python, "-c", LISTENER],
        stdout=subprocess.PIPE,
        text=True,
    ) as api:
        assert api.stdout
        assert api.stdout.readline() == "listening\n"
        service.start("Environment=BATCHD_API__BASE_URL=http://127.0.0.1:8099\n")
        service.drop("work.md", "Say hello.")
        assert api.stdout.readline() == f"Bearer {KEY}\n"

    process = service.property("MainPID")
    assert KEY not in service.run("cat", f"/proc/{process}/environ", f"/proc/{process}/cmdline")
    assert KEY not in service.journal()
    assert service.run("grep", "-r", KEY, str(BASE), check=False) == ""


def test_a_wrong_setting_is_not_tried_again(service: Machine) -> None:
    service.start("Environment=BATCHD_POLL__INITIAL=soon\n")
    time.sleep(1)
    assert service.property("ActiveState") == "failed"
    assert service.property("ExecMainStatus") == "2"
    assert service.property("NRestarts") == "0"
    assert re.search(r"poll.initial.*soon", service.journal(), re.IGNORECASE)
