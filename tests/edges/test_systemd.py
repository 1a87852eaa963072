"""What systemd is told, by the unit and by the daemon."""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from batchd.app import RESOLVERS, WORKERS
from batchd.edges.systemd import notify, watchdog_interval

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNIT = SYSTEMD / "batchd.service"
COMMAND = "/opt/batchd/bin/batchd"

# CI installs it; elsewhere it is no part of what Python and make give.
needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and not os.environ.get("CI"), reason="systemd-analyze is not installed"
)


def analyze(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        ["systemd-analyze", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a command that exists on any machine: verify looks whether it does."""
    text = UNIT.read_text()
    assert f"ExecStart={COMMAND} run\n" in text
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace(COMMAND, "/bin/true"))
    return copy


@needs_analyze
def test_nothing_in_the_unit_is_unknown_or_wrong(unit: Path) -> None:
    assert analyze("verify", unit) == (0, "")  # for an unknown key it says so, and ends with 0


@needs_analyze
def test_verify_would_have_told(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectClock=", "ProtectClocks="))
    assert "ProtectClocks" in analyze("verify", unit)[1]


@needs_analyze
def test_exposure_is_as_low_as_that_of_the_best_kept_units(unit: Path) -> None:
    code, told = analyze("security", "--offline=true", "--threshold=12", unit)
    assert code == 0, told


def test_the_places_are_those_of_the_contract() -> None:
    unit = UNIT.read_text()
    settings = (SYSTEMD / "tmpfiles.d" / "batchd.conf").read_text()
    for place in ("inbox", "outbox", "state"):
        assert f"\nEnvironment=BATCHD_{place.upper()}=/var/lib/batchd/{place}\n" in unit.replace("%S", "/var/lib")
        assert f'{place} = "/var/lib/batchd/{place}"' in settings


def test_the_unit_has_room_for_every_thread() -> None:
    (most,) = re.findall(r"^TasksMax=(\d+)$", UNIT.read_text(), re.MULTILINE)
    main, database, watcher = 1, 2, 4
    assert int(most) >= WORKERS + RESOLVERS + main + database + watcher + 8


@pytest.fixture
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """The service manager's end, at an address as it writes it into the environment."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@batchd-test-{os.getpid()}"
    end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    request.addfinalizer(end.close)  # noqa: PT021  the parameter decides what is made, this closes either
    end.bind(name.replace("@", "\0"))
    end.settimeout(60)
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    return end


@pytest.mark.parametrize("manager", ["path", "abstract"], indirect=True)
def test_the_manager_is_told(manager: socket.socket) -> None:
    assert notify("READY=1")
    assert notify("STATUS=3 jobs")
    assert [manager.recv(100), manager.recv(100)] == [b"READY=1", b"STATUS=3 jobs"]


@pytest.mark.parametrize("address", [None, "", "relative", "vsock:2:1234", "/nowhere/notify", "@batchd-nobody-listens"])
def test_without_a_manager_nothing_happens(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify("READY=1")


ME = "this process"


@pytest.mark.parametrize(
    ("microseconds", "process", "interval"),
    [
        ("30000000", ME, 15.0),
        ("30000000", None, 15.0),
        ("30000000", "1", None),  # meant for the process that started us
        (None, ME, None),
        ("", ME, None),
        ("soon", ME, None),
        ("-1", ME, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_asks(
    microseconds: str | None, process: str | None, interval: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = str(os.getpid()) if process == ME else process
    for name, value in (("WATCHDOG_USEC", microseconds), ("WATCHDOG_PID", pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert watchdog_interval() == interval
